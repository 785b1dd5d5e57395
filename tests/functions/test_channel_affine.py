"""The frozen scale and shift of each channel."""

import numpy as np
import pytest

from chainer_seg.functions import channel_affine

from chainer import gradient_check  # isort: skip


@pytest.fixture
def values():
    rng = np.random.default_rng(0)
    return rng.normal(size=(2, 3, 4, 5)), rng.normal(size=3), rng.normal(size=3)


def test_each_channel_is_scaled_and_shifted(values):
    x, scale, shift = (array.astype(np.float32) for array in values)
    found = channel_affine(x, scale, shift)
    assert found.dtype == np.float32
    for channel in range(3):
        np.testing.assert_allclose(found.array[:, channel], x[:, channel] * scale[channel] + shift[channel],
                                   rtol=1e-6, atol=1e-6)


def test_the_gradient_is_scaled(values):
    x, scale, shift = values
    gradient = np.random.default_rng(1).normal(size=x.shape)
    gradient_check.check_backward(lambda x: channel_affine(x, scale, shift), x, gradient, dtype=np.float64)
    gradient_check.check_double_backward(
        lambda x: channel_affine(x, scale, shift) ** 2, x, gradient, gradient, dtype=np.float64,
        atol=1e-4, rtol=1e-4)


def test_half_precision_stays(values):
    x, scale, shift = values
    found = channel_affine(x.astype(np.float16), scale.astype(np.float32), shift.astype(np.float32))
    assert found.dtype == np.float16
