"""Proposals against the steps of the definition, an anchor at a time."""

import numpy as np
import pytest

from chainer_seg.models.mask_rcnn.anchors import base_anchors, grid_anchors
from chainer_seg.models.mask_rcnn.deltas import deltas_to_boxes
from chainer_seg.models.mask_rcnn.proposals import ProposalLimits, propose
from tests.by_definition import iou

STRIDES = (8, 16)
MAPS = ((6, 8), (3, 4))
SIZE = (48, 64)


@pytest.fixture
def network(rng):
    """Outputs of a region proposal network for two images, and the anchors of its two levels."""
    objectness = [rng.normal(size=(2, 3, *size)).astype(np.float32) for size in MAPS]
    deltas = [rng.normal(size=(2, 12, *size)).astype(np.float32) for size in MAPS]
    anchors = [grid_anchors(base_anchors(stride, [2 * stride], (0.5, 1, 2)), stride, size)
               for stride, size in zip(STRIDES, MAPS)]
    return objectness, deltas, anchors


def propose_slowly(logits, deltas, anchors, limits):
    """Boxes and logits of one level of one image, by falling logit."""
    count, height, width = logits.shape
    candidates = [(logits[a, y, x], deltas[4 * a:4 * a + 4, y, x], anchors[(y * width + x) * count + a])
                  for y in range(height) for x in range(width) for a in range(count)]
    candidates.sort(key=lambda candidate: -candidate[0])
    kept = []
    for logit, delta, anchor in candidates[:limits.before_nms]:
        y_min, x_min, y_max, x_max = deltas_to_boxes(anchor, delta)
        box = np.clip([y_min, x_min, y_max, x_max], 0, [SIZE[0] - 1, SIZE[1] - 1] * 2)
        if box[2] >= box[0] and box[3] >= box[1] and all(
                iou(box, other, 1) < limits.nms_threshold for _, other in kept):
            kept.append((logit, box))
    return kept[:limits.after_nms]


@pytest.mark.parametrize('limits', [
    ProposalLimits(1000, 1000), ProposalLimits(40, 30), ProposalLimits(1000, 7, 0.3)])
def test_proposals_equal_their_definition(network, limits):
    objectness, deltas, anchors = network
    rois, roi_indices = propose(objectness, deltas, anchors, STRIDES, [SIZE, SIZE], limits)
    for number in (0, 1):
        expected = sum((propose_slowly(objectness[level][number], deltas[level][number],
                                       anchors[level], limits) for level in (0, 1)), [])
        expected = sorted(expected, key=lambda pair: -pair[0])[:limits.after_nms]
        found = rois[roi_indices == number]
        np.testing.assert_allclose(found, [box for _, box in expected], atol=1e-3)


def test_a_single_level_gives_the_same_proposals(network):
    objectness, deltas, anchors = ([arrays[0]] for arrays in network)
    limits = ProposalLimits(60, 20)
    rois, roi_indices = propose(objectness, deltas, anchors, STRIDES[:1], [SIZE, SIZE], limits)
    expected = propose_slowly(objectness[0][1], deltas[0][1], anchors[0], limits)
    np.testing.assert_allclose(rois[roi_indices == 1], [box for _, box in expected], atol=1e-3)


def test_a_small_image_has_the_same_proposals_in_a_batch_and_alone(network):
    objectness, deltas, anchors = network
    limits = ProposalLimits(50, 50)
    rois, roi_indices = propose(objectness, deltas, anchors, STRIDES, [SIZE, (32, 48)], limits)
    cut = [np.s_[1:, :, :4, :6], np.s_[1:, :, :2, :3]]
    places = [grid_anchors(base_anchors(stride, [2 * stride], (0.5, 1, 2)), stride, size)
              for stride, size in zip(STRIDES, ((4, 6), (2, 3)))]
    alone, _ = propose([x[part] for x, part in zip(objectness, cut)],
                       [x[part] for x, part in zip(deltas, cut)], places, STRIDES, [(32, 48)], limits)
    np.testing.assert_array_equal(rois[roi_indices == 1], alone)
    assert alone[:, 2].max() <= 31 and alone[:, 3].max() <= 47


def test_boxes_with_swapped_edges_are_dropped():
    # A height of e ** -10 of 16 pixels, with inclusive maxima, ends before it begins.
    deltas = np.array([0, 0, -10, 0], np.float32).reshape(1, 4, 1, 1)
    anchors = np.array([[0, 0, 15, 15]], np.float32)
    rois, roi_indices = propose([np.zeros((1, 1, 1, 1), np.float32)], [deltas], [anchors], (16,),
                                [(16, 16)], ProposalLimits(10, 10))
    assert rois.shape == (0, 4) and roi_indices.shape == (0,)
