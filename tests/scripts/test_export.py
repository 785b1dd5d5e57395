"""export.py as a user calls it."""

import functools

import cv2
import numpy as np
import pytest

import converters
from chainer_seg import load_model, save_model
from chainer_seg.models.deeplab import DeepLab
from converters.formats import find_format


@pytest.fixture
def call(call_here, tmp_path, monkeypatch):
    """``call(...) -> (exit status, output, errors)`` of the script in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return functools.partial(call_here, 'export.py')


def test_a_model_becomes_two_files_that_opencv_loads(call, tmp_path):
    model = DeepLab(4, blocks=(1, 1, 1, 1), width=2)
    save_model(tmp_path / 'model.npz', model)
    status, output, errors = call('model.npz', 'new/out.caffemodel', '--size', '65x97')
    assert status == 0, errors
    assert 'wrote new/out.caffemodel' in output and 'wrote new/out.prototxt' in output
    files = [str(tmp_path / 'new' / f'out.{ending}') for ending in ('prototxt', 'caffemodel')]
    network = cv2.dnn.readNetFromCaffe(*files)
    network.setInput(np.zeros((1, 3, 65, 97), np.float32))
    assert network.forward().shape == (1, 4, 9, 13)
    assert len(list((tmp_path / 'new').iterdir())) == 2


def test_deepmask_becomes_a_file_of_torch(call, tmp_path):
    status, _, errors = call('deepmask', 'out.t7')
    assert status == 0, errors
    assert find_format(tmp_path / 'out.t7').name == 'Torch7'
    theirs = dict(load_model('deepmask').namedparams())
    for name, parameter in converters.convert(tmp_path / 'out.t7').namedparams():
        np.testing.assert_array_equal(parameter.array, theirs[name].array, err_msg=name)


def test_mask_rcnn_becomes_onnx_files_of_its_networks(call, tmp_path):
    status, output, errors = call('mask-rcnn', 'out.onnx')
    assert status == 0, errors
    assert [path.name for path in sorted(tmp_path.iterdir())] == ['out.box.onnx', 'out.mask.onnx', 'out.onnx']
    assert output.count('wrote') == 3


@pytest.mark.parametrize('arguments, problem', [
    (('deepmask', 'out.pb'), 'out.pb has an unknown suffix; the known ones are .onnx, .caffemodel, .t7.'),
    (('missing.npz', 'out.caffemodel'), 'There is no model file missing.npz'),
    (('deepmask', 'out.caffemodel'), 'A DeepMask cannot be exported to Caffe'),
    (('deepmask', 'out.t7', '--size', '64'), '--size is the size in a .prototxt or .onnx file')])
def test_a_users_error_is_one_sentence(call, tmp_path, arguments, problem):
    status, output, errors = call(*arguments)
    assert status == 2 and output == ''
    assert problem in errors and errors.count('\n') == 1
    assert not list(tmp_path.iterdir())
