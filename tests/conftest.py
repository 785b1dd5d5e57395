"""Fixtures of all tests. chainer_seg is imported before Chainer; tests skip where shared data is missing."""

import logging
import pathlib

import chainer_seg  # noqa: F401  before Chainer
import chainer
import numpy as np
import pytest

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
SHARED_DATA = REPOSITORY.parent / 'shared' / 'data'
SHARED_CASES = REPOSITORY.parent / 'shared' / 'cases'


def pytest_runtest_setup(item):
    """CuPy may be installed where there is no GPU."""
    if item.get_closest_marker('gpu'):
        from chainer_seg.devices import gpu_count
        if not gpu_count():
            pytest.skip('CuPy finds no GPU here')


@pytest.fixture(autouse=True)
def log_as_before():
    """Takes away where a command in this process sent the log: a stream that ends with its test."""
    root = logging.getLogger()
    level = root.level
    yield
    root.setLevel(level)
    for handler in [each for each in root.handlers if type(each) is logging.StreamHandler]:
        root.removeHandler(handler)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def evaluating():
    """Networks compute as in inference, without a graph: ``pytest.mark.usefixtures('evaluating')``."""
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        yield


@pytest.fixture(scope='session')
def repository():
    """The folder of the checkout."""
    return REPOSITORY


@pytest.fixture(scope='session')
def shared_data():
    """The folder of real images and weight files; tests that need it skip where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip('the folder ../shared/data with real images and weight files is not here')
    return SHARED_DATA


@pytest.fixture(scope='session')
def shared_cases():
    """The folder of inputs that once went wrong; tests that need it skip where it is absent."""
    if not SHARED_CASES.is_dir():
        pytest.skip('the folder ../shared/cases with inputs that went wrong is not here')
    return SHARED_CASES
