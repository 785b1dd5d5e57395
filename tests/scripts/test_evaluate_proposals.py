"""scripts/evaluate.py on DeepMask and SharpMask: average recall, computed or read, and patches."""

import json
import re
import subprocess
import sys

import pytest

from chainer_seg import load_model
from chainer_seg.datasets import CocoDataset
from chainer_seg.evaluation import evaluate_patches, evaluate_proposals
from chainer_seg.jobs.proposals import keep_proposals
from tests.scripts.small_sharpmask import write_small_sharpmask

pytestmark = pytest.mark.slow


@pytest.fixture(scope='module')
def inputs(tmp_path_factory):
    """A folder with a small SharpMask and four synthetic images with their objects as proposals."""
    folder = tmp_path_factory.mktemp('inputs')
    write_small_sharpmask(folder, 4)
    dataset = dataset_of(folder)
    keep_proposals(lambda number: dataset[number][1].to_coco_results(dataset.ids[number]), range(4),
                   folder / 'proposals', {}, progress=False)
    return folder


def dataset_of(folder):
    return CocoDataset(folder / 'data' / 'annotations.json', folder / 'data' / 'images')


@pytest.fixture
def evaluate(repository, inputs, tmp_path):
    """``evaluate(...)``: the finished process of evaluate.py on the small model."""
    def run(*arguments):
        return subprocess.run(
            [sys.executable, str(repository / 'scripts' / 'evaluate.py'), str(inputs / 'model.npz'),
             '-q', '--annotations', str(inputs / 'data' / 'annotations.json'), *map(str, arguments)],
            cwd=tmp_path, text=True, capture_output=True, timeout=300)
    return run


def test_average_recall_is_that_of_the_library(evaluate, inputs, tmp_path):
    result = evaluate('--images', inputs / 'data' / 'images', '--np', 60, '--startAt', 2, '--endAt', 3,
                      '--out', 'figures.json')
    assert result.returncode == 0, result.stderr
    model, dataset = load_model(inputs / 'model.npz'), dataset_of(inputs).part([1, 2])
    expected = evaluate_proposals(lambda image: model.propose_rle(image, n=60), dataset)
    figures = json.loads((tmp_path / 'figures.json').read_text())
    assert figures == pytest.approx(
        {name: value if value == value else None for name, value in expected.items()})
    row = re.search(r'masks, all +(\S+) +(\S+) +(\S+)\n', result.stdout)
    assert [float(cell) for cell in row.groups()] == pytest.approx(
        [100 * expected[f'segm/AR@{count}'] for count in (10, 100, 1000)], abs=0.051)
    assert '2 images' in result.stdout


def test_proposals_in_files_need_no_images(evaluate, inputs, tmp_path):
    result = evaluate('--protocol', 'proposals', '--proposals', inputs / 'proposals', '--out', 'f.json')
    assert result.returncode == 0, result.stderr
    figures = json.loads((tmp_path / 'f.json').read_text())
    # The proposals are the objects themselves, of which no image has more than ten.
    assert figures['segm/AR@10'] == 1 and figures['bbox/AR@10'] > 0.9


def test_files_of_boxes_give_figures_of_boxes(evaluate, inputs, tmp_path):
    boxes = next((inputs / 'proposals').glob('bbox-*.json'))
    result = evaluate('--proposals', boxes, '--out', 'f.json')
    assert result.returncode == 0, result.stderr
    assert 'masks' not in result.stdout and 'boxes, all' in result.stdout
    assert not any(name.startswith('segm') for name in json.loads((tmp_path / 'f.json').read_text()))


def test_patches_are_judged_as_by_the_library(evaluate, inputs, tmp_path):
    result = evaluate('--protocol', 'patch', '--images', inputs / 'data' / 'images', '--patches', 20,
                      '--start-at', 2, '--boundary', '--out', 'figures.json')
    assert result.returncode == 0, result.stderr
    expected = evaluate_patches(load_model(inputs / 'model.npz'), dataset_of(inputs).part([1, 2, 3]), 20,
                                boundary=True)
    assert json.loads((tmp_path / 'figures.json').read_text()) == pytest.approx(expected)
    assert f'iou             {expected["iou"]:.3f}' in result.stdout


@pytest.mark.parametrize('arguments, sentence', [
    ((), '--annotations needs --images'),
    (('--proposals', 'nothing'), 'no file or folder of proposals nothing'),
    (('--images', '.', '--startAt', '5'), 'There is no image from 5 to 4')])
def test_wrong_input_is_one_sentence(evaluate, arguments, sentence):
    result = evaluate(*arguments)
    assert result.returncode == 2 and len(result.stderr.strip().splitlines()) == 1
    assert result.stderr.startswith('error: ') and sentence in result.stderr
