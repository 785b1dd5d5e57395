"""Anchor and RoI sampling and their targets, as in Detectron.

arXiv 1506.01497, section 3.1.2 (anchors), and 1504.08083, section 2.3 (regions). Targets are
computed on the CPU; boxes have inclusive maxima and are in pixels of the network's input.
"""

import typing

import numpy as np

from chainer_seg.boxes import box_area, box_iou
from chainer_seg.models.mask_rcnn.decode import DELTA_WEIGHTS
from chainer_seg.models.mask_rcnn.deltas import boxes_to_deltas

# Minimum overlap of a positive anchor with an object, and maximum overlap of a negative one.
POSITIVE_OVERLAP, NEGATIVE_OVERLAP = 0.7, 0.3

# Minimum overlap of a foreground region with an object.
FOREGROUND_OVERLAP = 0.5

# Maximum share of a region's area in a crowd; other regions are not trained on.
CROWD_SHARE = 0.7


class AnchorTargets(typing.NamedTuple):
    """The anchors of one image that the proposal network is trained on.

    Attributes:
        chosen: (N,) int, the numbers of the anchors, positive ones first.
        labels: (N,) int32, 1 for an object and 0 for none.
        deltas: (P, 4) float32 of the P positive ones.
    """

    chosen: np.ndarray
    labels: np.ndarray
    deltas: np.ndarray


class RegionTargets(typing.NamedTuple):
    """The regions of one image that the heads are trained on.

    Attributes:
        boxes: (N, 4) float32, those with an object first.
        labels: (N,) int32, 0 for the background and label + 1 for an object.
        deltas: (F, 4) float32 of the F regions with an object, multiplied by the weights.
        objects: (F,) int, the number of the object of each.
    """

    boxes: np.ndarray
    labels: np.ndarray
    deltas: np.ndarray
    objects: np.ndarray


def anchor_targets(anchors: np.ndarray, truth: np.ndarray, size: tuple[int, int], rng: np.random.Generator,
                   count: int = 256, positive_share: float = 0.5) -> AnchorTargets:
    """Samples the anchors of one image that the proposal network is trained on.

    An anchor is positive if it overlaps an object by at least :data:`POSITIVE_OVERLAP`, or no anchor
    overlaps this object more; negative if it overlaps all by less than :data:`NEGATIVE_OVERLAP`.
    Anchors that reach outside the image are ignored.

    Args:
        anchors: (A, 4) float32.
        truth: (G, 4) float32, the boxes of the objects without crowds.
        size: (height, width) of the image in the network's input.
        rng: The source of all randomness.
        count: Maximum number of anchors.
        positive_share: Maximum share of positive ones.

    Returns:
        :class:`AnchorTargets`.
    """
    inside = np.flatnonzero((anchors[:, :2] >= 0).all(axis=1)
                            & (anchors[:, 2:] < np.asarray(size)).all(axis=1))
    anchors = anchors[inside]
    matched, best, positive = _match_anchors(anchors, truth)
    positives = _draw(np.flatnonzero(positive), int(count * positive_share), rng)
    negatives = _draw(np.flatnonzero((best < NEGATIVE_OVERLAP) & ~positive),
                      count - len(positives), rng)
    labels = np.repeat(np.array([1, 0], np.int32), [len(positives), len(negatives)])
    deltas = boxes_to_deltas(anchors[positives], truth[matched[positives]])
    return AnchorTargets(inside[np.concatenate([positives, negatives])], labels, deltas)


def region_targets(proposals: np.ndarray, truth: np.ndarray, labels: np.ndarray, crowds: np.ndarray,
                   rng: np.random.Generator, count: int = 512,
                   foreground_share: float = 0.25) -> RegionTargets:
    """Samples the regions of one image that the heads are trained on.

    The true boxes are added to the proposals. A region is assigned to the object that it overlaps most,
    if by at least :data:`FOREGROUND_OVERLAP`, and to the background otherwise.

    Args:
        proposals: (R, 4) float32.
        truth: (G, 4) float32, the boxes of the objects without crowds.
        labels: (G,) int32 from 0.
        crowds: (C, 4) float32, the boxes of crowds.
        rng: The source of all randomness.
        count: Maximum number of regions.
        foreground_share: Maximum share of regions with an object.

    Returns:
        :class:`RegionTargets`.
    """
    proposals = proposals[_share_within(proposals, crowds) <= CROWD_SHARE]
    boxes = np.concatenate([truth, proposals]).astype(np.float32)
    matched, best = _best_match(box_iou(boxes, truth, offset=1))
    foreground = _draw(np.flatnonzero(best >= FOREGROUND_OVERLAP), round(count * foreground_share), rng)
    background = _draw(np.flatnonzero(best < FOREGROUND_OVERLAP), count - len(foreground), rng)
    objects = matched[foreground]
    return RegionTargets(
        boxes[np.concatenate([foreground, background])],
        np.concatenate([labels[objects] + 1, np.zeros(len(background), int)]).astype(np.int32),
        boxes_to_deltas(boxes[foreground], truth[objects], DELTA_WEIGHTS), objects)


def _match_anchors(anchors: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each anchor its object, their overlap, and whether the anchor is positive."""
    table = box_iou(anchors, truth, offset=1)
    matched, best = _best_match(table)
    # An object without any overlapping anchor has no best anchor.
    of_object = np.maximum(table.max(axis=0, initial=0), np.finfo(np.float32).tiny)
    positive = (best >= POSITIVE_OVERLAP) | (table == of_object).any(axis=1)
    return matched, best, positive


def _best_match(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The column of the maximum of each row, and the maximum; 0 without columns."""
    if table.shape[1] == 0:
        return np.zeros(len(table), int), np.zeros(len(table), np.float32)
    return table.argmax(axis=1), table.max(axis=1)


def _draw(candidates: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """At most ``count`` of the candidates, in random order if there are more."""
    if len(candidates) <= count:
        return candidates
    return rng.choice(candidates, count, replace=False)


def _share_within(boxes: np.ndarray, crowds: np.ndarray) -> np.ndarray:
    """The maximum share (R,) of each box's area that one crowd covers; 0 without crowds."""
    if len(crowds) == 0:
        return np.zeros(len(boxes), np.float32)
    low = np.maximum(boxes[:, None, :2], crowds[:, :2])
    high = np.minimum(boxes[:, None, 2:], crowds[:, 2:])
    shared = np.maximum(high - low + 1, 0).prod(axis=2)
    return (shared / box_area(boxes, offset=1)[:, None]).max(axis=1)
