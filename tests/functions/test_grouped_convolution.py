"""Grouped convolution on the CPU and the GPU, compared with an ordinary convolution of each group."""

import chainer.functions as F
import numpy as np
import pytest
from chainer import gradient_check

from chainer_seg.functions import convolution
from tests.functions.gradients import output_and_gradients

GROUPS, INPUTS, OUTPUTS = 3, 2, 4  # channels of each group

# Kernel, stride, padding and dilation, each of rows and columns.
CASES = [((3, 3), (1, 1), (1, 1), (1, 1)), ((1, 1), (1, 1), (0, 0), (1, 1)),
         ((5, 3), (2, 1), (2, 0), (1, 1)), ((3, 3), (1, 2), (3, 2), (2, 3))]


def by_groups(x, weights, bias, stride, pad, dilation):
    """An ordinary convolution of each group."""
    return F.concat([
        F.convolution_2d(x[:, g * INPUTS:(g + 1) * INPUTS], weights[g * OUTPUTS:(g + 1) * OUTPUTS],
                         bias[g * OUTPUTS:(g + 1) * OUTPUTS], stride, pad, dilate=dilation)
        for g in range(GROUPS)], axis=1)


def grouped(x, weights, bias, stride, pad, dilation):
    return F.convolution_2d(x, weights, bias, stride, pad, dilate=dilation, groups=GROUPS)


def arrays_of(rng, kernel):
    shapes = (2, GROUPS * INPUTS, 9, 11), (GROUPS * OUTPUTS, INPUTS) + kernel, (GROUPS * OUTPUTS,)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


@pytest.mark.parametrize('chunk', [1 << 20, 400], ids=['at once', 'in chunks'])
@pytest.mark.parametrize('kernel, stride, pad, dilation', CASES)
def test_output_and_gradients_match_a_convolution_of_each_group(rng, monkeypatch, kernel, stride, pad,
                                                                dilation, chunk):
    monkeypatch.setattr(convolution, '_CHUNK', chunk)
    arrays, settings = arrays_of(rng, kernel), (stride, pad, dilation)
    for expected, found in zip(output_and_gradients(by_groups, arrays, *settings),
                               output_and_gradients(grouped, arrays, *settings)):
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_second_derivatives_match_finite_differences(rng):
    x, weights = rng.standard_normal((1, 4, 5, 6)), rng.standard_normal((6, 2, 3, 3))
    gradient_check.check_double_backward(
        lambda x, weights: F.convolution_2d(x, weights, None, 2, 1, groups=2) ** 2, (x, weights),
        rng.standard_normal((1, 6, 3, 3)), tuple(rng.standard_normal(a.shape) for a in (x, weights)),
        dtype=np.float64)


@pytest.mark.gpu
@pytest.mark.parametrize('kernel, stride, pad, dilation', CASES)
def test_gpu_agrees_with_the_cpu(rng, kernel, stride, pad, dilation):
    import cupy
    arrays, settings = arrays_of(rng, kernel), (stride, pad, dilation)
    for expected, found in zip(
            output_and_gradients(grouped, arrays, *settings),
            output_and_gradients(grouped, [cupy.asarray(array) for array in arrays], *settings)):
        np.testing.assert_allclose(cupy.asnumpy(found), expected, rtol=1e-4, atol=1e-3)
