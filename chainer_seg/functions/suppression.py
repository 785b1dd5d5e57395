"""Greedy non-maximum suppression: on the CPU by blocks of boxes, and the walk over a GPU's bit mask.

`chainer_seg.boxes` uses these parts; `suppress` replaces ChainerCV's function for the CPU.
"""

import types

import numpy as np

# Boxes that are compared with each other at once, and pairs of boxes that are compared at once: many
# enough to be quick, few enough for the cache.
_BLOCK = 128
_PAIRS = 1 << 15


def suppress(bbox, thresh, score=None, limit=None):
    """Indices of the boxes kept, by falling score, as ChainerCV's function for the CPU.

    Args:
        bbox: (R, 4) float array of y_min, x_min, y_max, x_max.
        thresh (float): a box is dropped when its IoU with a kept one is at least this.
        score: (R,) float array; None takes the boxes in the order given.
        limit (int): maximum number of kept boxes; None for no limit.

    Returns:
        (K,) int32 array.
    """
    if score is None:
        return suppress_in_order(bbox, thresh, limit=limit).astype(np.int32)
    order = score.argsort()[::-1]
    return order[suppress_in_order(bbox[order], thresh, limit=limit)].astype(np.int32)


def suppress_in_order(boxes: np.ndarray, threshold: float, offset: int = 0,
                      limit: int | None = None) -> np.ndarray:
    """Keeps each box whose IoU with all boxes kept before it is below ``threshold``.

    Args:
        boxes: (R, 4) float array of y_min, x_min, y_max, x_max, the best first.
        threshold (float): IoU from which a later box is dropped.
        offset: 1 where the maxima belong to the boxes, 0 where they are the first pixels outside.
        limit (int): maximum number of kept boxes; None for no limit.

    Returns:
        (K,) int array of the kept ones, in their order. A box whose IoU is not a number, for
        neither has an area, is kept.
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


def _first_of_each(overlaps):
    """Which of some boxes are kept, given which pairs of them overlap (R, R), the best first.

    Every round settles at least one more box for good: the first one that a change reaches.
    """
    earlier = np.triu(overlaps, 1)
    kept = np.ones(len(overlaps), bool)
    while True:
        left = ~earlier[kept].any(axis=0)
        if (left == kept).all():
            return kept
        kept = left


def _free_of(kept, boxes, threshold, offset):
    """Which of ``boxes`` (R, 4) overlap none of ``kept`` (K, 4): (R,) bool."""
    step = max(1, _PAIRS // max(1, len(kept)))
    parts = [~_overlaps(kept, boxes[start:start + step], threshold, offset).any(axis=0)
             for start in range(0, len(boxes), step)]
    return np.concatenate(parts) if parts else np.zeros(0, bool)


def _overlaps(boxes_a, boxes_b, threshold, offset):
    """Which pairs have an IoU of at least ``threshold``: (A, B) bool."""
    shared, union = intersection_and_union(boxes_a, boxes_b, offset)
    with np.errstate(divide='ignore', invalid='ignore'):
        return shared / union >= threshold


def intersection_and_union(boxes_a: np.ndarray, boxes_b: np.ndarray, offset: int = 0,
                           xp: types.ModuleType = np) -> tuple[np.ndarray, np.ndarray]:
    """Areas (A, B) that each pair of boxes, (A, 4) and (B, 4), shares and covers.

    ``offset`` is 1 where the maxima are the last pixels inside, ``xp`` the module of the arrays.
    """
    y_min_a, x_min_a, y_max_a, x_max_a = boxes_a.T[..., None]
    y_min_b, x_min_b, y_max_b, x_max_b = boxes_b.T
    height = xp.minimum(y_max_a, y_max_b) - xp.maximum(y_min_a, y_min_b) + offset
    width = xp.minimum(x_max_a, x_max_b) - xp.maximum(x_min_a, x_min_b) + offset
    shared = xp.maximum(height, 0) * xp.maximum(width, 0)
    areas_a = (y_max_a - y_min_a + offset) * (x_max_a - x_min_a + offset)
    areas_b = (y_max_b - y_min_b + offset) * (x_max_b - x_min_b + offset)
    return shared, areas_a + areas_b - shared


def walk_over_bits(mask: np.ndarray, n_boxes: int) -> np.ndarray:
    """The kept ones among boxes that are given the best first, as `suppress_in_order`.

    Args:
        mask: (n_boxes, W) uint64; bit j of word (i, k) says that box i suppresses box 64 * k + j,
            a later one.
        n_boxes (int): number of boxes.

    Returns:
        (K,) int32 array.
    """
    suppressed = np.zeros(mask.shape[1], dtype=np.uint64)
    kept = np.zeros(n_boxes, dtype=np.int32)
    n_kept = 0
    for block in range(mask.shape[1]):
        first = block * 64
        # Python integers: a bit test on one is far quicker than on a NumPy scalar.
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
