"""He's ResNets: the outputs of the layers are those that OpenCV computed from the same files."""

import pathlib

import chainer
import numpy as np
import pytest
from chainer import functions as F
from chainer.links.caffe.protobuf3 import caffe_pb2

import converters
from chainer_seg import load_model, save_model
from chainer_seg.errors import WeightFileError
from chainer_seg.links import ResNet, copy_resnet
from chainer_seg.models.classifier import ResNetClassifier
from chainer_seg.models.deeplab import DeepLab
from tests.arrays import assert_same_parameters


@pytest.fixture(scope='module')
def model(genuine):
    return converters.convert(genuine / 'resnet50_b4.caffemodel')


@pytest.fixture(scope='module')
def recorded(genuine):
    return np.load(genuine / 'resnet50_b4.npz')


def compare(ours, recorded, name):
    """The largest difference as a share of the largest value; a recorded array may be a sample."""
    key = next(key for key in recorded if key.split('@')[0] == name)
    if '@' in key:
        channels, pixels = map(int, key.split('@')[1].split(','))
        ours = ours[:, ::channels, ::pixels, ::pixels]
    assert ours.shape == recorded[key].shape
    return np.abs(ours - recorded[key]).max() / np.abs(recorded[key]).max()


@pytest.mark.parametrize('number', [0, 1])  # In one of them the pooled size is rounded.
def test_every_recorded_layer_is_the_same(model, recorded, number):
    x = recorded[f'in{number}']
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        stem = F.relu(model.resnet.stem(x))
        found = {'conv1': stem, 'pool1': model.resnet.pool(stem),
                 **dict(zip(('res2c', 'res3d', 'res4f', 'res5c'), model.resnet(x)))}
        found['fc1000'] = model(x)
    for name, output in found.items():
        assert compare(output.array, recorded, f'out{number}/{name}') < 2e-5, name


def test_every_array_is_used_and_the_sizes_are_those_of_the_file(genuine):
    conversion = converters.conversion(genuine / 'resnet50_b4.caffemodel')
    assert len(conversion.used) == 54 + 53 * 5 + 2 and not conversion.skipped  # conv1 and fc have biases
    config = conversion.model.config
    assert (config['n_class'], config['blocks'], config['width']) == (1000, [3, 4, 6, 3], 4)
    assert (config['stride_on'], config['pooling'], config['pool_pad']) == ('1x1', 'ceil', 0)
    assert conversion.model.origin['network'] == 'ResNet of Caffe'


def test_a_definition_may_be_given(genuine, model):
    again = converters.convert(genuine / 'resnet50_b4.caffemodel', genuine / 'resnet50_b4.prototxt')
    assert again.config == model.config
    assert_same_parameters(again, model)


def test_a_converted_model_is_saved_and_loaded(model, recorded, tmp_path):
    save_model(tmp_path / 'a.npz', model)
    loaded = load_model(tmp_path / 'a.npz')
    assert isinstance(loaded, ResNetClassifier) and loaded.origin['format'] == 'Caffe'
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        x = recorded['in0'][:, :, :64, :64]
        np.testing.assert_array_equal(loaded(x).array, model(x).array)


@pytest.mark.parametrize('target, tolerance', [
    (DeepLab(5, blocks=(3, 4, 6, 3), width=4, pool_pad=0).resnet, 1e-6),
    (ResNet(width=4, norm='affine', pooling='ceil', pool_pad=0), 1e-5)])  # as in Mask R-CNN
def test_deeplab_and_mask_rcnn_start_from_it(model, recorded, target, tolerance):
    copy_resnet(model.resnet, target)
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        features = target(recorded['in0'][:, :, :64, :96])[1].array
        expected = model.resnet(recorded['in0'][:, :, :64, :96])[1].array
    assert np.abs(features - expected).max() < tolerance * np.abs(expected).max()


def changed(path, out, change):
    """A copy of a .caffemodel whose layers are changed by a function of their dict."""
    network = caffe_pb2.NetParameter.FromString(pathlib.Path(path).read_bytes())
    change({layer.name: layer for layer in network.layer})
    out.write_bytes(network.SerializeToString())
    return out


def remove(name):
    return lambda layers: layers[name].ClearField('blobs')


def reshape(layers):
    layers['res3b_branch2b'].blobs[0].shape.dim[:] = [8, 8, 9, 1]


def dilate(layers):
    layers['res5a_branch2b'].convolution_param.dilation[:] = [2]


def flatten_strides(layers):
    for branch in ('1', '2a'):
        layers[f'res5a_branch{branch}'].convolution_param.stride[:] = [1]


def widen_pooling(layers):
    layers['pool1'].pooling_param.kernel_size = 2


def forget_parameters(layers):
    layers['res4a_branch2a'].ClearField('convolution_param')


@pytest.mark.parametrize('change, problem', [
    (remove('res4c_branch2b'), 'its layer res4c_branch2b has 0 blobs, expected 1'),
    (remove('bn2a_branch1'), 'its layer bn2a_branch1 has 0 blobs'),
    (reshape, r'layers.res3b_branch2b.blobs.0 has the shape \(8, 8, 9, 1\), expected \(8, 8, 3, 3\)'),
    (dilate, r'blocks res5a to res5c have the dilations \[1, 2\]'),
    (widen_pooling, 'max pooling of size 3 and stride 2'),
    (forget_parameters, 'parameters of its layer res4a_branch2a are not in the file; give the .prototxt')])
def test_another_network_is_reported_in_one_sentence(genuine, tmp_path, change, problem):
    path = changed(genuine / 'resnet50_b4.caffemodel', tmp_path / 'a.caffemodel', change)
    with pytest.raises(WeightFileError, match=problem):
        converters.convert(path)


def test_other_strides_are_those_of_the_file(genuine, tmp_path):
    path = changed(genuine / 'resnet50_b4.caffemodel', tmp_path / 'a.caffemodel', flatten_strides)
    assert converters.convert(path).config['strides'] == (1, 2, 2, 1)


def test_old_shapes_a_missing_factor_and_another_eps_are_understood(genuine, tmp_path, model):
    def change(layers):
        factor = layers['bn2b_branch2a'].blobs[2].data
        for blob in layers['bn2b_branch2a'].blobs[:2]:
            blob.data[:] = [value / factor[0] for value in blob.data]
        factor[:] = [1]
        layers['bn2b_branch2a'].batch_norm_param.eps = .5
        for blob in layers['scale2b_branch2a'].blobs:
            blob.num, blob.channels, blob.height, blob.width = 1, 1, 1, blob.shape.dim[0]
        layers['bn2b_branch2b'].blobs[2].data[:] = [0]

    path = changed(genuine / 'resnet50_b4.caffemodel', tmp_path / 'a.caffemodel', change)
    ours, theirs = converters.convert(path).resnet.res2[1], model.resnet.res2[1]
    np.testing.assert_allclose(ours.reduce.norm.avg_mean, theirs.reduce.norm.avg_mean, rtol=1e-6)
    np.testing.assert_allclose(ours.reduce.norm.avg_var, theirs.reduce.norm.avg_var + .5, rtol=1e-4)
    assert not ours.middle.norm.avg_mean.any() and not ours.middle.norm.avg_var.any()


@pytest.mark.parametrize('name', ['deploy.PROTOTXT', 'deploy.txt', 'deploy'])
def test_a_definition_may_have_another_ending(genuine, tmp_path, model, name):
    (tmp_path / name).write_bytes((genuine / 'resnet50_b4.prototxt').read_bytes())
    assert converters.convert(genuine / 'resnet50_b4.caffemodel', tmp_path / name).config == model.config
