"""Deformable convolution on the CPU and by kernels, against its definition written sample by sample."""

import chainer
import numpy as np
import pytest
from chainer import functions as F
from chainer import gradient_check

from chainer_seg.functions import deformable_convolution
from chainer_seg.functions.deformable_convolution import DeformableConvolution
from tests.cuda_host import run_gpu_code

# Stride, padding and dilation, each of rows and columns.
CASES = [((1, 1), (1, 1), (1, 1)), ((2, 1), (1, 2), (1, 2)), ((2, 2), (0, 0), (1, 1))]
SHAPE, KERNEL, OUT_CHANNELS = (2, 3, 7, 8), (3, 3), 4


def sample(image, y, x):
    """Bilinear interpolation of an image (C, H, W) that is surrounded by zeros."""
    if not (-1 < y < image.shape[1] and -1 < x < image.shape[2]):
        return np.zeros(len(image))
    padded = np.pad(image, ((0, 0), (1, 1), (1, 1)))
    low_y, low_x = int(np.floor(y)), int(np.floor(x))
    corners = padded[:, low_y + 1:low_y + 3, low_x + 1:low_x + 3]
    y, x = y - low_y, x - low_x
    return (corners * np.outer([1 - y, y], [1 - x, x])).sum(axis=(1, 2))


def convolve_by_definition(x, offset, mask, weights, bias, stride, pad, dilation):
    y = np.zeros((len(x), len(weights)) + offset.shape[2:])
    for image, row, column in np.ndindex(len(x), *offset.shape[2:]):
        total = bias.astype(float)
        for k, (i, j) in enumerate(np.ndindex(KERNEL)):
            down, right = offset[image, 2 * k:2 * k + 2, row, column]
            seen = sample(x[image], row * stride[0] - pad[0] + i * dilation[0] + down,
                          column * stride[1] - pad[1] + j * dilation[1] + right)
            total = total + weights[:, :, i, j] @ seen * mask[image, k, row, column]
        y[image, :, row, column] = total
    return y


def inputs_of(rng, stride, pad, dilation, dtype=np.float32):
    """Image, offsets that leave the image here and there, mask, weights and bias."""
    size = F.convolution_2d(np.zeros(SHAPE, 'f'), np.zeros((1, 3) + KERNEL, 'f'), None, stride, pad,
                            dilate=dilation).shape[2:]
    # No sample lies on a pixel, where the slope of the interpolation changes.
    offset = rng.integers(-3, 4, (2, 18) + size) + rng.uniform(0.1, 0.9, (2, 18) + size)
    return [array.astype(dtype) for array in (
        rng.standard_normal(SHAPE), offset, rng.uniform(0, 1, (2, 9) + size),
        rng.standard_normal((OUT_CHANNELS, 3) + KERNEL), rng.standard_normal(OUT_CHANNELS))]


@pytest.mark.parametrize('case', CASES)
def test_each_output_is_the_weighted_sum_of_its_samples(rng, case):
    inputs = inputs_of(rng, *case)
    y = deformable_convolution(*inputs, *case)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.array, convolve_by_definition(*inputs, *case), atol=1e-4)


@pytest.mark.parametrize('case', CASES)
def test_without_offsets_and_mask_it_is_a_convolution(rng, case):
    x, offset, _, weights, bias = inputs_of(rng, *case)
    y = deformable_convolution(x, np.zeros_like(offset), None, weights, bias, *case)
    stride, pad, dilation = case
    expected = F.convolution_2d(x, weights, bias, stride, pad, dilate=dilation)
    np.testing.assert_allclose(y.array, expected.array, atol=1e-5)


def test_samples_fade_out_over_the_pixel_beyond_the_border():
    x = np.ones((1, 1, 2, 6), np.float32)
    offset = np.zeros((1, 2, 2, 6), np.float32)
    offset[0, 0, 0] = [-1, -0.75, -0.25, 1.25, 1.75, 2]
    y = deformable_convolution(x, offset, None, np.ones((1, 1, 1, 1), np.float32))
    assert y.array[0, 0, 0].tolist() == [0, 0.25, 0.75, 0.75, 0.25, 0]


@pytest.mark.parametrize('case', CASES)
def test_gradients_of_all_inputs_match_finite_differences(rng, case):
    inputs = inputs_of(rng, *case, dtype=np.float64)
    shape = (2, OUT_CHANNELS) + inputs[1].shape[2:]
    gradient_check.check_backward(
        lambda *inputs: deformable_convolution(*inputs, *case), inputs, rng.standard_normal(shape),
        dtype=np.float64, eps=1e-3)


def output_and_gradients(inputs, gradient, case):
    """The output and the gradients of all inputs, on the CPU."""
    variables = [chainer.Variable(array) for array in inputs]
    y = deformable_convolution(*variables, *case)
    y.grad = gradient
    y.backward()
    return [chainer.cuda.to_cpu(array) for array in (y.array, *(v.grad for v in variables))]


def gradient_for(inputs, rng):
    return rng.standard_normal((2, OUT_CHANNELS) + inputs[1].shape[2:]).astype(inputs[1].dtype)


@pytest.mark.parametrize('dtype', [np.float32, np.float64])
@pytest.mark.parametrize('case', CASES)
def test_cuda_kernels_on_the_host_match_the_cpu(rng, monkeypatch, case, dtype):
    inputs = inputs_of(rng, *case, dtype=dtype)
    gradient = gradient_for(inputs, rng)
    expected = output_and_gradients(inputs, gradient, case)
    run_gpu_code(monkeypatch, DeformableConvolution)
    for ours, theirs in zip(output_and_gradients(inputs, gradient, case), expected):
        assert ours.dtype == dtype
        np.testing.assert_allclose(ours, theirs, atol=1e-4)


@pytest.mark.gpu
def test_gpu_matches_the_cpu(rng):
    cupy = pytest.importorskip('cupy')
    inputs = inputs_of(rng, *CASES[1])
    gradient = gradient_for(inputs, rng)
    on_gpu = output_and_gradients(
        [cupy.asarray(array) for array in inputs], cupy.asarray(gradient), CASES[1])
    for ours, theirs in zip(on_gpu, output_and_gradients(inputs, gradient, CASES[1])):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-3)
