"""scripts/sample_clicks.py as a user calls it, and training from what it writes."""

import json

import numpy as np
import pytest
from PIL import Image

from chainer_seg import load_model, save_model
from chainer_seg.datasets import ClickFilesDataset, PlainShapesDataset, write_coco
from chainer_seg.models.deeplab import ClickSegmenter
from chainer_seg.models.deeplab.precomputed_clicks import clicks_of_maps

SYNTHETIC = ('--draw', 'plain-shapes', '--n', '2', '--val-n', '1', '--size', '64', '--least-area', '50')
SMALL = ('--blocks', '1', '1', '1', '1', '--width', '4', '--crop', '65', '--val-objects', '4',
         '--batch-size', '2', '--workers', '0', '--device', 'cpu')


@pytest.fixture
def run(call_here, monkeypatch, tmp_path):
    """``run('train', ...) -> (exit status, output, errors)``, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda name, *options: call_here(f'{name}.py', *options)


@pytest.fixture
def samples(run, tmp_path):
    """A folder of samples of synthetic images."""
    status, _, errors = run('sample_clicks', 'samples', *SYNTHETIC, '-q')
    assert status == 0, errors
    return tmp_path / 'samples'


def assert_told(result, sentence):
    status, _, errors = result
    assert status == 2 and errors.startswith('error: ') and sentence in errors
    assert len(errors.strip().splitlines()) == 1


def test_help_tells_the_names_of_the_tensorflow_code(run):
    text = ' '.join(run('sample_clicks', '--help')[1].split())
    for name in ('--D ', '--D_MARGIN', '--NEG3_MARGIN', '--RATIO_FACTOR', '--N_PAIRS', '--N_POS',
                 '--N_NEG', '--ENERGY_SCALE', '--pairs', '--method {paper,tensorflow}'):
        assert name in text


def test_samples_lists_and_a_sheet_are_written(run, tmp_path):
    path = write_coco(PlainShapesDataset(2, size=(64, 64)), tmp_path / 'coco')
    status, output, errors = run(
        'sample_clicks', 'out', '--annotations', path, '--images', path.parent / 'images', '--method',
        'paper', '--pairs', '6', '--N_POS', '2', '--D', '9', '--max-objects', '2', '--ENERGY_SCALE', '1',
        '--preview', 'sheet.png', '--least-area', '20')
    assert status == 0, errors
    assert 'train: 12 samples in out/train_converted.txt' in output
    assert 'wrote sheet.png' in output and '--click-scale 1' in output
    assert Image.open(tmp_path / 'sheet.png').width > 300
    settings = json.loads((tmp_path / 'out' / 'train_sampling.json').read_text())
    assert settings['positives'] == [1, 2] and settings['d'] == 9 and settings['n_pairs'] == 6
    assert settings['strategies'] == ['background', 'others', 'outline']
    for _, maps, label in ClickFilesDataset(tmp_path / 'out' / 'train_converted.txt',
                                            images=path.parent / 'images'):
        positives = [click for click in clicks_of_maps(maps) if click.positive]
        assert 1 <= len(positives) <= 2 and label[int(positives[0].y), int(positives[0].x)]


def test_n_neg_sets_the_counts_of_all_strategies(run, tmp_path):
    assert run('sample_clicks', 'out', *SYNTHETIC, '--N_NEG', '9', '--outline', '4')[0] == 0
    settings = json.loads((tmp_path / 'out' / 'val_sampling.json').read_text())
    assert settings['background'] == settings['others'] == [6, 9] and settings['outline'] == 4


@pytest.mark.parametrize('arguments, sentence', [
    (('--annotations', 'none.json', '--images', '.'), 'none.json'),
    (('--val-annotations', 'a.json'), '--val-annotations applies only with --annotations'),
    ((*SYNTHETIC, '--least-area', '99999'), 'no object of at least 99999 pixels'),
    ((*SYNTHETIC, '--positives', '3', '1'), 'positives must be two numbers')])
def test_what_is_wrong_is_told(run, arguments, sentence):
    assert_told(run('sample_clicks', 'out', '-q', *arguments), sentence)


@pytest.mark.slow
def test_training_as_published_with_some_other_numbers(run, samples, tmp_path):
    status, _, errors = run(
        'train', 'click', '--as-tensorflow', '--dataset', 'click-files', '--list',
        samples / 'train_converted.txt', '--data', samples, '--val-list', samples / 'val_converted.txt',
        '--out', 'run', '--epochs', '1', '--log-every', '1', '--no-freeze-bn', *SMALL)
    assert status == 0, errors
    count = len((samples / 'train_converted.txt').read_text().splitlines())
    lines = [json.loads(line) for line in (tmp_path / 'run' / 'log.jsonl').read_text().splitlines()]
    assert lines[-1]['iteration'] == -(-count // 2)  # an epoch in batches of two
    assert all(line['lr'] == pytest.approx(1e-5) for line in lines)
    assert 0 <= lines[-1]['validation/iou'] <= 1 and np.isfinite(lines[-1]['validation/loss'])
    model = load_model(next((tmp_path / 'run').glob('model*.npz')))
    assert (model.click_scale, model.click_mean) == (6, 131)


@pytest.mark.slow
def test_a_model_that_sees_distances_otherwise_is_told_or_told_so(run, samples, tmp_path):
    save_model(tmp_path / 'model.npz', ClickSegmenter(blocks=(1, 1, 1, 1), width=2))
    command = ('train', 'click', '--dataset', 'click-files', '--list', samples / 'train_converted.txt',
               '--init', 'model.npz', '--out', 'run', '--iterations', '1', '--crop', '65',
               '--batch-size', '1', '--val-objects', '2', '--workers', '0')
    assert_told(run(*command), 'use --click-scale 6')
    status, _, errors = run(*command, '--click-scale', '6', '--click-mean', '131')
    assert status == 0, errors
    assert load_model(next((tmp_path / 'run').glob('model*.npz'))).click_scale == 6


@pytest.mark.parametrize('arguments, sentence', [
    ((), '--dataset click-files needs --list'),
    (('--list', 'none.txt'), 'There is no list of samples none.txt'),
    (('--as-tensorflow', '--list', 'none.txt'), 'There is no list of samples none.txt'),
    (('--list', 'none.txt', '--simulated-clicks', '3'),
     'applies only without --dataset click-files')])
def test_training_without_its_files_is_told(run, arguments, sentence):
    assert_told(run('train', 'click', '--dataset', 'click-files', '--out', 'run', *arguments), sentence)
