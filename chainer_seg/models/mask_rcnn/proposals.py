"""Regions of interest from the outputs of the region proposal network, in Detectron's order of steps."""

import typing
from collections.abc import Sequence

import numpy as np
from chainer import backend

from chainer_seg.arrays import Array
from chainer_seg.boxes import nms
from chainer_seg.models.mask_rcnn.deltas import clip_boxes, deltas_to_boxes
from chainer_seg.models.mask_rcnn.preparation import pad_to_multiple


class ProposalLimits(typing.NamedTuple):
    """The numbers of proposals before and after non-maximum suppression.

    Attributes:
        before_nms: Number of best anchors of each level that are considered.
        after_nms: Maximum number of proposals of each level, and of all levels together.
        nms_threshold: Overlap from which the lower-scoring of two proposals of a level is dropped.
    """

    before_nms: int
    after_nms: int
    nms_threshold: float = 0.7


def propose(objectness: Sequence[Array], deltas: Sequence[Array], anchors: Sequence[Array],
            strides: Sequence[int], sizes: Sequence[tuple[int, int]],
            limits: ProposalLimits, half_open: bool = False, multiple: int = 1) -> tuple[Array, Array]:
    """The regions of interest of a batch.

    Args:
        objectness: For each level, logits (B, A, h, w).
        deltas: For each level, (B, 4 * A, h, w).
        anchors: For each level, (h * w * A, 4) float32, ordered by row, column and anchor.
        strides: Pixels between two positions of each level.
        sizes: For each image, its (height, width) in the input.
        limits: :class:`ProposalLimits`.
        half_open: As of :func:`~chainer_seg.models.mask_rcnn.deltas.clip_boxes`.
        multiple: There are anchors up to the next multiples of the sizes, beyond the image.

    Returns:
        rois (R, 4) float32 with inclusive maxima, in pixels of the input, and their images' numbers
        (R,) int32; ordered by image and descending score.
    """
    xp = backend.get_array_module(objectness[0])
    rois = [_propose_for_image([(logits[number], changes[number]) for logits, changes
                                in zip(objectness, deltas)], anchors, strides, size, limits,
                                half_open, multiple)
            for number, size in enumerate(sizes)]
    roi_indices = xp.asarray(np.repeat(np.arange(len(rois), dtype=np.int32), [len(r) for r in rois]))
    return xp.concatenate(rois), roi_indices


def _propose_for_image(maps: Sequence[tuple[Array, Array]], anchors: Sequence[Array], strides: Sequence[int],
                       size: tuple[int, int], limits: ProposalLimits, half_open: bool, multiple: int
                       ) -> Array:
    found = [_propose_on_level(*arrays, size, limits, half_open, multiple)
             for arrays in zip(maps, anchors, strides)]
    if len(found) == 1:
        return found[0][0]
    xp = backend.get_array_module(found[0][0])
    rois, scores = (xp.concatenate(arrays) for arrays in zip(*found))
    return rois[_best(scores, limits.after_nms)]


def _propose_on_level(maps: tuple[Array, Array], anchors: Array, stride: int, size: tuple[int, int],
                      limits: ProposalLimits, half_open: bool, multiple: int) -> tuple[Array, Array]:
    """Boxes (N, 4) and logits (N,) of one level of one image, by descending score."""
    logits, deltas = maps
    xp = backend.get_array_module(logits)
    scores = _within(logits, stride, pad_to_multiple(size, multiple)).transpose(1, 2, 0).ravel()
    chosen = _best(scores, limits.before_nms)
    scores = scores[chosen]
    position, anchor = chosen // len(logits), chosen % len(logits)
    changes = deltas.reshape(len(logits), 4, -1)[anchor, :, position]
    boxes = clip_boxes(deltas_to_boxes(anchors[chosen], changes), size, half_open)
    # Detectron wants whole pixels, Detectron2 anything; padding has the score -inf.
    sides = boxes[:, 2:] - boxes[:, :2]
    usable = xp.flatnonzero((sides > -1 if half_open else sides >= 0).all(axis=1) & (scores > -np.inf))
    boxes, scores = boxes[usable], scores[usable]
    kept = nms(boxes, scores, limits.nms_threshold, offset=1, limit=limits.after_nms)
    return boxes[kept], scores[kept]


def _within(logits: Array, stride: int, size: tuple[int, int]) -> Array:
    """Logits (A, h, w) with -inf at the positions in the padding of a batch."""
    rows, columns = (-(-side // stride) for side in size)
    if logits.shape[1] <= rows and logits.shape[2] <= columns:
        return logits
    xp = backend.get_array_module(logits)
    inside = xp.full_like(logits, -np.inf)
    inside[:, :rows, :columns] = logits[:, :rows, :columns]
    return inside


def _best(scores: Array, count: int) -> Array:
    """The indices of the ``count`` highest scores, the highest first."""
    xp = backend.get_array_module(scores)
    if count < len(scores):
        chosen = xp.argpartition(-scores, count - 1)[:count]
        return chosen[xp.argsort(-scores[chosen])]
    return xp.argsort(-scores)
