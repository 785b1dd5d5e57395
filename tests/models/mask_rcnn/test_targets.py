"""Which anchors and regions Mask R-CNN is trained on, against Detectron's rules written pair by pair."""

import numpy as np
import pytest

from chainer_seg.models.mask_rcnn.anchors import base_anchors, grid_anchors
from chainer_seg.models.mask_rcnn.decode import DELTA_WEIGHTS
from chainer_seg.models.mask_rcnn.deltas import deltas_to_boxes
from chainer_seg.models.mask_rcnn.targets import anchor_targets, region_targets
from tests.by_definition import iou

SIZE = (96, 128)
TRUTH = np.array([[10, 20, 49, 79], [50, 90, 69, 119], [4, 100, 9, 105]], np.float32)
NO_CROWDS = np.zeros((0, 4), np.float32)


@pytest.fixture(scope='module')
def anchors():
    return np.concatenate([
        grid_anchors(base_anchors(stride, [side], (0.5, 1, 2)), stride, np.array(SIZE) // stride)
        for stride, side in ((8, 32), (16, 64))])


def table_of(boxes, others):
    return np.array([[iou(a, b, 1) for b in others] for a in boxes.astype(float)])


def is_inside(box):
    return box[0] >= 0 and box[1] >= 0 and box[2] < SIZE[0] and box[3] < SIZE[1]


def test_anchors_are_positive_by_overlap_or_as_the_best_anchor_of_an_object(anchors, rng):
    found = anchor_targets(anchors, TRUTH, SIZE, rng, count=10 ** 6, positive_share=1)
    inside = [n for n, box in enumerate(anchors) if is_inside(box)]
    table = table_of(anchors[inside], TRUTH)
    best_of_object = table.max(axis=0)
    expected = {inside[row] for row in range(len(inside))
                if table[row].max() >= 0.7 or np.isclose(table[row], best_of_object).any()}
    assert set(found.chosen[found.labels == 1]) == expected
    assert len(expected) >= len(TRUTH)
    negatives = {inside[row] for row in range(len(inside)) if table[row].max() < 0.3} - expected
    assert set(found.chosen[found.labels == 0]) == negatives


def test_deltas_of_positive_anchors_lead_to_their_objects(anchors, rng):
    found = anchor_targets(anchors, TRUTH, SIZE, rng)
    positives = anchors[found.chosen[found.labels == 1]]
    reached = deltas_to_boxes(positives, found.deltas)
    nearest = TRUTH[table_of(positives, TRUTH).argmax(axis=1)]
    np.testing.assert_allclose(reached, nearest, atol=1e-3)


def test_at_most_half_of_the_anchors_are_positive_and_the_rest_negative(anchors, rng):
    found = anchor_targets(anchors, TRUTH, SIZE, rng, count=8)
    assert (found.labels == 1).sum() <= 4 and len(found.labels) == 8
    assert len(set(found.chosen)) == 8


def test_without_objects_all_anchors_are_negative(anchors, rng):
    found = anchor_targets(anchors, TRUTH[:0], SIZE, rng, count=32)
    assert found.labels.tolist() == [0] * 32 and found.deltas.shape == (0, 4)


def test_an_object_outside_all_anchors_makes_none_positive(anchors, rng):
    far = np.array([[1000, 1000, 1010, 1010]], np.float32)
    assert not anchor_targets(anchors, far, SIZE, rng).labels.any()


def test_the_seed_determines_the_anchors(anchors):
    a, b = (anchor_targets(anchors, TRUTH, SIZE, np.random.default_rng(5), count=16) for _ in range(2))
    np.testing.assert_array_equal(a.chosen, b.chosen)


def test_regions_are_assigned_to_the_object_that_they_overlap_most(rng):
    proposals = np.concatenate([TRUTH + rng.uniform(-8, 8, TRUTH.shape) for _ in range(40)]).astype('f')
    proposals = np.concatenate([np.minimum(proposals[:, :2], proposals[:, 2:]),
                                np.maximum(proposals[:, :2], proposals[:, 2:])], axis=1)
    labels = np.array([3, 0, 7])
    found = region_targets(proposals, TRUTH, labels, NO_CROWDS, rng, count=10 ** 6, foreground_share=1)
    assert len(found.boxes) == len(proposals) + len(TRUTH)
    table = table_of(found.boxes, TRUTH)
    expected = np.where(table.max(axis=1) >= 0.5, labels[table.argmax(axis=1)] + 1, 0)
    np.testing.assert_array_equal(found.labels, expected)
    count = len(found.objects)
    np.testing.assert_array_equal(found.objects, table[:count].argmax(axis=1))
    np.testing.assert_allclose(deltas_to_boxes(found.boxes[:count], found.deltas, DELTA_WEIGHTS),
                               TRUTH[found.objects], atol=1e-3)


def test_at_most_a_quarter_of_the_regions_are_foreground(rng):
    elsewhere = np.full((90, 4), [80, 2, 90, 12])
    proposals = np.concatenate([np.repeat(TRUTH, 30, axis=0), elsewhere]).astype('f')
    found = region_targets(proposals, TRUTH, np.arange(3), NO_CROWDS, rng, count=64)
    assert len(found.boxes) == 64 and (found.labels > 0).sum() == 16
    assert (found.labels[:16] > 0).all()


def test_true_boxes_are_among_the_regions(rng):
    found = region_targets(NO_CROWDS, TRUTH, np.arange(3), NO_CROWDS, rng)
    np.testing.assert_array_equal(found.boxes, TRUTH)
    assert found.labels.tolist() == [1, 2, 3] and not found.deltas.any()


def test_regions_in_a_crowd_are_not_sampled(rng):
    crowd = np.array([[70, 0, 95, 60]], np.float32)
    proposals = np.array([[72, 5, 90, 40], [60, 5, 79, 40], [0, 0, 8, 8]], np.float32)
    found = region_targets(proposals, TRUTH[:1], np.array([0]), crowd, rng)
    # The first lies in the crowd, of the second one half, of the third nothing.
    np.testing.assert_array_equal(np.sort(found.boxes[found.labels == 0], axis=0),
                                  np.sort(proposals[1:], axis=0))


def test_without_objects_all_regions_are_background(rng):
    proposals = np.array([[0, 0, 8, 8], [5, 5, 50, 50]], np.float32)
    found = region_targets(proposals, TRUTH[:0], np.zeros(0, int), NO_CROWDS, rng)
    assert found.labels.tolist() == [0, 0] and found.deltas.shape == (0, 4) and not len(found.objects)
