"""The index of the tutorials is the one that docs/notebook_index.py makes."""

import base64
import importlib.util
import io

import nbformat
import pytest
from PIL import Image

from .browser import ROOT


@pytest.fixture(scope='module')
def maker():
    """The module docs/notebook_index.py."""
    spec = importlib.util.spec_from_file_location('notebook_index', ROOT / 'docs' / 'notebook_index.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope='module')
def index(maker):
    return nbformat.read(maker.INDEX, as_version=4)


def test_index_says_what_the_tutorials_say(maker, index):
    nbformat.validate(index)
    assert [cell.source for cell in index.cells] == [cell.source for cell in maker.make_index().cells]
    assert len(index.cells) == 1 + len(maker.tutorials())


def test_each_tutorial_has_a_thumbnail_a_duration_and_what_it_teaches(maker, index):
    for path, cell in zip(maker.tutorials(), index.cells[1:]):
        assert f']({path.name})' in cell.source and 'minute' in cell.source and '\n- ' in cell.source
        data = base64.b64decode(cell.attachments[f'{path.stem}.png']['image/png'])
        assert max(Image.open(io.BytesIO(data)).size) == maker.WIDTH


def test_the_index_is_small(maker):
    assert maker.INDEX.stat().st_size < 1_000_000
