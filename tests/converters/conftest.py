"""What the tests of converters share."""

import pytest


@pytest.fixture(scope='session')
def genuine(shared_data):
    """The folder of Caffe's genuine networks."""
    return shared_data / 'formats' / 'caffe'
