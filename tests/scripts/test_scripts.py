"""The scripts as a user calls them: what they write, and one sentence for each thing that is wrong."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from chainer_seg import load_model, save_model
from chainer_seg.images import read_image
from chainer_seg.models.deeplab import Click, ClickSegmenter

SMALL_NETWORK = ('--blocks', '1', '1', '1', '1', '--width', '4', '--crop', '32', '--batch-size', '2',
                 '--warm-up', '2')
SMALL = (*SMALL_NETWORK, '--size', '48', '--val-n', '2')


@pytest.fixture
def call(repository, tmp_path):
    """Runs a script in a folder of its own: ``call('predict', ...) -> CompletedProcess``."""
    def call_script(name, *arguments):
        return subprocess.run(
            [sys.executable, repository / 'scripts' / f'{name}.py', *map(str, arguments)],
            cwd=tmp_path, text=True, capture_output=True, timeout=300)
    return call_script


@pytest.fixture
def model_path(tmp_path):
    save_model(tmp_path / 'model.npz', ClickSegmenter(blocks=(1, 1, 1, 1), width=2,
                                                      longest_side=64))
    return tmp_path / 'model.npz'


@pytest.fixture
def image(tmp_path, rng):
    Image.fromarray(rng.integers(0, 256, (30, 40, 3), np.uint8)).save(tmp_path / 'a.png')
    return tmp_path / 'a.png'


def assert_user_error(result, sentence):
    assert result.returncode == 2, result.stderr
    assert result.stderr.startswith('error: ') and sentence in result.stderr
    assert 'Traceback' not in result.stderr and len(result.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize('name', ['train', 'predict', 'evaluate', 'benchmark', 'make_shapes',
                                  'check_dataset'])
def test_help_is_there(call, name):
    result = call(name, '--help')
    assert result.returncode == 0 and 'usage:' in result.stdout


def test_help_of_click_training_tells_the_defaults(call):
    text = call('train', 'click', '--help').stdout
    assert '--dataset' in text and 'updates; 2000 if' in text and '--resume' in text


def test_predict_writes_mask_probability_overlay_and_json(call, model_path, image, tmp_path):
    result = call('predict', model_path, image, '--pos', '10,12', '--neg', '30,5', '--out', 'o')
    assert result.returncode == 0, result.stderr
    assert 'o/a_mask.png' in result.stdout
    expected = load_model(model_path).segment(
        read_image(image), [Click(12, 10), Click(5, 30, False)])
    mask = np.asarray(Image.open(tmp_path / 'o' / 'a_mask.png'))
    np.testing.assert_array_equal(mask > 0, expected >= 0.5)
    probability = np.asarray(Image.open(tmp_path / 'o' / 'a_probability.png')) / 255
    np.testing.assert_allclose(probability, expected, atol=0.51 / 255)
    assert Image.open(tmp_path / 'o' / 'a_overlay.png').size == (40, 30)
    assert json.loads((tmp_path / 'o' / 'a.json').read_text())[0]['segmentation']['size'] == [30, 40]


def test_images_of_one_name_do_not_overwrite_each_other(call, model_path, image, tmp_path):
    Image.open(image).save(tmp_path / 'a.bmp')
    result = call('predict', model_path, image, tmp_path / 'a.bmp', '--pos', '3,3', '--out', 'o')
    assert result.returncode == 0, result.stderr
    assert (tmp_path / 'o' / 'a_mask.png').exists() and (tmp_path / 'o' / 'a_2_mask.png').exists()


def test_predict_takes_a_folder(call, model_path, image, tmp_path):
    result = call('predict', model_path, image.parent, '--pos', '3,3', '--out', 'o')
    assert result.returncode == 0 and (tmp_path / 'o' / 'a_mask.png').exists()


def test_predict_begins_with_a_mask_and_refines(call, model_path, image, tmp_path):
    pytest.importorskip('maxflow', reason='PyMaxflow is not installed')
    start = np.zeros((30, 40), np.uint8)
    start[5:20, 8:30] = 255
    Image.fromarray(start).save(tmp_path / 'start.png')
    result = call('predict', model_path, image, '--neg', '10,12', '--mask', 'start.png',
                  '--refine', 'graphcut', '--threshold', '0.4', '--out', 'o')
    assert result.returncode == 0, result.stderr
    session = load_model(model_path).session(read_image(image), 'graphcut')
    session.threshold = 0.4
    session.start_from(start)
    session.add(Click(12, 10, False))
    mask = np.asarray(Image.open(tmp_path / 'o' / 'a_mask.png'))
    np.testing.assert_array_equal(mask > 0, session.mask)
    assert not mask[12, 10]


@pytest.mark.parametrize('arguments, sentence', [
    (('nothing.npz', 'a.png', '--pos', '1,1'), 'There is no model file nothing.npz'),
    (('model.npz', 'nothing.png', '--pos', '1,1'), 'There is no image nothing.png'),
    (('model.npz', 'a.png'), 'give at least one --pos X,Y'),
    (('model.npz', 'a.png', '--pos', '40,1'), 'lies outside the image'),
    (('model.npz', 'a.png', '--pos', '1,1', '--mask', 'other.png'), 'mask is 3x4 pixels'),
    (('model.npz', 'a.png', '--pos', '1,1', '--device', '7'), 'GPU 7 was asked for'),
    (('model.npz', 'model.npz', '--pos', '1,1'), 'cannot be read'),
    (('model.npz', 'a.png', '--pos', '1,1', '--out', 'a.png'), 'could not be written')])
def test_wrong_input_to_predict_is_one_sentence(call, model_path, image, arguments, sentence):
    Image.new('L', (4, 3), 255).save(image.parent / 'other.png')
    assert_user_error(call('predict', *arguments), sentence)


def test_click_that_is_no_point_is_told(call, model_path, image):
    result = call('predict', model_path, image, '--pos', 'here')
    assert result.returncode == 2 and "'here' is not of the form X,Y" in result.stderr


def test_evaluate_prints_a_row_for_each_method_and_writes_figures_and_curves(call, model_path,
                                                                             tmp_path):
    pytest.importorskip('skimage', reason='scikit-image is not installed')
    pytest.importorskip('maxflow', reason='PyMaxflow is not installed')
    result = call('evaluate', model_path, '--n', '2', '--size', '64', '--least-area', '50',
                  '--cap', '3', '--clicks', '1', '3', '--thresholds', '0.5', '0.8', '--refine', 'none',
                  'graphcut', 'crf', '--baselines', 'grabcut', 'randomwalker', '--out', 'f.json', '-q')
    assert result.returncode == 0, result.stderr
    figures = json.loads((tmp_path / 'f.json').read_text())
    methods = figures['methods']
    assert list(methods) == [str(model_path), f'{model_path}, graphcut', f'{model_path}, crf',
                             'grabcut', 'randomwalker']
    first, heads, _, *rows = result.stdout.splitlines()
    assert first == f'{methods["grabcut"]["objects"]} objects, up to 3 clicks on each'
    assert heads.split(' | ')[1:-1] == ['NoC@50', 'NoC@80', 'failed@50', 'failed@80', 'IoU@1', 'IoU@3']
    for row, (name, values) in zip(rows, methods.items()):
        cells = [cell.strip() for cell in row.strip('|').split('|')]
        assert cells[:3] == [name, f'{values["noc@50"]:.2f}', f'{values["noc@80"]:.2f}']
        assert cells[6] == f'{values["iou@3"]:.3f}'
        ious = np.array(values['ious'])
        assert ious.shape == (values['objects'], 3)
        np.testing.assert_allclose(ious[:, 2].mean(), values['iou@3'], atol=1e-4)
    assert Image.open(tmp_path / 'f.png').size[0] > 400


@pytest.mark.parametrize('arguments, sentence', [
    (('--clicks', '1', '30'), '--clicks must be from 1 to --cap, 20'),
    (('--thresholds', '85'), '--thresholds must be greater than 0 and at most 1'),
    (('--annotations', 'a.json'), '--annotations needs --images')])
def test_wrong_options_of_evaluate_are_one_sentence(call, model_path, arguments, sentence):
    assert_user_error(call('evaluate', model_path, *arguments), sentence)


def test_evaluate_without_objects_is_one_sentence(call, model_path):
    assert_user_error(call('evaluate', model_path, '--n', '1', '--least-area', '999999', '-q'),
                      'no object of at least 999999 pixels')


def test_evaluate_on_real_images(call, model_path, shared_data):
    sample = shared_data / 'coco_sample'
    result = call('evaluate', model_path, '--images', sample / 'val', '--annotations',
                  sample / 'annotations' / 'instances_val.json', '--max-objects', '3', '-q')
    assert result.returncode == 0, result.stderr
    assert result.stdout.startswith('3 objects, up to 20 clicks on each')


@pytest.mark.slow
def test_training_writes_a_model_that_is_loaded(call, tmp_path):
    result = call('train', 'click', '--out', 'run', '--iterations', '4', '--half',
                  '--snapshot-every', '2', '--log-every', '2', *SMALL)
    assert result.returncode == 0, result.stderr
    model = load_model(tmp_path / 'run' / 'model.npz')
    assert model.config['width'] == 4 and '--iterations 4' in model.origin['command']
    lines = [json.loads(line) for line in (tmp_path / 'run' / 'log.jsonl').open()]
    assert [line['iteration'] for line in lines] == [2, 4]
    assert {'loss', 'iou', 'validation/iou@3'} <= set(lines[-1])
    assert_user_error(call('train', 'click', '--out', 'run', '--iterations', '4', *SMALL),
                      'already contains a training run')


@pytest.mark.slow
def test_training_on_real_images(call, shared_data):
    sample = shared_data / 'coco_sample'
    result = call('train', 'click', '--dataset', 'coco', '--images', sample / 'train',
                  '--annotations', sample / 'annotations' / 'instances_train.json',
                  '--out', 'run', '--iterations', '2', *SMALL_NETWORK)
    assert result.returncode == 0, result.stderr


def test_training_on_nothing_is_one_sentence(call):
    assert_user_error(call('train', 'click', '--dataset', 'coco', '--out', 'run'),
                      '--dataset coco needs --annotations and --images')


@pytest.mark.slow
@pytest.mark.skipif(os.name == 'nt', reason='signals are sent another way there')
def test_ctrl_c_saves_and_training_goes_on(repository, call, tmp_path):
    command = ['click', '--out', 'run', '--iterations', '60', '--snapshot-every', '1000',
               '--log-every', '1', *SMALL]
    with subprocess.Popen([sys.executable, repository / 'scripts' / 'train.py', *command],
                          cwd=tmp_path, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        log = tmp_path / 'run' / 'log.jsonl'
        deadline = time.time() + 120
        while not (log.exists() and log.read_text().count('\n') > 1) and time.time() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 130 and 'Traceback' not in errors, errors
    assert list((tmp_path / 'run').glob('snapshot_iter_*.npz'))
    result = call('train', *command, '--resume')
    assert result.returncode == 0, result.stderr
    assert json.loads(log.read_text().splitlines()[-1])['iteration'] == 60
