"""Notebooks run in processes of their own, in which this checkout must be found."""

import os

import pytest

from .browser import ROOT, open_cells
from .clicking import canvas_element


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


@pytest.fixture(scope='module')
def page(request, tmp_path_factory):
    """A window on the ``CELLS`` of a module, which show a click canvas, and ``ask`` for their kernel."""
    folder = tmp_path_factory.mktemp('lab')
    with open_cells(request.module.CELLS, folder, canvas_element, 'the image') as opened:
        yield opened
