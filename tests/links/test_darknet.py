"""DarkNet-53: its shapes, and its outputs against the layers of the paper's table written out."""

import chainer
import numpy as np
import pytest
from chainer import functions as F

from chainer_seg.links import DarkNet
from tests.links.layers import conv_norm, randomise_norms


@pytest.fixture
def net(rng):
    net = DarkNet(blocks=(1, 2, 1), width=2, seed=3)
    randomise_norms(net, rng)
    return net


def layer(layer, x, stride=1):
    """Convolution, batch normalisation and leaky ReLU."""
    y = conv_norm(layer, x, stride)
    return np.where(y > 0, y, 0.1 * y)


def test_outputs_match_the_layers_applied_one_by_one(net, rng):
    x = rng.standard_normal((2, 3, 21, 26)).astype(np.float32)
    with chainer.using_config('train', False):
        outputs = net(x)
    h = layer(net.stem, x)
    for stage, output in zip((net.stage1, net.stage2, net.stage3), outputs):
        h = layer(stage[0], h, stride=2)
        for block in stage[1:]:
            h = h + layer(block.expand, layer(block.reduce, h))
        np.testing.assert_allclose(output.array, h, rtol=1e-4, atol=1e-4)


def test_each_stage_halves_the_size_rounded_up(net):
    outputs = net(np.zeros((1, 3, 21, 26), np.float32))
    assert [output.shape for output in outputs] == [(1, 4, 11, 13), (1, 8, 6, 7), (1, 16, 3, 4)]
    assert net.out_channels == (4, 8, 16)


@pytest.mark.slow
def test_the_published_network_has_52_convolutions_and_the_published_number_of_weights():
    net = DarkNet()
    weights = [param for name, param in net.namedparams() if name.endswith('/conv/W')]
    assert len(weights) == 52  # The 53rd layer of the paper is the classifier.
    # The number of the published YOLACT file with DarkNet-53.
    assert sum(param.size for param in net.params()) == 40_584_928
    assert net.out_channels == (64, 128, 256, 512, 1024)


def test_equal_seeds_give_equal_networks():
    first, again, other = (DarkNet((1, 1), 2, seed=seed) for seed in (5, 5, 6))
    for a, b in zip(first.params(), again.params()):
        np.testing.assert_array_equal(a.array, b.array)
    assert (first.stem.conv.W.array != other.stem.conv.W.array).any()


def test_all_parameters_get_a_gradient(net, rng):
    loss = sum(F.mean(F.square(output)) for output in net(rng.normal(size=(2, 3, 16, 16)).astype('f')))
    net.cleargrads()
    loss.backward()
    for name, param in net.namedparams():
        assert np.abs(param.grad).max() > 0, name
