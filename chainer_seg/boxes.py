"""Arithmetic of boxes: (R, 4) arrays (y_min, x_min, y_max, x_max) in pixels, of NumPy or CuPy."""

import types

import numpy as np
from chainer import backend
from chainer.backends import cuda

from chainer_seg.arrays import Array
from chainer_seg.functions.kernels import launch, working_type
from chainer_seg.functions.suppression import (
    intersection_and_union, suppress_in_order, walk_over_bits)

# One thread compares one box with the 64 boxes of one word: bit j is set if it suppresses the j-th of
# them, which has to be a later box of the same group.
NMS_SOURCE = r'''
extern "C" __global__ void suppression_bits(
        long long count, const real* boxes, const int* groups, unsigned long long* bits,
        int n_boxes, int n_words, double threshold, int offset) {
    long long element = (long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (element >= count) return;
    int i = (int)(element / n_words), first = (int)(element % n_words) * 64;
    const real* a = boxes + 4 * (long long)i;
    real area = (a[2] - a[0] + offset) * (a[3] - a[1] + offset);
    unsigned long long word = 0;
    for (int j = max(first, i + 1); j < min(first + 64, n_boxes); ++j) {
        const real* b = boxes + 4 * (long long)j;
        real height = min(a[2], b[2]) - max(a[0], b[0]) + offset;
        real width = min(a[3], b[3]) - max(a[1], b[1]) + offset;
        real shared = max(height, (real)0) * max(width, (real)0);
        real other = (b[2] - b[0] + offset) * (b[3] - b[1] + offset);
        if (groups[i] == groups[j] && shared / (area + other - shared) >= (real)threshold)
            word |= 1ULL << (j - first);
    }
    bits[element] = word;
}
'''


def box_area(boxes: Array, offset: int = 0) -> Array:
    """Areas (R,) of the boxes (R, 4); ``offset`` is 1 if the maxima are the last pixels inside."""
    return (boxes[:, 2] - boxes[:, 0] + offset) * (boxes[:, 3] - boxes[:, 1] + offset)


def box_iou(boxes_a: Array, boxes_b: Array, offset: int = 0) -> Array:
    """Intersection over union of every pair.

    Args:
        boxes_a: (A, 4) float array.
        boxes_b: (B, 4) float array.
        offset: 1 if the maxima are the last pixels inside, as in Detectron; 0 if they are the first
            ones outside.

    Returns:
        (A, B) float array in [0, 1]; 0 where both boxes are empty.
    """
    xp = backend.get_array_module(boxes_a)
    shared, union = intersection_and_union(boxes_a, boxes_b, offset, xp)
    return xp.where(union > 0, shared / xp.maximum(union, np.finfo(np.float32).tiny), 0)


def clip_boxes(boxes: Array, size: tuple[int, int]) -> Array:
    """The boxes (R, 4) clipped to an image of ``size`` = (height, width)."""
    xp = backend.get_array_module(boxes)
    limits = xp.asarray([size[0], size[1], size[0], size[1]], dtype=boxes.dtype)
    return xp.clip(boxes, 0, limits)


def to_xywh(boxes: Array) -> Array:
    """The boxes (R, 4) as COCO's (x, y, width, height)."""
    xp = backend.get_array_module(boxes)
    return xp.stack([boxes[:, 1], boxes[:, 0], boxes[:, 3] - boxes[:, 1],
                     boxes[:, 2] - boxes[:, 0]], axis=1)


def from_xywh(boxes: Array) -> Array:
    """The boxes (R, 4) from COCO's (x, y, width, height)."""
    xp = backend.get_array_module(boxes)
    return xp.stack([boxes[:, 1], boxes[:, 0], boxes[:, 1] + boxes[:, 3],
                     boxes[:, 0] + boxes[:, 2]], axis=1)


def nms(boxes: Array, scores: Array, threshold: float, offset: int = 0, limit: int | None = None) -> Array:
    """Non-maximum suppression: keeps each box that overlaps no kept box with a higher score.

    Args:
        boxes: (R, 4) float array of (y_min, x_min, y_max, x_max).
        scores: (R,) float array; of boxes with equal scores, the first takes precedence.
        threshold: IoU from which the box with the lower score is dropped, inclusive.
        offset: 1 if the maxima are the last pixels inside, as in Detectron; 0 if they are the first
            ones outside.
        limit: Maximum number of kept boxes; None for no limit.

    Returns:
        (K,) int array of the indices of the kept boxes by descending score. Detectron returns them
        in ascending order of the indices.
    """
    xp = backend.get_array_module(boxes)
    order = _by_descending_score(scores, xp)
    if xp is np:
        return order[suppress_in_order(boxes[order], threshold, offset, limit)]
    groups = xp.zeros(len(boxes), np.int32)
    return order[_suppress_on_gpu(boxes[order], groups, threshold, offset)[:limit]]


def batched_nms(boxes: Array, scores: Array, labels: Array, threshold: float, offset: int = 0) -> Array:
    """`nms` of the boxes of each label separately.

    Args:
        boxes: (R, 4) float array of (y_min, x_min, y_max, x_max).
        scores: (R,) float array.
        labels: (R,) int array; only boxes of the same label suppress each other.
        threshold: IoU from which the box with the lower score is dropped, inclusive.
        offset: As in `nms`.

    Returns:
        (K,) int array of the indices of the kept boxes of all labels by descending score.
    """
    xp = backend.get_array_module(boxes)
    if xp is np:
        members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
        kept_of_each = [group[nms(boxes[group], scores[group], threshold, offset)] for group in members]
        kept = np.sort(np.concatenate(kept_of_each)) if kept_of_each else np.zeros(0, int)
        return kept[_by_descending_score(scores[kept], np)]
    order = _by_descending_score(scores, xp)
    groups = labels[order].astype(np.int32)
    return order[_suppress_on_gpu(boxes[order], groups, threshold, offset)]


def _by_descending_score(scores: Array, xp: types.ModuleType) -> Array:
    """The order by descending score; equal scores stay in their order. CuPy's sort is stable."""
    return np.argsort(-scores, kind='stable') if xp is np else xp.argsort(-scores)


def _suppress_on_gpu(boxes: Array, groups: Array, threshold: float, offset: int) -> Array:
    """Indices (CuPy) of the kept boxes; the best box is the first."""
    n_boxes, n_words = len(boxes), -(-len(boxes) // 64)
    dtype = working_type(boxes.dtype)
    bits = cuda.cupy.empty((n_boxes, n_words), np.uint64)
    launch(NMS_SOURCE, 'suppression_bits', bits.size, dtype, boxes.astype(dtype, copy=False), groups,
           bits, n_boxes, n_words, float(threshold), offset)
    return cuda.cupy.asarray(walk_over_bits(cuda.to_cpu(bits), n_boxes))
