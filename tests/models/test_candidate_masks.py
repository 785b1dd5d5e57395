"""Candidates as runs against the same masks as arrays."""

import numpy as np
import pytest

from chainer_seg.run_length_masks import RunLengthMasks
from chainer_seg.models.candidate_masks import CandidateMasks


@pytest.fixture
def masks(rng):
    masks = rng.random((5, 20, 15)) < 0.3
    masks[3] = True
    return masks


@pytest.fixture
def candidates(masks):
    return CandidateMasks.of(RunLengthMasks.from_masks(masks), np.linspace(0.9, 0.1, len(masks)))


def test_areas_and_centers_are_those_of_the_pixels(masks, candidates):
    np.testing.assert_array_equal(candidates.areas, masks.sum(axis=(1, 2)))
    np.testing.assert_allclose(candidates.centers, [np.argwhere(mask).mean(axis=0) for mask in masks])


def test_contain_tells_of_every_pixel_which_masks_it_is_in(masks, candidates):
    found = [[candidates.contain(row, column) for column in range(15)] for row in range(20)]
    np.testing.assert_array_equal(np.moveaxis(found, -1, 0), masks)


def test_overlaps_count_common_pixels(masks, candidates, rng):
    other = rng.random((20, 15)) < 0.5
    np.testing.assert_array_equal(candidates.overlaps(other), (masks & other).sum(axis=(1, 2)))


def test_empty_masks_are_no_candidates(masks):
    masks[[0, 4]] = False
    candidates = CandidateMasks.of(RunLengthMasks.from_masks(masks), np.linspace(0.9, 0.1, 5))
    assert len(candidates) == 3
    np.testing.assert_allclose(candidates.scores, [0.7, 0.5, 0.3])
    np.testing.assert_array_equal(candidates.mask(1), masks[2])


def test_more_candidates_come_behind(masks, candidates):
    joined = candidates.joined(CandidateMasks.of(RunLengthMasks.from_masks(~masks[:2]), np.ones(2)))
    np.testing.assert_array_equal(joined.runs.to_masks(), [*masks, *~masks[:2]])
    np.testing.assert_allclose(joined.scores[-3:], [0.1, 1, 1])


def test_no_candidates_contain_nothing():
    nothing = CandidateMasks.none((4, 6))
    assert len(nothing) == 0 and nothing.contain(2, 3).shape == (0,)
    assert nothing.overlaps(np.ones((4, 6), bool)).shape == (0,)
    assert len(nothing.joined(nothing)) == 0
