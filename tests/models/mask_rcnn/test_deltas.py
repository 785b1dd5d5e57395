"""Deltas of boxes with inclusive maxima, by arithmetic on single boxes."""

import math

import numpy as np
import pytest

from chainer_seg.models.mask_rcnn.deltas import boxes_to_deltas, clip_boxes, deltas_to_boxes

WEIGHTS = (10, 10, 5, 5)


@pytest.fixture
def boxes(rng):
    corners = rng.uniform(0, 200, (50, 2))
    return np.concatenate([corners, corners + rng.uniform(0, 100, (50, 2))], axis=1).astype(np.float32)


def decode_one(box, delta):
    """A box by the definition, a side at a time."""
    found = np.zeros(4)
    for axis in (0, 1):
        side = box[2 + axis] - box[axis] + 1
        centre = box[axis] + side / 2 + delta[axis] / WEIGHTS[axis] * side
        new_side = side * math.exp(min(delta[2 + axis] / WEIGHTS[2 + axis], math.log(1000 / 16)))
        found[axis], found[2 + axis] = centre - new_side / 2, centre + new_side / 2 - 1
    return found


def test_deltas_give_hand_computed_boxes(boxes, rng):
    deltas = rng.normal(size=boxes.shape).astype(np.float32)
    found = deltas_to_boxes(boxes, deltas, WEIGHTS)
    np.testing.assert_allclose(found, list(map(decode_one, boxes, deltas)), rtol=1e-5, atol=1e-3)


def test_deltas_turn_boxes_into_their_targets(boxes):
    targets = boxes[::-1]
    deltas = boxes_to_deltas(boxes, targets, WEIGHTS)
    np.testing.assert_allclose(deltas_to_boxes(boxes, deltas, WEIGHTS), targets, atol=1e-3)


def test_a_shift_by_the_height_has_the_weight_as_its_delta():
    box, moved = np.array([[0, 0, 9, 19]], np.float32), np.array([[10, 0, 19, 19]], np.float32)
    np.testing.assert_allclose(boxes_to_deltas(box, moved, WEIGHTS), [[10, 0, 0, 0]], atol=1e-6)


def test_zero_deltas_change_nothing(boxes):
    np.testing.assert_allclose(deltas_to_boxes(boxes, np.zeros_like(boxes)), boxes, atol=1e-4)


def test_the_growth_of_a_box_is_limited():
    box = np.array([[0, 0, 15, 15]], np.float32)
    found = deltas_to_boxes(box, np.array([[0, 0, 100, 0]], np.float32))
    assert found[0, 2] - found[0, 0] + 1 == pytest.approx(1000, rel=1e-5)


def test_clipped_boxes_end_at_the_last_pixels():
    boxes = np.array([[-3, -4, 50, 60], [30, 1, 90, 2]], np.float32)
    np.testing.assert_array_equal(clip_boxes(boxes, (20, 40)), [[0, 0, 19, 39], [19, 1, 19, 2]])
