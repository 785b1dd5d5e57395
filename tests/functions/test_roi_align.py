"""RoIAlign on the CPU and by the CUDA kernels, against its definition written sample by sample."""

import math

import chainer
import numpy as np
import pytest
from chainer import gradient_check

from chainer_seg.functions import roi_align
from chainer_seg.functions.roi_align import RoIAlign, RoIAlignGradient
from tests.cuda_host import run_gpu_code

MAPS_SHAPE = (2, 3, 9, 11)
SCALE = 0.5
CASES = [((3, 4), 2), ((2, 2), 1), ((3, 2), 0)]


def sample(plane, y, x):
    """Bilinear interpolation of the plane (H, W) at one point."""
    height, width = plane.shape
    if not (-1 <= y <= height and -1 <= x <= width):
        return 0
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    low_y, low_x = int(y), int(x)
    high_y, high_x = min(low_y + 1, height - 1), min(low_x + 1, width - 1)
    y, x = y - low_y, x - low_x
    return ((1 - y) * ((1 - x) * plane[low_y, low_x] + x * plane[low_y, high_x])
            + y * ((1 - x) * plane[high_y, low_x] + x * plane[high_y, high_x]))


def align_by_definition(maps, rois, indices, output_size, scale, ratio, aligned=False):
    """(R, C, h, w), one Python number after the other."""
    shift, least = (0.5, 0) if aligned else (0, 1)
    top = np.zeros((len(rois), maps.shape[1]) + output_size)
    for r, (y_min, x_min, y_max, x_max) in enumerate(rois.astype(float) * scale - shift):
        bin_h = max(y_max - y_min, least) / output_size[0]
        bin_w = max(x_max - x_min, least) / output_size[1]
        n_y, n_x = (ratio or max(math.ceil(size), 1) for size in (bin_h, bin_w))
        for c, i, j in np.ndindex(top.shape[1:]):
            top[r, c, i, j] = np.mean([
                sample(maps[indices[r], c], y_min + (i + (k + 0.5) / n_y) * bin_h,
                       x_min + (j + (m + 0.5) / n_x) * bin_w)
                for k in range(n_y) for m in range(n_x)])
    return top


@pytest.fixture
def maps(rng):
    return rng.standard_normal(MAPS_SHAPE).astype(np.float32)


@pytest.fixture
def rois(rng):
    """RoIs within the maps, across their borders, outside them, and of no size, in image pixels."""
    corners = rng.uniform(-4, 20, (12, 2))
    inside = np.hstack([corners, corners + rng.uniform(0, 16, (12, 2))])
    special = [[0, 0, 18, 22], [5, 5, 5, 5], [-40, -40, -20, -20], [-1, -1, 30, 30], [6, 6, 2, 2]]
    return np.vstack([inside, special]).astype(np.float32)


@pytest.mark.parametrize('aligned', [False, True])
@pytest.mark.parametrize('output_size, ratio', CASES)
def test_each_bin_is_the_mean_of_its_samples(maps, rois, indices, output_size, ratio, aligned):
    expected = align_by_definition(maps, rois, indices, output_size, SCALE, ratio, aligned)
    y = roi_align(maps, rois, indices, output_size, SCALE, ratio, aligned)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y.array, expected, atol=1e-5)


def test_the_mean_of_a_slope_is_its_value_at_the_centre_of_the_bin():
    y, x = np.mgrid[:10, :12].astype(np.float32)
    maps = (2 * y + 3 * x)[None, None]
    pooled = roi_align(maps, np.array([[1, 2, 5, 8]], np.float32), np.zeros(1, np.int32), 2, 1, 2)
    centres_y, centres_x = np.array([2, 4])[:, None], np.array([3.5, 6.5])
    np.testing.assert_allclose(pooled.array[0, 0], 2 * centres_y + 3 * centres_x, rtol=1e-6)


@pytest.mark.parametrize('output_size, ratio', CASES)
def test_gradient_matches_finite_differences(maps, rois, indices, output_size, ratio):
    gradient = np.random.default_rng(1).standard_normal((len(rois), 3) + output_size)
    gradient_check.check_backward(
        lambda x: roi_align(x, rois, indices, output_size, SCALE, ratio), maps.astype(np.float64),
        gradient, dtype=np.float64)


def test_second_derivatives_match_finite_differences(maps, rois, indices, rng):
    shape = (len(rois), 3, 3, 4)
    gradient_check.check_double_backward(
        lambda x: roi_align(x, rois, indices, (3, 4), SCALE, 2) ** 2, maps.astype(np.float64),
        rng.standard_normal(shape), rng.standard_normal(MAPS_SHAPE), dtype=np.float64)


@pytest.mark.parametrize('dtype', [np.float16, np.float64])
def test_output_has_the_dtype_of_the_maps(maps, rois, indices, dtype):
    x = chainer.Variable(maps.astype(dtype))
    y = roi_align(x, rois, indices, 2, SCALE, 2)
    y.grad = np.ones_like(y.array)
    y.backward()
    assert y.dtype == x.grad.dtype == dtype


def test_no_rois_give_an_empty_array_and_a_zero_gradient(maps):
    x = chainer.Variable(maps)
    y = roi_align(x, np.zeros((0, 4), np.float32), np.zeros(0, np.int32), 7, SCALE, 2)
    assert y.shape == (0, 3, 7, 7)
    chainer.functions.sum(y).backward()
    assert not x.grad.any()


def output_and_gradient(maps, rois, indices, gradient, ratio, aligned=False):
    """The output and the gradient of the maps, on the CPU."""
    x = chainer.Variable(maps)
    y = roi_align(x, rois, indices, gradient.shape[2:], SCALE, ratio, aligned)
    y.grad = gradient
    y.backward()
    return chainer.cuda.to_cpu(y.array), chainer.cuda.to_cpu(x.grad)


@pytest.mark.parametrize('aligned', [False, True])
@pytest.mark.parametrize('dtype', [np.float32, np.float64, np.float16])
@pytest.mark.parametrize('output_size, ratio', CASES)
def test_cuda_kernels_on_the_host_match_the_cpu(
        maps, rois, indices, rng, monkeypatch, output_size, ratio, dtype, aligned):
    gradient = rng.standard_normal((len(rois), 3) + output_size).astype(dtype)
    arrays = maps.astype(dtype), rois, indices, gradient, ratio, aligned
    expected = output_and_gradient(*arrays)
    run_gpu_code(monkeypatch, RoIAlign, RoIAlignGradient)
    for ours, theirs in zip(output_and_gradient(*arrays), expected):
        assert ours.dtype == dtype
        np.testing.assert_allclose(ours, theirs, atol=1e-5 if dtype != np.float16 else 2e-2)


@pytest.mark.gpu
@pytest.mark.parametrize('output_size, ratio', CASES)
def test_gpu_matches_the_cpu(maps, rois, indices, rng, output_size, ratio):
    cupy = pytest.importorskip('cupy')
    gradient = rng.standard_normal((len(rois), 3) + output_size).astype(np.float32)
    arrays = maps, rois, indices, gradient
    expected = output_and_gradient(*arrays, ratio)
    on_gpu = output_and_gradient(*map(cupy.asarray, arrays), ratio)
    for ours, theirs in zip(on_gpu, expected):
        np.testing.assert_allclose(ours, theirs, atol=1e-5)
