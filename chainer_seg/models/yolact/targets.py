"""The targets of the anchors: the matching of YOLACT and of SSD (arXiv 1512.02325, section 2.2)."""

import numpy as np
from chainer import backend

from chainer_seg.arrays import Array
from chainer_seg.boxes import box_iou
from chainer_seg.models.yolact.anchors import anchor_corners, encode_boxes
from chainer_seg.models.yolact.settings import Thresholds

NEUTRAL, BACKGROUND = -1, 0


PUBLISHED = Thresholds()


def anchor_targets(anchors: Array, bboxes: Array, labels: Array, crowds: Array,
                   thresholds: Thresholds = PUBLISHED) -> tuple[Array, Array, Array]:
    """The targets of the anchors of one image; the arguments are those of :func:`match_anchors`.

    Returns:
        Classes (N,) and objects (N,) int32 of :func:`match_anchors`, and the codes (N, 4) float32 of
        the boxes of these objects (0 if there is none).
    """
    classes, objects = match_anchors(anchors, bboxes, labels, crowds, thresholds)
    if crowds.all():
        return classes, objects, backend.get_array_module(anchors).zeros_like(anchors)
    return classes, objects, encode_boxes(bboxes[objects], anchors)


def match_anchors(anchors: Array, bboxes: Array, labels: Array, crowds: Array,
                  thresholds: Thresholds = PUBLISHED) -> tuple[Array, Array]:
    """Assigns the objects of one image to anchors.

    Every anchor is matched with the object that it overlaps most. Every object gets at least the anchor
    that overlaps it most, whatever the overlap; if that is the same for several objects, it goes to the
    largest overlap and the others get their next best.

    Args:
        anchors: (N, 4) float32, centre x, centre y, width and height as fractions of the image.
        bboxes: (R, 4) float32 (y_min, x_min, y_max, x_max) as fractions of the image.
        labels: (R,) int32 from 0; those of crowds are ignored.
        crowds: (R,) bool.
        thresholds: The :class:`Thresholds`.

    Returns:
        Classes (N,) int32: label + 1, :data:`BACKGROUND` or :data:`NEUTRAL`; and (N,) int32, the
        number in ``bboxes`` of the object of each anchor (0 if there is none).
    """
    xp = backend.get_array_module(anchors)
    corners = anchor_corners(anchors)
    objects = xp.flatnonzero(~crowds)
    if not len(objects):
        classes = xp.full(len(anchors), BACKGROUND, np.int32)
        matched = xp.zeros(len(anchors), np.int32)
    else:
        overlaps = box_iou(bboxes[objects], corners)
        nearest, best = overlaps.argmax(axis=0), overlaps.max(axis=0)
        own = best_anchors(overlaps)
        nearest[own], best[own] = xp.arange(len(objects)), 2
        classes = labels[objects][nearest].astype(np.int32) + 1
        classes[best < thresholds.positive] = NEUTRAL
        classes[best < thresholds.negative] = BACKGROUND
        matched = objects[nearest].astype(np.int32)
    if crowds.any():
        inside = _share_inside(corners, bboxes[crowds]).max(axis=1)
        classes[(classes <= BACKGROUND) & (inside > thresholds.crowd)] = NEUTRAL
    return classes, matched


def best_anchors(overlaps: Array) -> Array:
    """A separate anchor for each object, assigned greedily by descending overlap.

    Args:
        overlaps: (R, N) intersections over union, R at most N.

    Returns:
        (R,) integers, all different.

    Raises:
        ValueError: There are more objects than anchors.
    """
    if len(overlaps) > overlaps.shape[1]:
        raise ValueError(f'{overlaps.shape[1]} anchors are not enough for {len(overlaps)} objects')
    xp = backend.get_array_module(overlaps)
    left = overlaps
    chosen = xp.full(len(overlaps), -1)
    numbers, nowhere = xp.arange(len(overlaps)), overlaps.shape[1]
    # The largest remaining overlap is the maximum both of its object and of its anchor. All pairs with
    # that property can be assigned at once, as they do not compete. A GPU is synchronised once per round,
    # because no size depends on values.
    while (chosen < 0).any():
        favourites = left.argmax(axis=1)
        mutual = (chosen < 0) & (left[:, favourites].argmax(axis=0) == numbers)
        chosen = xp.where(mutual, favourites, chosen)
        taken = xp.zeros(nowhere + 1, bool)
        taken[xp.where(mutual, favourites, nowhere)] = True
        left = xp.where(mutual[:, None] | taken[:-1], overlaps.dtype.type(-1), left)
    return chosen


def _share_inside(boxes: Array, regions: Array) -> Array:
    """(N, M): the share of the area of each box (N, 4) inside each region (M, 4)."""
    xp = backend.get_array_module(boxes)
    top_left = xp.maximum(boxes[:, None, :2], regions[None, :, :2])
    bottom_right = xp.minimum(boxes[:, None, 2:], regions[None, :, 2:])
    shared = xp.prod(xp.maximum(bottom_right - top_left, 0), axis=2)
    return shared / xp.prod(boxes[:, 2:] - boxes[:, :2], axis=1)[:, None]
