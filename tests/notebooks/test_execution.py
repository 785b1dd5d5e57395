"""Every notebook runs top to bottom, and is committed with the outputs of such a run."""

import ast
import pathlib

import nbformat
import pytest

from .browser import ROOT

NOTEBOOKS = sorted((ROOT / 'notebooks').glob('[0-9]*.ipynb'))
LARGEST = 3_000_000  # bytes; code hosts refuse to show much larger notebooks
LONGEST_HELPER = 10  # lines


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def path(request):
    return request.param


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == 'code']


def outputs(notebook):
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def check_outputs(notebook):
    for output in outputs(notebook):
        assert output.output_type != 'error', output.get('evalue')
        assert output.get('name') != 'stderr', output.text


def test_there_are_notebooks():
    assert NOTEBOOKS


def test_committed_outputs_are_those_of_one_run_from_top_to_bottom(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    counts = [cell.execution_count for cell in code_cells(notebook)]
    assert counts == list(range(1, len(counts) + 1))
    check_outputs(notebook)


def test_committed_notebook_shows_images_and_is_small(path):
    notebook = nbformat.read(path, as_version=4)
    kinds = [kind for output in outputs(notebook) for kind in output.get('data', {})]
    assert sum(kind in ('image/png', 'image/jpeg') for kind in kinds) >= 3
    assert path.stat().st_size < LARGEST


def test_committed_outputs_name_no_folder_of_the_machine(path):
    notebook = nbformat.read(path, as_version=4)
    text = ' '.join(str(output.get('text', '')) + str(output.get('data', {}).get('text/plain'))
                    for output in outputs(notebook))
    assert str(pathlib.Path.home()) not in text
    assert '/tmp' not in text and str(ROOT) not in text


def test_helpers_in_cells_are_short(path):
    notebook = nbformat.read(path, as_version=4)
    functions = [node for cell in code_cells(notebook) for node in ast.walk(ast.parse(cell.source))
                 if isinstance(node, ast.FunctionDef)]
    assert all(node.end_lineno - node.lineno < LONGEST_HELPER for node in functions)


@pytest.mark.slow
def test_notebook_runs_from_top_to_bottom(path, tmp_path, monkeypatch):
    nbclient = pytest.importorskip('nbclient')
    for package in ('anywidget', 'skimage'):
        pytest.importorskip(package)
    monkeypatch.setenv('CHAINER_SEG_OUT', str(tmp_path / 'images'))
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=600, kernel_name='python3',
                            resources={'metadata': {'path': str(tmp_path)}}).execute()
    check_outputs(notebook)
    assert list((tmp_path / 'images').glob('*.png'))
