"""MobileNetV2 and EfficientNet: published sizes, and the blocks against their layers written out."""

import chainer
import numpy as np
import pytest
from chainer import functions as F

from chainer_seg.links import EfficientNet, MobileNetV2
from chainer_seg.links.conv_norm import LayerBuilder
from chainer_seg.links.efficientnet import swish
from chainer_seg.links.inverted_residual import InvertedResidual, round_channels
from chainer_seg.links.mobilenet_v2 import relu6
from tests.links.layers import conv_norm, randomise_norms


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def block_by_definition(block, x, stride, activation):
    h = x
    if hasattr(block, 'expand'):
        h = activation(conv_norm(block.expand, h))
    h = activation(conv_norm(block.depthwise, h, stride, h.shape[1]))
    if hasattr(block, 'excite'):
        squeezed = activation(h.mean(axis=(2, 3)) @ block.excite.squeeze.W.array.T)
        h = h * sigmoid(squeezed @ block.excite.restore.W.array.T)[:, :, None, None]
    return conv_norm(block.project, h)


@pytest.mark.parametrize('expansion, size, stride, out_channels', [
    (1, 3, 1, 8), (6, 3, 1, 4), (6, 5, 2, 6), (6, 5, 1, 4)])
@pytest.mark.parametrize('squeeze', [0, 2])
def test_block_matches_its_layers_applied_one_by_one(rng, expansion, size, stride, out_channels, squeeze):
    activation, plain = (swish, lambda x: x * sigmoid(x)) if squeeze else (relu6, lambda x: x.clip(0, 6))
    block = InvertedResidual(LayerBuilder.plain(0), 4, out_channels, expansion, size, stride, activation,
                             squeeze)
    randomise_norms(block, rng)
    x = 3 * rng.standard_normal((2, 4, 9, 8)).astype(np.float32)
    expected = block_by_definition(block, x, stride, plain)
    if stride == 1 and out_channels == 4:
        expected = expected + x
    with chainer.using_config('train', False):
        np.testing.assert_allclose(block(x).array, expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize('net, count', [(MobileNetV2, 3_504_872), (EfficientNet, 5_288_548)])
def test_networks_have_the_published_number_of_parameters(net, count):
    # As torchvision prints them, less the last layer, 320 -> 1280, and the classifier of 1,000.
    assert net().count_params() == count - (320 * 1280 + 2 * 1280) - 1_281_000


@pytest.mark.parametrize('net, channels', [
    (MobileNetV2, (16, 24, 32, 96, 320)), (EfficientNet, (16, 24, 40, 112, 320))])
def test_stages_halve_the_size_rounded_up(net, channels):
    net = net()
    assert net.out_channels == channels
    with chainer.using_config('train', False):
        outputs = net(np.zeros((1, 3, 69, 97), np.float32))
    assert [output.shape[1] for output in outputs] == list(channels)
    assert [output.shape[2:] for output in outputs] == [(35, 49), (18, 25), (9, 13), (5, 7), (3, 4)]


def test_width_and_depth_scale_the_network():
    # The channels and repeats of EfficientNet-B1 and B2 in their reference implementation.
    deeper = EfficientNet(depth=1.1, width=0.25)
    assert [len(deeper[name]) for name in deeper.stage_names] == [2, 3, 3, 8, 7]
    assert EfficientNet(width=1.1, depth=0.25).out_channels == (16, 24, 48, 120, 352)


@pytest.mark.parametrize('channels, rounded', [
    (3, 8), (11.9, 16), (12, 16), (16.4, 16), (18, 24), (35.2, 32)])
def test_channels_are_rounded_to_multiples_of_8(channels, rounded):
    assert round_channels(channels) == rounded


@pytest.mark.parametrize('make', [
    lambda seed: MobileNetV2(0.25, seed=seed), lambda seed: EfficientNet(0.25, 0.25, seed=seed)])
def test_equal_seeds_give_equal_networks(make):
    for (name, a), (_, b) in zip(sorted(make(5).namedparams()), sorted(make(5).namedparams())):
        np.testing.assert_array_equal(a.array, b.array, err_msg=name)
    assert (make(5).stem.conv.W.array != make(6).stem.conv.W.array).any()


def test_every_parameter_gets_a_gradient(rng):
    net = EfficientNet(0.25, 0.25)
    net.cleargrads()
    outputs = net(rng.standard_normal((2, 3, 64, 64)).astype(np.float32))
    factors = [rng.standard_normal(output.shape).astype(np.float32) for output in outputs]
    sum(F.mean(output * factor) for output, factor in zip(outputs, factors)).backward()
    for name, param in net.namedparams():
        assert np.abs(param.grad).max() > 0, name
