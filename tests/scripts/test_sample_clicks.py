"""scripts/sample_clicks.py as a user calls it, and training from what it writes."""

import json

import numpy as np
import pytest
from PIL import Image

from chainer_seg import load_model, save_model
from chainer_seg.datasets import ClickFilesDataset, PlainShapesDataset, write_coco
from chainer_seg.models.deeplab import ClickSegmenter
from chainer_seg.models.deeplab.stored_clicks import stored_clicks
from tests.scripts.test_scripts import assert_user_error, call  # noqa: F401  a fixture

DRAWN = ('--draw', 'plain-shapes', '--n', '2', '--val-n', '1', '--size', '64', '--least-area', '50')
SMALL = ('--blocks', '1', '1', '1', '1', '--width', '4', '--crop', '65', '--val-n', '2',
         '--batch-size', '2', '--workers', '0', '--device', 'cpu')


@pytest.fixture
def samples(call, tmp_path):  # noqa: F811
    """A folder of samples of drawn pictures."""
    result = call('sample_clicks', 'samples', *DRAWN, '-q')
    assert result.returncode == 0, result.stderr
    return tmp_path / 'samples'


def test_help_tells_the_names_of_the_tensorflow_code(call):  # noqa: F811
    text = ' '.join(call('sample_clicks', '--help').stdout.split())
    for name in ('--D ', '--D_MARGIN', '--NEG3_MARGIN', '--RATIO_FACTOR', '--N_PAIRS', '--N_POS',
                 '--N_NEG', '--ENERGY_SCALE', '--pairs', '--method {paper,tensorflow}'):
        assert name in text


def test_samples_lists_and_a_sheet_are_written(call, tmp_path):  # noqa: F811
    path = write_coco(PlainShapesDataset(2, size=(64, 64)), tmp_path / 'coco')
    result = call('sample_clicks', 'out', '--annotations', path, '--images', path.parent / 'images',
                  '--method', 'paper', '--pairs', '6', '--N_POS', '2', '--D', '9', '--max-objects', '2',
                  '--ENERGY_SCALE', '1', '--preview', 'sheet.png', '--least-area', '20')
    assert result.returncode == 0, result.stderr
    assert 'train: 12 samples in out/train_converted.txt' in result.stdout
    assert 'wrote sheet.png' in result.stdout and '--click-scale 1' in result.stdout
    assert Image.open(tmp_path / 'sheet.png').width > 300
    settings = json.loads((tmp_path / 'out' / 'train_sampling.json').read_text())
    assert settings['positives'] == [1, 2] and settings['d'] == 9 and settings['n_pairs'] == 6
    assert settings['strategies'] == ['background', 'others', 'outline']
    for _, maps, label in ClickFilesDataset(tmp_path / 'out' / 'train_converted.txt',
                                            images=path.parent / 'images'):
        positives = [click for click in stored_clicks(maps) if click.positive]
        assert 1 <= len(positives) <= 2 and label[int(positives[0].y), int(positives[0].x)]


def test_n_neg_sets_the_counts_of_all_strategies(call, tmp_path):  # noqa: F811
    assert call('sample_clicks', 'out', *DRAWN, '--N_NEG', '9', '--outline', '4').returncode == 0
    settings = json.loads((tmp_path / 'out' / 'val_sampling.json').read_text())
    assert settings['background'] == settings['others'] == [6, 9] and settings['outline'] == 4


@pytest.mark.parametrize('arguments, sentence', [
    (('--annotations', 'none.json', '--images', '.'), 'none.json'),
    (('--val-annotations', 'a.json'), '--val-annotations needs --annotations'),
    ((*DRAWN, '--least-area', '99999'), 'no object of at least 99999 pixels'),
    ((*DRAWN, '--positives', '3', '1'), 'positives takes two numbers')])
def test_what_is_wrong_is_told(call, arguments, sentence):  # noqa: F811
    result = call('sample_clicks', 'out', '-q', *arguments)
    assert_user_error(result, sentence)


@pytest.mark.slow
def test_training_as_published_with_some_other_numbers(call, samples, tmp_path):  # noqa: F811
    result = call('train', 'click', '--as-tensorflow', '--dataset', 'click-files',
                  '--list', samples / 'train_converted.txt', '--data', samples,
                  '--val-list', samples / 'val_converted.txt', '--out', 'run', '--epochs', '1',
                  '--log-every', '1', '--no-freeze-bn', *SMALL)
    assert result.returncode == 0, result.stderr
    count = len((samples / 'train_converted.txt').read_text().splitlines())
    lines = [json.loads(line) for line in (tmp_path / 'run' / 'log.jsonl').read_text().splitlines()]
    assert lines[-1]['iteration'] == -(-count // 2)  # an epoch in batches of two
    assert all(line['lr'] == pytest.approx(1e-5) for line in lines)
    assert 0 <= lines[-1]['validation/iou'] <= 1 and np.isfinite(lines[-1]['validation/loss'])
    model = load_model(next((tmp_path / 'run').glob('model*.npz')))
    assert (model.click_scale, model.click_mean) == (6, 131)


@pytest.mark.slow
def test_a_model_that_sees_distances_otherwise_is_told_or_told_so(call, samples, tmp_path):  # noqa: F811
    save_model(tmp_path / 'model.npz', ClickSegmenter(blocks=(1, 1, 1, 1), width=2))
    command = ('train', 'click', '--dataset', 'click-files', '--list', samples / 'train_converted.txt',
               '--init', 'model.npz', '--out', 'run', '--iterations', '1', '--crop', '65',
               '--batch-size', '1', '--val-n', '1', '--workers', '0')
    assert_user_error(call(*command), 'give --click-scale 6')
    result = call(*command, '--click-scale', '6', '--click-mean', '131')
    assert result.returncode == 0, result.stderr
    assert load_model(next((tmp_path / 'run').glob('model*.npz'))).click_scale == 6


@pytest.mark.parametrize('arguments, sentence', [
    ((), '--dataset click-files needs --list'),
    (('--list', 'none.txt'), 'The list of samples none.txt cannot be read'),
    (('--as-tensorflow', '--list', 'none.txt'), '--freeze-bn, which --as-tensorflow sets, needs'),
    (('--list', 'none.txt', '--robot-clicks', '3'), '--robot-clicks needs images with their objects')])
def test_training_without_its_files_is_told(call, arguments, sentence):  # noqa: F811
    assert_user_error(call('train', 'click', '--dataset', 'click-files', '--out', 'run', *arguments),
                      sentence)
