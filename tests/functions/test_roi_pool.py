"""RoI pooling on the CPU and by the CUDA kernels, against its definition written bin by bin."""

import math

import chainer
import numpy as np
import pytest
from chainer import gradient_check

from chainer_seg.functions import roi_pool
from chainer_seg.functions.roi_pool import RoIPool, RoIPoolGradient
from tests.cuda_host import run_gpu_code

MAPS_SHAPE = (2, 3, 9, 11)
SCALE = 0.5
SIZES = [(3, 4), (2, 2), (7, 7)]


def round_away(number):
    """Rounding of C: half away from zero."""
    return int(math.copysign(math.floor(abs(number) + 0.5), number))


def pool_by_definition(maps, rois, indices, output_size, scale):
    """(R, C, h, w), one bin after the other."""
    top = np.zeros((len(rois), maps.shape[1]) + output_size)
    for r, roi in enumerate(rois):
        y_min, x_min, y_max, x_max = (round_away(number) for number in roi * scale)
        bin_h = np.float32(max(y_max - y_min + 1, 1)) / np.float32(output_size[0])
        bin_w = np.float32(max(x_max - x_min + 1, 1)) / np.float32(output_size[1])
        for i, j in np.ndindex(output_size):
            first_y = max(0, math.floor(np.float32(i) * bin_h) + y_min)
            last_y = max(0, math.ceil(np.float32(i + 1) * bin_h) + y_min)
            first_x = max(0, math.floor(np.float32(j) * bin_w) + x_min)
            last_x = max(0, math.ceil(np.float32(j + 1) * bin_w) + x_min)
            pixels = maps[indices[r], :, first_y:last_y, first_x:last_x]
            if pixels.size:
                top[r, :, i, j] = pixels.max(axis=(1, 2))
    return top


@pytest.fixture
def maps(rng):
    # All numbers differ, so that every maximum is unique.
    return rng.permutation(np.prod(MAPS_SHAPE)).reshape(MAPS_SHAPE).astype(np.float32) - 200


@pytest.fixture
def rois(rng):
    """RoIs within the maps, across their borders, outside them, and of no size, in image pixels."""
    corners = rng.uniform(-4, 20, (12, 2))
    inside = np.hstack([corners, corners + rng.uniform(0, 16, (12, 2))])
    special = [[0, 0, 18, 22], [5, 5, 5, 5], [-40, -40, -20, -20], [-1, -1, 30, 30], [6, 6, 2, 2],
               [1, 3, 5, 7]]
    return np.vstack([inside, special]).astype(np.float32)


@pytest.mark.parametrize('size', SIZES)
def test_each_bin_is_its_largest_pixel(maps, rois, indices, size):
    y = roi_pool(maps, rois, indices, size, SCALE)
    assert y.dtype == np.float32
    np.testing.assert_array_equal(y.array, pool_by_definition(maps, rois, indices, size, SCALE))


def test_bins_of_a_small_map_by_hand():
    maps = np.arange(16, dtype=np.float32).reshape(1, 1, 4, 4)
    # Corners 0.5 and 2.5 are rounded away from zero to 1 and 3: rows and columns 1, 2 and 3.
    pooled = roi_pool(maps, np.array([[0.5, 0.5, 2.5, 2.5]]), np.zeros(1, int), 2, 1)
    assert pooled.array.tolist() == [[[[10, 11], [14, 15]]]]


@pytest.mark.parametrize('size', SIZES)
def test_gradient_matches_finite_differences(maps, rois, indices, rng, size):
    gradient = rng.standard_normal((len(rois), 3) + size)
    gradient_check.check_backward(
        lambda x: roi_pool(x, rois, indices, size, SCALE), maps.astype(np.float64), gradient,
        dtype=np.float64)


def test_second_derivatives_match_finite_differences(maps, rois, indices, rng):
    shape = (len(rois), 3, 2, 2)
    gradient_check.check_double_backward(
        lambda x: roi_pool(x, rois, indices, 2, SCALE) ** 2, maps.astype(np.float64) / 100,
        rng.standard_normal(shape), rng.standard_normal(MAPS_SHAPE), dtype=np.float64)


def test_no_rois_give_an_empty_array_and_a_zero_gradient(maps):
    x = chainer.Variable(maps)
    y = roi_pool(x, np.zeros((0, 4), np.float32), np.zeros(0, np.int32), 7, SCALE)
    assert y.shape == (0, 3, 7, 7)
    chainer.functions.sum(y).backward()
    assert not x.grad.any()


def output_and_gradient(maps, rois, indices, gradient):
    """The output and the gradient of the maps, on the CPU."""
    x = chainer.Variable(maps)
    y = roi_pool(x, rois, indices, gradient.shape[2:], SCALE)
    y.grad = gradient
    y.backward()
    return chainer.cuda.to_cpu(y.array), chainer.cuda.to_cpu(x.grad)


@pytest.mark.parametrize('size', SIZES)
def test_cuda_kernels_on_the_host_match_the_cpu(maps, rois, indices, rng, monkeypatch, size):
    gradient = rng.standard_normal((len(rois), 3) + size).astype(np.float32)
    expected = output_and_gradient(maps, rois, indices, gradient)
    run_gpu_code(monkeypatch, RoIPool, RoIPoolGradient)
    y, gx = output_and_gradient(maps, rois, indices, gradient)
    np.testing.assert_array_equal(y, expected[0])
    np.testing.assert_allclose(gx, expected[1], atol=1e-5)


@pytest.mark.gpu
def test_gpu_matches_the_cpu(maps, rois, indices, rng):
    cupy = pytest.importorskip('cupy')
    arrays = maps, rois, indices, rng.standard_normal((len(rois), 3, 3, 4)).astype(np.float32)
    on_gpu = output_and_gradient(*map(cupy.asarray, arrays))
    for ours, theirs in zip(on_gpu, output_and_gradient(*arrays)):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
