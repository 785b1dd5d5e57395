"""Chainer's Caffe reader with current protobuf, against outputs recorded from OpenCV."""

import warnings

import chainer
import numpy as np
import pytest
from chainer.links.caffe.protobuf3 import caffe_pb2


def test_messages_survive_serialisation():
    net = caffe_pb2.NetParameter(name='net')
    layer = net.layer.add(name='conv', type='Convolution')
    layer.blobs.add(data=[1.5, -2]).shape.dim.extend([1, 2])
    copy = caffe_pb2.NetParameter.FromString(net.SerializeToString())
    assert copy.layer[0].name == 'conv'
    assert list(copy.layer[0].blobs[0].data) == [1.5, -2]
    assert list(copy.layer[0].blobs[0].shape.dim) == [1, 2]


def test_enum_values_have_their_names_and_numbers():
    assert caffe_pb2.V1LayerParameter.CONVOLUTION == 4
    assert caffe_pb2.Phase.Value('TEST') == caffe_pb2.TEST == 1


@pytest.mark.parametrize('name, output', [('resnet50_b4', 'prob'), ('vgg16_v1_b2', 'fc8')])
def test_caffe_model_gives_the_recorded_outputs(shared_data, name, output):
    folder = shared_data / 'formats' / 'caffe'
    recorded = np.load(folder / f'{name}.npz')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # Chainer warns of each layer that it skips
        model = chainer.links.caffe.CaffeFunction(str(folder / f'{name}.caffemodel'))
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        y, = model(inputs={'data': recorded['in0']}, outputs=[output])
    expected = recorded[f'out0/{output}']
    np.testing.assert_allclose(
        y.array.reshape(expected.shape), expected, atol=1e-4 * np.abs(expected).max())
