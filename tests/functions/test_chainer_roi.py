"""The vectorised RoI functions, compared with Chainer's own loops."""

import importlib.machinery
import importlib.util
import math

import chainer
import chainer.functions as F
import numpy as np
import pytest
from chainer_seg.functions import roi_sampling

MAPS_SHAPE = (2, 3, 9, 11)
POOLING = 'chainer.functions.pooling.'


def unpatched(module):
    """Chainer's module as it was published, under another name, but with the rounding of C."""
    path = importlib.util.find_spec(module).origin
    name = 'unpatched_' + module.rpartition('.')[2]
    spec = importlib.util.spec_from_loader(
        name, importlib.machinery.SourceFileLoader(name, path))
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    loaded.round = lambda x: math.copysign(math.floor(abs(float(x)) + 0.5), x)
    return loaded


@pytest.fixture
def maps(rng):
    # All numbers differ, so that every maximum is unique.
    return rng.permutation(np.prod(MAPS_SHAPE)).reshape(MAPS_SHAPE).astype(np.float32) / 100


@pytest.fixture
def rois(rng):
    """RoIs within the maps, across their edges, outside them, and of no size, in image pixels."""
    corners = rng.uniform(-4, 20, (20, 2))
    inside = np.hstack([corners, corners + rng.uniform(0, 16, (20, 2))])
    special = [[0, 0, 18, 22], [5, 5, 5, 5], [-40, -40, -20, -20], [30, 30, 60, 60],
               [-1, -1, 30, 30], [6, 6, 2, 2]]
    return np.vstack([inside, special]).astype(np.float32)


def output_and_gradient(call, maps, gradient_of_output):
    """The output of `call` on `maps` and the gradient of the maps."""
    x = chainer.Variable(maps)
    y = call(x)
    y.grad = gradient_of_output(y.shape)
    y.backward()
    return y.array, x.grad


def assert_same(call_ours, call_theirs, maps, rng):
    """Compare outputs and gradients; the gradient of the output is random."""
    seed = rng.integers(1 << 30)

    def gradient_of_output(shape):
        return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)

    y, gradient = output_and_gradient(call_ours, maps, gradient_of_output)
    expected, expected_gradient = output_and_gradient(call_theirs, maps, gradient_of_output)
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(gradient, expected_gradient, rtol=1e-4, atol=1e-5)


CASES = [
    ('roi_average_align_2d', ((3, 4), 0.5, 2)),
    ('roi_average_align_2d', ((3, 4), 0.5, (1, 3))),
    ('roi_average_align_2d', (2, 0.5, None)),
    ('roi_average_align_2d', (2, 1.0, (None, 2))),
    ('roi_max_align_2d', ((3, 4), 0.5, 2)),
    ('roi_max_align_2d', (2, 0.5, None)),
    ('roi_average_pooling_2d', ((3, 4), 0.5)),
    ('roi_max_pooling_2d', ((3, 4), 0.5)),
]


@pytest.mark.parametrize('name, arguments', CASES)
@pytest.mark.parametrize('chunk_size', [1 << 22, 100])
def test_results_match_those_of_chainers_loops(
        maps, rois, indices, rng, monkeypatch, name, arguments, chunk_size):
    monkeypatch.setattr(roi_sampling, 'CHUNK_SIZE', chunk_size)
    theirs = getattr(unpatched(POOLING + name), name)
    assert_same(lambda x: getattr(F, name)(x, rois, indices, *arguments),
                lambda x: theirs(x, rois, indices, *arguments), maps, rng)


def test_roi_pooling_2d_matches_chainers_loops(maps, rois, indices, rng):
    # Chainer's backward loop fails for RoIs that leave the maps and ignores those with swapped corners.
    clipped = np.clip(rois[:-1], 0, [[16, 20, 16, 20]])
    with_index = np.hstack([indices[:-1, None], clipped[:, [1, 0, 3, 2]]]).astype(np.float32)
    theirs = unpatched(POOLING + 'roi_pooling_2d').roi_pooling_2d
    assert_same(lambda x: F.roi_pooling_2d(x, with_index, 3, 4, 0.5),
                lambda x: theirs(x, with_index, 3, 4, 0.5), maps, rng)


def test_average_of_a_linear_map_is_its_value_at_the_centre_of_the_bin():
    y, x = np.mgrid[:10, :12].astype(np.float32)
    maps = (2 * y + 3 * x)[None, None]
    rois = np.array([[1, 2, 5, 8]], np.float32)
    pooled = F.roi_average_align_2d(maps, rois, np.zeros(1, np.int32), (2, 2), 1.0, 2).array
    centres_y, centres_x = np.array([2, 4])[:, None], np.array([3.5, 6.5])
    np.testing.assert_allclose(pooled[0, 0], 2 * centres_y + 3 * centres_x, rtol=1e-6)


@pytest.mark.parametrize('function', [
    F.roi_average_align_2d, F.roi_max_align_2d, F.roi_average_pooling_2d, F.roi_max_pooling_2d])
def test_no_rois_give_an_empty_array(maps, function):
    extra = (2,) if 'align' in function.__name__ else ()
    rois, indices = np.zeros((0, 4), np.float32), np.zeros(0, np.int32)
    maps = chainer.Variable(maps)
    y = function(maps, rois, indices, 7, 0.5, *extra)
    assert y.shape == (0, MAPS_SHAPE[1], 7, 7)
    F.sum(y).backward()
    assert not maps.grad.any()


def test_a_thousand_rois_at_the_size_of_mask_rcnn(rng):
    # The nested loops would take hours.
    maps = chainer.Variable(rng.standard_normal((1, 64, 50, 50)).astype(np.float32))
    corners = rng.uniform(0, 500, (1000, 2))
    rois = np.hstack([corners, corners + rng.uniform(20, 300, (1000, 2))]).astype(np.float32)
    y = F.roi_average_align_2d(maps, rois, np.zeros(1000, np.int32), 14, 1 / 16, 2)
    F.sum(y).backward()
    assert np.isfinite(y.array).all()
    assert np.isfinite(maps.grad).all()
