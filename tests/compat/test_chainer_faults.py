"""Fixed bugs of Chainer itself, against the definitions written as loops or arithmetic by hand."""

import itertools

import chainer
import chainer.functions as F
import chainer.links as L
import numpy as np
import pytest
from chainer.links.caffe.caffe_function import CaffeFunction
from chainer.links.caffe.protobuf3 import caffe_pb2


@pytest.mark.parametrize('options', [{}, {'dilate': 2}, {'groups': 2}, {'nobias': True}])
def test_deconvolution_of_an_input_without_gradient_computes_weight_gradients(rng, options):
    """The expected gradients are finite differences."""
    x = rng.normal(size=(2, 4, 5, 6)).astype(np.float32)
    link = L.Deconvolution2D(4, 6, 3, 2, 1, **options)
    weights = rng.normal(size=link(x).shape).astype(np.float32)
    link.cleargrads()
    F.sum(link(x) * weights).backward()
    for place in [(0, 0, 0, 0), (3, 1, 2, 1), (2, 2, 1, 2)]:
        kept, outputs = link.W.array[place], []
        for step in (0.5, -0.5):
            link.W.array[place] = kept + step
            outputs.append((link(x).array.astype(np.float64) * weights).sum())
        link.W.array[place] = kept
        assert link.W.grad[place] == pytest.approx(outputs[0] - outputs[1], rel=1e-3, abs=1e-3)


def test_new_black_out_link_has_a_finite_loss(rng):
    link = L.BlackOut(4, [10, 5, 3], 5)
    loss = link(rng.normal(size=(2, 4)).astype(np.float32), np.array([0, 1], np.int32))
    assert np.isfinite(loss.array) and not link.W.array.any()


@pytest.mark.parametrize('corner, pixel', [(0.5, 0), (1, 1), (3, 2), (5, 3), (4.9, 2), (7, 4)])
def test_corners_of_rois_are_rounded_half_away_from_zero(corner, pixel):
    """At a scale of 0.5. The numbers of the map rise, so the maximum is the lower right corner."""
    maps = np.arange(25, dtype=np.float32).reshape(1, 1, 5, 5)
    roi, index = np.array([[corner] * 4], np.float32), np.zeros(1, np.int32)
    value = 6 * pixel
    for function in (F.roi_max_pooling_2d, F.roi_average_pooling_2d):
        assert function(maps, roi + np.float32([[0, 0, 2, 2]]), index, 1, 0.5).array.item() == value
    x = chainer.Variable(maps)
    y = F.roi_pooling_2d(x, np.array([[0, *[corner] * 4]], np.float32), 1, 1, 0.5)
    y.grad = np.ones_like(y.array)
    y.backward()
    assert y.array.item() == value and x.grad[0, 0, pixel, pixel] == 1 == x.grad.sum()


def pooled_by_caffe(x, kind, size, stride, pad):
    """caffe/src/caffe/layers/pooling_layer.cpp, as a loop."""
    (kh, kw), (sh, sw), (ph, pw) = size, stride, pad
    counts = []
    for side, k, s, p in zip(x.shape[2:], size, stride, pad):
        count = int(np.ceil((side + 2 * p - k) / s)) + 1
        if any(pad) and (count - 1) * s >= side + p:
            count -= 1
        counts.append(count)
    y = np.zeros((*x.shape[:2], *counts))
    height, width = x.shape[2:]
    for row, column in itertools.product(*map(range, counts)):
        top, left = row * sh - ph, column * sw - pw
        bottom, right = min(top + kh, height + ph), min(left + kw, width + pw)
        area = (bottom - top) * (right - left)
        part = x[:, :, max(top, 0):min(bottom, height), max(left, 0):min(right, width)]
        y[:, :, row, column] = part.max(axis=(2, 3)) if kind == 'MAX' else part.sum(axis=(2, 3)) / area
    return y


def caffe_net(add_layer):
    """A CaffeFunction of one layer, 'layer', from the blob 'data' to the blob 'out'."""
    net = caffe_pb2.NetParameter(name='net')
    layer = net.layer.add(name='layer', bottom=['data'], top=['out'])
    add_layer(layer)
    function = CaffeFunction.__new__(CaffeFunction)
    chainer.Chain.__init__(function)
    function.blobs, function.forwards = {}, {}
    function.split_map, function.layers = {}, []
    import chainer.links.caffe.caffe_function as module
    module._type_to_method[layer.type](function, layer)
    return lambda x: function(inputs={'data': x}, outputs=['out'])[0]


@pytest.mark.parametrize('kind', ['MAX', 'AVE'])
@pytest.mark.parametrize('size, stride, pad', [
    ((3, 3), (2, 2), (0, 0)), ((3, 3), (2, 2), (1, 1)), ((2, 2), (3, 3), (1, 1)),
    ((7, 7), (1, 1), (0, 0)), ((3, 2), (2, 1), (1, 0)), ((2, 2), (2, 2), (0, 0))])
def test_pooling_layers_of_caffe_models_compute_the_outputs_of_caffe(rng, kind, size, stride, pad):
    def pooling(layer):
        layer.type = 'Pooling'
        layer.pooling_param.pool = caffe_pb2.PoolingParameter.PoolMethod.Value(kind)
        (layer.pooling_param.kernel_h, layer.pooling_param.kernel_w) = size
        (layer.pooling_param.stride_h, layer.pooling_param.stride_w) = stride
        (layer.pooling_param.pad_h, layer.pooling_param.pad_w) = pad

    net = caffe_net(pooling)
    for shape in ((2, 3, 8, 9), (1, 2, 7, 7), (1, 1, 10, 12)):
        x = chainer.Variable(rng.normal(size=shape).astype(np.float32))
        y = net(x)
        np.testing.assert_allclose(y.array, pooled_by_caffe(x.array, kind, size, stride, pad), atol=1e-5)
        F.sum(y).backward()
        assert x.grad.shape == shape and np.isfinite(x.grad).all()


@pytest.mark.parametrize('dilation', [[2], [2, 3]])
@pytest.mark.parametrize('kind', ['Convolution', 'Deconvolution'])
def test_convolutions_of_caffe_models_are_dilated(rng, kind, dilation):
    weights = rng.normal(size=(4, 3, 3, 3)).astype(np.float32)  # (out, in) forwards, (in, out) back

    def convolution(layer):
        layer.type = kind
        layer.convolution_param.MergeFrom(caffe_pb2.ConvolutionParameter(
            num_output=4 if kind == 'Convolution' else 3, kernel_size=[3], dilation=dilation,
            bias_term=False, group=1))
        blob = layer.blobs.add(data=weights.ravel().tolist())
        blob.shape.dim.extend(weights.shape)

    rows, columns = dilation * 2 if len(dilation) == 1 else dilation
    # The definition: a kernel with zeros between its weights.
    spread = np.zeros((4, 3, 2 * rows + 1, 2 * columns + 1), np.float32)
    spread[:, :, ::rows, ::columns] = weights
    if kind == 'Convolution':
        x = rng.normal(size=(1, 3, 9, 10)).astype(np.float32)
        expected = F.convolution_2d(x, spread)
    else:
        x = rng.normal(size=(1, 4, 5, 6)).astype(np.float32)
        expected = F.deconvolution_2d(x, spread)
    found = caffe_net(convolution)(chainer.Variable(x))
    np.testing.assert_allclose(found.array, expected.array, atol=1e-4)
