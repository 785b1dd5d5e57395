"""Filtering on the permutohedral lattice against the sum over all pairs of points."""

import numpy as np
import pytest

from chainer_seg.errors import UserError
from chainer_seg.models.deeplab.permutohedral import PermutohedralLattice


def naive_filter(features, values):
    squares = ((features[:, None] - features[None, :]) ** 2).sum(axis=2)
    return np.exp(-squares / 2) @ values


@pytest.mark.parametrize('dimensions', [1, 2, 3])
def test_the_filter_is_gaussian_up_to_a_factor(rng, dimensions):
    features = rng.normal(size=(400, dimensions))
    values = rng.random((400, 2), np.float32)
    found = PermutohedralLattice(features).filter(values)
    expected = naive_filter(features, values)
    np.testing.assert_allclose(found / found.sum(), expected / expected.sum(),
                               rtol=0.15, atol=0.1 / expected.size)


def test_weighted_means_in_five_dimensions_approximate_the_gaussian(rng):
    features = rng.normal(size=(700, 5)) * 0.7
    values = features[:, :1].astype(np.float32)  # a mean tells where the neighbours lie
    lattice, ones = PermutohedralLattice(features), np.ones((700, 1), np.float32)
    found = lattice.filter(values) / lattice.filter(ones)
    expected = naive_filter(features, values) / naive_filter(features, ones)
    assert np.abs(found - expected).mean() < 0.15 * expected.std()


def test_distant_points_do_not_influence_each_other():
    features = np.array([[0.0, 0], [0, 0], [100, 0]])
    lattice = PermutohedralLattice(features)
    found = lattice.filter(np.array([[1, 1], [2, 2], [0, 5]], np.float32))
    np.testing.assert_array_equal(found[:2, 0], found[:2, 1])
    assert found[2, 0] == 0 and found[2, 1] > 0


def test_values_at_the_same_position_are_summed(rng):
    features = np.tile(rng.normal(size=(1, 4)), (10, 1))
    values = rng.random((10, 1), np.float32)
    found = PermutohedralLattice(features).filter(values)
    ones = PermutohedralLattice(features).filter(np.ones((10, 1), np.float32))
    np.testing.assert_allclose(found / ones, np.full((10, 1), values.mean()), rtol=1e-5)


def test_features_too_far_apart_are_an_error():
    with pytest.raises(UserError, match='use larger deviations'):
        PermutohedralLattice(np.array([[0.0] * 5, [1e9] * 5]))


def test_features_that_are_not_finite_are_an_error():
    with pytest.raises(UserError, match='NaN or infinite'):
        PermutohedralLattice(np.array([[0, np.nan], [1, 2]]))
