"""Group normalisation: a formula, its gradients, and a batch of no images."""

import numpy as np

from chainer_seg.links import GroupNorm

import chainer  # isort: skip
from chainer import functions as F, gradient_check  # isort: skip


def test_groups_of_channels_have_the_mean_and_the_deviation_of_the_parameters():
    link = GroupNorm(6, 3)
    link.gamma.array[:], link.beta.array[:] = 2, 5
    x = np.random.default_rng(0).normal(3, 4, (2, 6, 7, 5)).astype(np.float32)
    groups = link(x).array.reshape(2, 3, -1)
    np.testing.assert_allclose(groups.mean(axis=2), 5, atol=1e-4)
    np.testing.assert_allclose(groups.std(axis=2), 2, atol=1e-4)


def test_gradients_match_finite_differences():
    rng = np.random.default_rng(0)
    x, gamma, beta = rng.normal(size=(2, 6, 3, 4)), rng.normal(size=6), rng.normal(size=6)
    gradient_check.check_backward(lambda *inputs: F.group_normalization(inputs[0], 3, *inputs[1:]),
                                  (x, gamma, beta), rng.normal(size=x.shape), dtype=np.float64)


def test_no_images_stay_none():
    with chainer.using_config('enable_backprop', False):
        assert GroupNorm(6, 3)(np.zeros((0, 6, 7, 5), np.float32)).shape == (0, 6, 7, 5)
