"""Greedy non-maximum suppression: block by block on the CPU, and from the bit mask of a GPU.

`chainer_seg.boxes` uses these parts; `suppress` replaces ChainerCV's CPU function.
"""

import types

import numpy as np
import numpy.typing as npt

from chainer_seg.arrays import Array

# Boxes of a block, and pairs of boxes that are compared at once: as many as fit into the cache.
_BLOCK = 128
_PAIRS = 1 << 15


def suppress(bbox: npt.NDArray, thresh: float, score: npt.NDArray | None = None,
             limit: int | None = None) -> npt.NDArray[np.int32]:
    """Indices of the kept boxes by descending score; the interface of ChainerCV's CPU function.

    Args:
        bbox: (R, 4) float array of y_min, x_min, y_max, x_max.
        thresh: A box is dropped if its IoU with a kept one is at least this.
        score: (R,) float array; None if the boxes are already in descending order.
        limit: Maximum number of kept boxes; None for no limit.

    Returns:
        (K,) int32 array.
    """
    if score is None:
        return suppress_in_order(bbox, thresh, limit=limit).astype(np.int32)
    order = score.argsort()[::-1]
    return order[suppress_in_order(bbox[order], thresh, limit=limit)].astype(np.int32)


def suppress_in_order(boxes: npt.NDArray, threshold: float, offset: int = 0,
                      limit: int | None = None) -> npt.NDArray[np.int64]:
    """Keeps each box whose IoU with all boxes kept before it is below ``threshold``.

    Args:
        boxes: (R, 4) float array of y_min, x_min, y_max, x_max, the best first.
        threshold: IoU from which a later box is dropped.
        offset: 1 if the maxima are the last pixels inside, 0 if they are the first ones outside.
        limit: Maximum number of kept boxes; None for no limit.

    Returns:
        (K,) int array of the indices of the kept boxes, in order. A box whose IoU is not a number,
        because neither box has an area, is kept.
    """
    limit = len(boxes) if limit is None else limit
    still_open = np.arange(len(boxes))
    kept, n_kept = [np.zeros(0, int)], 0
    while len(still_open) and n_kept < limit:
        block, still_open = still_open[:_BLOCK], still_open[_BLOCK:]
        block = block[_first_of_each(_overlaps(boxes[block], boxes[block], threshold, offset))]
        kept.append(block)
        n_kept += len(block)
        still_open = still_open[_free_of(boxes[block], boxes[still_open], threshold, offset)]
    return np.concatenate(kept)[:limit]


def _first_of_each(overlaps: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which boxes of a block are kept, given which pairs of them overlap (R, R), the best first.

    Each iteration settles at least one more box: the first one that changed in the one before.
    """
    earlier = np.triu(overlaps, 1)
    kept: npt.NDArray[np.bool_] = np.ones(len(overlaps), bool)
    while True:
        remaining = ~np.any(earlier[kept], axis=0)
        if (remaining == kept).all():
            return kept
        kept = remaining


def _free_of(kept: npt.NDArray, boxes: npt.NDArray, threshold: float, offset: int) -> npt.NDArray[np.bool_]:
    """Which of ``boxes`` (R, 4) overlap none of ``kept`` (K, 4): (R,) bool."""
    step = max(1, _PAIRS // max(1, len(kept)))
    parts = [~_overlaps(kept, boxes[start:start + step], threshold, offset).any(axis=0)
             for start in range(0, len(boxes), step)]
    return np.concatenate(parts) if parts else np.zeros(0, bool)


def _overlaps(boxes_a: npt.NDArray, boxes_b: npt.NDArray, threshold: float,
              offset: int) -> npt.NDArray[np.bool_]:
    """Which pairs have an IoU of at least ``threshold``: (A, B) bool."""
    shared, union = intersection_and_union(boxes_a, boxes_b, offset)
    with np.errstate(divide='ignore', invalid='ignore'):
        return shared / union >= threshold


def intersection_and_union(boxes_a: Array, boxes_b: Array, offset: int = 0,
                           xp: types.ModuleType = np) -> tuple[Array, Array]:
    """Areas (A, B) of the intersection and of the union of each pair of boxes, (A, 4) and (B, 4).

    ``offset`` is 1 if the maxima are the last pixels inside, and ``xp`` is the module of the arrays.
    """
    y_min_a, x_min_a, y_max_a, x_max_a = boxes_a.T[..., None]
    y_min_b, x_min_b, y_max_b, x_max_b = boxes_b.T
    height = xp.minimum(y_max_a, y_max_b) - xp.maximum(y_min_a, y_min_b) + offset
    width = xp.minimum(x_max_a, x_max_b) - xp.maximum(x_min_a, x_min_b) + offset
    shared = xp.maximum(height, 0) * xp.maximum(width, 0)
    areas_a = (y_max_a - y_min_a + offset) * (x_max_a - x_min_a + offset)
    areas_b = (y_max_b - y_min_b + offset) * (x_max_b - x_min_b + offset)
    return shared, areas_a + areas_b - shared


def walk_over_bits(mask: npt.NDArray[np.uint64], n_boxes: int) -> npt.NDArray[np.int32]:
    """Indices of the kept boxes, as `suppress_in_order`, from a bit mask of all pairs.

    Args:
        mask: (n_boxes, W) uint64; bit j of word (i, k) is set if box i suppresses the later box
            64 * k + j. The best box is the first.
        n_boxes: Number of boxes.

    Returns:
        (K,) int32 array.
    """
    suppressed = np.zeros(mask.shape[1], dtype=np.uint64)
    kept = np.zeros(n_boxes, dtype=np.int32)
    n_kept = 0
    for block in range(mask.shape[1]):
        first = block * 64
        # Python integers, because testing a bit of a NumPy scalar is far slower.
        words = mask[first:first + 64, block].tolist()
        state = int(suppressed[block])
        start = n_kept
        for bit, word in enumerate(words):
            if not state >> bit & 1:
                kept[n_kept] = first + bit
                n_kept += 1
                state |= word
        suppressed |= np.bitwise_or.reduce(mask[kept[start:n_kept]], axis=0)
    return kept[:n_kept]
