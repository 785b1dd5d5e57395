"""Multi-scale inputs: sizes of the published files, and the maximum by Chainer's own resizing."""

import chainer
import numpy as np
import pytest
from chainer import functions as F

from chainer_seg.models.deeplab import DeepLab
from chainer_seg.models.deeplab.multi_scale import multi_scale_logits, scaled_size


@pytest.fixture
def model():
    return DeepLab(3, blocks=(1, 1, 1, 1), width=2, pyramid=(1, 2))


@pytest.fixture
def x(rng):
    return rng.normal(0, 50, (2, 3, 49, 65)).astype(np.float32)


def evaluated(function, *arguments):
    with chainer.using_config('train', False):
        return function(*arguments)


@pytest.mark.parametrize('side, scale, expected', [
    (321, 0.75, 241), (321, 0.5, 161), (513, 0.75, 385), (513, 0.5, 257), (65, 1.5, 97), (64, 1, 64),
    (160, 0.5, 81), (8, 0.5, 9)])
def test_scaled_sizes_are_those_of_the_published_files(side, scale, expected):
    assert scaled_size((side, side), scale) == (expected, expected)


def test_each_scale_has_its_own_logits(model, x):
    logits, fused = evaluated(multi_scale_logits, model.forward, x)
    assert [each.shape for each in logits] == [(2, 3, 7, 9), (2, 3, 5, 7), (2, 3, 4, 5)]
    assert fused.shape == (2, 3, 7, 9)
    np.testing.assert_array_equal(logits[0].array, evaluated(model.forward, x).array)
    half = evaluated(model.forward, F.resize_images(x, (25, 33)))
    np.testing.assert_allclose(logits[2].array, half.array, atol=1e-4)


def test_fused_logits_are_the_maximum_over_scales(model, x):
    logits, fused = evaluated(multi_scale_logits, model.forward, x)
    at_one_size = [F.resize_images(each, (7, 9)).array for each in logits]
    np.testing.assert_allclose(fused.array, np.max(at_one_size, axis=0), atol=1e-5)
    # Each scale has its say somewhere.
    assert set(np.argmax(at_one_size, axis=0).ravel()) == {0, 1, 2}


def test_fused_logits_have_the_size_of_scale_1_in_any_order(model, x):
    assert evaluated(multi_scale_logits, model.forward, x, (1.5, 1))[1].shape == (2, 3, 7, 9)
    assert evaluated(multi_scale_logits, model.forward, x, (0.5,))[1].shape == (2, 3, 4, 5)


def test_a_single_scale_gives_the_plain_logits(model, x):
    logits, fused = evaluated(multi_scale_logits, model.forward, x, (1,))
    assert fused is logits[0]


class Doubled:
    """A network that is differentiable by hand: twice every eighth pixel."""

    def forward(self, x):
        return 2 * x[:, :, ::8, ::8]


def test_gradients_flow_through_all_scales(rng):
    x = chainer.Variable(rng.normal(size=(1, 2, 33, 33)))
    weights = rng.normal(size=(1, 2, 5, 5))

    def total(values):
        return F.sum(weights * multi_scale_logits(Doubled().forward, values)[1])

    total(x).backward()
    step = rng.normal(size=x.shape)
    slope = (total(x.array + 1e-6 * step).array - total(x.array - 1e-6 * step).array) / 2e-6
    assert (x.grad * step).sum() == pytest.approx(slope, rel=1e-5)
