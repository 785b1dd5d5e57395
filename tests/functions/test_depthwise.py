"""Depthwise convolution on the CPU, compared with an ordinary convolution of each channel."""

import chainer.functions as F
import numpy as np
import pytest
from chainer import gradient_check

from chainer_seg.functions import depthwise
from tests.functions.gradients import output_and_gradients

# Kernel, stride, padding and dilation, each of rows and columns.
CASES = [((3, 3), (1, 1), (1, 1), (1, 1)), ((5, 3), (2, 1), (2, 0), (1, 1)),
         ((3, 3), (2, 2), (1, 1), (1, 1)), ((3, 3), (1, 2), (3, 2), (2, 3))]
SHAPE = (2, 5, 9, 11)


def separately(x, weights, bias, stride, pad, dilation):
    """The convolution of each channel by Chainer."""
    channels = [F.convolution_2d(x[:, c:c + 1], weights[c:c + 1], bias[c:c + 1], stride, pad,
                                 dilate=dilation) for c in range(x.shape[1])]
    return F.concat(channels, axis=1)


@pytest.fixture(params=[1 << 16, 50], ids=['at once', 'in chunks'], autouse=True)
def chunk(request, monkeypatch):
    monkeypatch.setattr(depthwise, '_CHUNK', request.param)


@pytest.mark.parametrize('kernel, stride, pad, dilation', CASES)
def test_output_and_gradients_match_convolutions_of_single_channels(rng, kernel, stride, pad, dilation):
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in (SHAPE, (5, 1) + kernel, (5,))]
    results = [output_and_gradients(function, arrays, stride, pad, dilation)
               for function in (separately, lambda *a: F.convolution_2d(*a[:-1], dilate=a[-1], groups=5))]
    for expected, ours in zip(*results):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-3)


def test_second_derivatives_match_finite_differences(rng):
    x, weights = rng.standard_normal((1, 3, 5, 6)), rng.standard_normal((3, 1, 3, 3))
    gradient_check.check_double_backward(
        lambda x, weights: F.convolution_2d(x, weights, None, 2, 1, groups=3) ** 2, (x, weights),
        rng.standard_normal((1, 3, 3, 3)), tuple(rng.standard_normal(a.shape) for a in (x, weights)),
        dtype=np.float64)


def test_groups_of_several_channels_match_single_convolutions(rng):
    x, weights = rng.standard_normal((1, 4, 5, 6)), rng.standard_normal((6, 2, 3, 3))
    expected = np.concatenate([F.convolution_2d(x[:, 2 * g:2 * g + 2], weights[3 * g:3 * g + 3]).array
                               for g in range(2)], axis=1)
    np.testing.assert_allclose(F.convolution_2d(x, weights, groups=2).array, expected, atol=1e-6)


def test_two_outputs_per_channel_match_single_convolutions(rng):
    x, weights = rng.standard_normal((1, 3, 5, 6)), rng.standard_normal((6, 1, 3, 3))
    expected = separately(np.repeat(x, 2, axis=1), weights, np.zeros(6), 1, 0, 1)
    np.testing.assert_allclose(F.convolution_2d(x, weights, groups=3).array, expected.array, atol=1e-6)


def test_no_images_have_an_empty_output():
    y = F.convolution_2d(np.zeros((0, 3, 5, 6), np.float32), np.ones((3, 1, 3, 3), np.float32), groups=3)
    assert y.shape == (0, 3, 3, 4)


def test_half_precision_stays_half_precision(rng):
    x, weights = rng.standard_normal((1, 3, 5, 6)), rng.standard_normal((3, 1, 3, 3))
    y = F.convolution_2d(x.astype(np.float16), weights.astype(np.float16), groups=3)
    assert y.dtype == np.float16
    np.testing.assert_allclose(y.array, F.convolution_2d(x, weights, groups=3).array, atol=0.02)
