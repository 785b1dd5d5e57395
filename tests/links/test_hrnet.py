"""HRNet: its shapes and parameters, and its numbers against the definition written out."""

import chainer
import numpy as np
import pytest
from chainer import functions as F

from chainer_seg.functions import resize_bilinear
from chainer_seg.links import HRNet
from chainer_seg.links.hrnet import side_by_side
from tests.links.layers import conv_norm, randomise_norms

pytestmark = pytest.mark.usefixtures('evaluating')


@pytest.fixture
def net(rng):
    net = HRNet(width=2, blocks=1, modules=(1, 2), stem_width=4, seed=3)
    randomise_norms(net, rng)
    return net


def relu(x):
    return np.maximum(x, 0)


def module_by_hand(module, branches):
    """Figure 4 of the paper: each output is the sum of all branches, brought to its resolution."""
    branches = [relu(x + conv_norm(blocks[0].second, relu(conv_norm(blocks[0].first, x))))
                for blocks, x in zip(module.branches, branches)]
    outputs = []
    for target, links in enumerate(module.fusions):
        links, terms = list(links), []
        for source, x in enumerate(branches):
            if source == target:
                terms.append(x)
                continue
            link = links.pop(0)
            if source > target:
                terms.append(resize_bilinear(conv_norm(link, x), branches[target].shape[2:]).array)
                continue
            for number, step in enumerate(link):
                x = conv_norm(step, x if number == 0 else relu(x), 2)
            terms.append(x)
        outputs.append(relu(np.sum(terms, axis=0)))
    return outputs


def test_numbers_are_those_of_the_definition(net, rng):
    x = rng.standard_normal((2, 3, 37, 50)).astype(np.float32)
    extra = rng.standard_normal((2, 4, 19, 25)).astype(np.float32)
    h = relu(conv_norm(net.stem2, relu(conv_norm(net.stem1, x, 2)) + extra, 2))
    bottleneck = net.stage1[0]
    inner = relu(conv_norm(bottleneck.middle, relu(conv_norm(bottleneck.reduce, h))))
    h = relu(conv_norm(bottleneck.expand, inner) + conv_norm(bottleneck.shortcut, h))
    branches = [relu(conv_norm(net.stage2.projections[0], h)), relu(conv_norm(net.stage2.down, h, 2))]
    branches = module_by_hand(net.stage2.modules[0], branches)
    branches.append(relu(conv_norm(net.stage3.down, branches[-1], 2)))
    for module in net.stage3.modules:
        branches = module_by_hand(module, branches)
    for found, wanted in zip(net(x, extra), branches, strict=True):
        np.testing.assert_allclose(found.array, wanted, rtol=1e-4, atol=1e-5)


def test_no_extra_features_are_zeros(net, rng):
    x = rng.standard_normal((1, 3, 33, 40)).astype(np.float32)
    zeros = np.zeros((1, 4, 17, 20), np.float32)
    for one, other in zip(net(x), net(x, zeros)):
        np.testing.assert_array_equal(one.array, other.array)


@pytest.mark.parametrize('size', [(1, 1), (5, 3), (32, 47)])
def test_branches_have_halving_sizes_for_any_image(net, size):
    outputs = net(np.zeros((1, 3, *size), np.float32))
    assert [y.shape[1] for y in outputs] == [2, 4, 8] == list(net.out_channels)
    for stride, y in zip((4, 8, 16), outputs):
        assert y.shape[2:] == tuple(-(-side // stride) for side in size)


def test_side_by_side_brings_all_branches_to_the_finest(rng):
    branches = [rng.standard_normal((1, 2 ** i, 9 // 2 ** i + 1, 7)).astype(np.float32) for i in range(3)]
    joined = side_by_side(branches).array
    assert joined.shape == (1, 7, 10, 7)
    np.testing.assert_array_equal(joined[:, :1], branches[0])
    np.testing.assert_allclose(joined[:, 3:], resize_bilinear(branches[2], (10, 7)).array)


def test_gradients_reach_all_parameters(net, rng):
    x = rng.standard_normal((2, 3, 32, 32)).astype(np.float32)
    net.cleargrads()
    with chainer.using_config('train', True), chainer.force_backprop_mode():
        F.sum(side_by_side(net(x)) ** 2).backward()
    assert [path for path, parameter in net.namedparams() if not np.abs(parameter.grad).sum() > 0] == []
