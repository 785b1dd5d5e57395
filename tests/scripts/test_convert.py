"""convert.py as a user calls it."""

import functools
import json

import numpy as np
import pytest

from chainer_seg import load_model
from converters.formats import torch7_writer
from tests.converters.torch_networks import resnet


@pytest.fixture
def call(call_here, tmp_path, monkeypatch):
    """``call(...) -> (exit status, output, errors)`` of the script in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return functools.partial(call_here, 'convert.py')


@pytest.fixture
def weights(tmp_path, rng):
    path = tmp_path / 'weights' / 'resnet.t7'
    torch7_writer.write(path, resnet(rng, (1, 1, 1, 1), 2, 3))
    return path


def test_help_is_there(call):
    status, output, _ = call('--help')
    assert status == 0 and '--inspect' in output


def test_a_file_becomes_a_model_file_in_the_current_folder(call, weights, tmp_path):
    status, output, errors = call(weights)
    assert status == 0, errors
    assert '87 arrays used' in output and 'wrote resnet.npz: ResNetClassifier' in output
    assert 'skipped 1 array: gradient of training ([11].gradInput)' in output
    assert load_model(tmp_path / 'resnet.npz').origin['file'] == 'resnet.t7'


def test_v_tells_which_array_went_where(call, weights):
    status, output, errors = call(weights, '-v')
    assert status == 0, errors
    [line] = [line for line in output.splitlines() if '/resnet/stem/conv/W 2x3x7x7' in line]
    assert line.split()[-6:-2] == ['[1].weight', 'float32', '2x3x7x7', '->']


@pytest.mark.slow
def test_half_precision_halves_the_file(call, weights, tmp_path):
    call(weights, '-o', 'whole.npz')
    call(weights, '-o', 'half.npz', '--half')
    whole, half = (load_model(tmp_path / name).logits.W.array for name in ('whole.npz', 'half.npz'))
    assert half.dtype == np.float32 and (half == whole.astype(np.float16)).all()


def test_inspect_prints_the_tree_and_writes_nothing(call, weights, tmp_path):
    status, output, _ = call(weights, '--inspect')
    assert status == 0 and output.startswith('nn.Sequential\n  1: cudnn.SpatialConv')
    assert 'weight: torch.FloatTensor float32 2x3x7x7, storage 1 from 0 of 294' in output
    assert not (tmp_path / 'resnet.npz').exists()


def test_config_gives_arguments_of_the_model(call, weights, tmp_path):
    (tmp_path / 'c.json').write_text(json.dumps({'pooling': 'ceil'}))
    assert call(weights, '--config', 'c.json')[0] == 0
    assert load_model(tmp_path / 'resnet.npz').config['pooling'] == 'ceil'


def test_set_gives_more_arguments(call, weights, tmp_path):
    (tmp_path / 'c.json').write_text(json.dumps({'pooling': 'floor', 'pool_pad': 1}))
    status, _, errors = call(weights, '--config', 'c.json', '--set', 'pooling=ceil', 'pool_pad=0')
    assert status == 0, errors
    config = load_model(tmp_path / 'resnet.npz').config
    assert (config['pooling'], config['pool_pad']) == ('ceil', 0)


def test_one_command_makes_a_click_model_of_a_deeplab(call, shared_data, tmp_path):
    path = shared_data / 'formats' / 'caffe' / 'deeplab_r101_b2_double.caffemodel'
    status, output, errors = call(path, '-o', 'a.npz',
                                  '--set', 'click=true', 'click_scale=6', 'click_mean=131')
    assert status == 0, errors
    assert 'skipped 8 arrays: head of 21 classes' in output
    model = load_model(tmp_path / 'a.npz')
    assert (model.click_scale, model.click_mean) == (6, 131)


CHECKPOINTS = 'tests/converters/formats/data/tensorflow'


def test_a_checkpoint_of_tensorflow_is_named_by_its_prefix(call, repository, tmp_path):
    status, output, errors = call(repository / CHECKPOINTS / 'semantic')
    assert status == 0, errors
    assert 'DeepLab of TensorFlow: 123 arrays used' in output
    assert load_model(tmp_path / 'semantic.npz').origin['file'] == 'semantic.index'
    status, output, _ = call(repository / CHECKPOINTS / 'semantic')  # The model is there by now.
    assert status == 0 and 'wrote semantic.npz' in output


@pytest.mark.parametrize('name, line', [
    ('training.data-00002-of-00003', 'conv1/weights: float32 3x3x2x2'),
    ('click_v1.ckpt', 'fc1_voc12_c0/weights: float32 3x3x64x1'),
    ('kaffe_python2.npy', 'weights: float32 3x3x2x3')])
def test_inspect_prints_the_variables_of_tensorflow(call, repository, name, line):
    status, output, errors = call(repository / CHECKPOINTS / name, '--inspect')
    assert status == 0, errors
    assert line in [text.strip() for text in output.splitlines()]


def assert_user_error(result, sentence):
    status, _, errors = result
    assert status == 2, errors
    assert errors.startswith('error: ') and sentence in errors
    assert len(errors.strip().splitlines()) == 1


@pytest.mark.slow
def test_what_is_wrong_is_told_in_one_sentence(call, weights, tmp_path):
    (tmp_path / 'cut.t7').write_bytes(weights.read_bytes()[:9999])
    (tmp_path / 'list.json').write_text('[1]')
    assert_user_error(call('missing.t7'), 'No such file')
    assert_user_error(call('cut.t7'), 'cut.t7 is damaged or truncated: at byte ')
    assert_user_error(call(weights, '-o', weights), 'is the file to be converted')
    assert_user_error(call(weights, '-o', tmp_path), 'is a folder')
    assert_user_error(call(weights, '--config', 'list.json'), 'must be a JSON object')
    assert_user_error(call(weights, '--config', 'none.json'), 'There is no configuration none.json')
    assert call(weights, '--set', 'pooling')[0] == 2
    assert not list(tmp_path.glob('*.npz'))


def test_arrays_are_left_out_by_their_names(call, weights):
    status, output, errors = call(weights, '--skip', '*.gradInput')
    assert status == 0, errors
    assert 'skipped 1 array: requested by the user ([11].gradInput)' in output


def test_a_name_to_leave_out_that_is_not_there_is_an_error(call, weights):
    status, _, errors = call(weights, '--skip', 'fc.*')
    assert status == 2 and "no array matches 'fc.*' of --skip" in errors


@pytest.mark.parametrize('content, problem', [
    ('', 'is empty'), ('{"width": ', 'ends too early'), ('{"a b": 1}', "has the entry 'a b'"),
    ('{"width": "wide"}', 'do not fit the network'), ('{"blocks": {}}', 'cannot be converted'),
    ('{"blocks": [1, [2]]}', 'cannot be converted'), ('{"width": 1e400}', 'cannot be converted'),
    ('{"width": -1}', 'cannot be converted'), ('{"width": null}', 'cannot be converted'),
    ('{"width": 1000000000}', 'cannot be converted'), ('{"blocks": [99999999]}', 'cannot be converted'),
    ('{"seed": "x"}', 'cannot be converted'), ('{"strides": 5}', 'cannot be converted'),
    ('{"n_class": {"a": 1}}', 'cannot be converted'), ('[' * 100_000, 'nested too deeply')])
def test_a_configuration_that_cannot_be_meant_is_told(call, weights, tmp_path, content, problem):
    (tmp_path / 'a.json').write_text(content)
    assert_user_error(call(weights, '--config', 'a.json'), problem)


def test_a_configuration_may_begin_with_a_byte_order_mark(call, weights, tmp_path):
    (tmp_path / 'a.json').write_bytes(b'\xef\xbb\xbf{"seed": 3}')
    assert call(weights, '--config', 'a.json')[0] == 0


def test_set_comes_over_a_configuration_in_the_words_of_the_original(call, shared_data, tmp_path):
    folder = shared_data / 'formats' / 'pytorch'
    arguments = (folder / 'yolact_resnet50_1_10.pth', '--config', folder / 'yolact_resnet50_config.json',
                 '--set', 'max_detections=5', 'nms_top_k=11', '-o', 'y.npz')
    status, _, errors = call(*arguments, '--class-names', *'abcde')
    assert status == 0, errors
    model = load_model(tmp_path / 'y.npz')
    assert model.class_names == tuple('abcde')
    assert (model.config['max_detections'], model.config['top_k']) == (5, 11)
    (tmp_path / 'names.txt').write_text('v\nw\nx\ny\nz\n')
    assert call(*arguments, '--class-names', 'names.txt')[0] == 0
    assert load_model(tmp_path / 'y.npz').class_names == tuple('vwxyz')


@pytest.mark.parametrize('file, known', [
    ('pytorch/yolact_resnet50_1_10.pth', 'Yolact has no option nonsense; its options are class_names'),
    ('detectron/public_mask_c4_5.pkl', 'MaskRCNN has no option nonsense; its options are class_names'),
    ('detectron/public_R-50_flat.pkl', 'ResNetClassifier has no option nonsense; its options are n_class'),
    ('caffe/resnet50_b4.caffemodel', 'ResNetClassifier has no option nonsense; its options are definition'),
    ('caffe/deeplab_r101_b2_double.caffemodel', 'a DeepLab has no option nonsense')])
def test_unknown_settings_are_refused_with_the_known_ones(call, shared_data, file, known):
    path = shared_data / 'formats' / file
    config = ('--config', path.parent / 'yolact_resnet50_config.json') if 'yolact' in file else ()
    status, _, errors = call(path, *config, '--set', 'nonsense=7')
    assert status == 2 and known in errors
