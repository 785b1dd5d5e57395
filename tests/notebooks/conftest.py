"""Notebooks run in processes of their own, in which this checkout must be found."""

import os

import pytest

from .browser import ROOT


@pytest.fixture(autouse=True, scope='module')
def surroundings():
    """What a kernel and the driver of a browser find in the environment."""
    with pytest.MonkeyPatch.context() as patch:
        path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get('PYTHONPATH')]))
        patch.setenv('PYTHONPATH', path)
        patch.delenv('MPLBACKEND', raising=False)
        for name in ('no_proxy', 'NO_PROXY'):
            patch.setenv(name, '127.0.0.1,localhost')
        yield
