"""Three kinds of non-maximum suppression: Fast NMS (arXiv 1904.02689, section 4.3), Fast NMS across
classes, and the traditional one.

Each takes the candidates of one image, boxes (n, 4) and the scores (C, n) of the object classes, and
returns the numbers of the kept ones and their labels, (R,) integers each, by descending score.
"""

from types import ModuleType

import numpy as np
from chainer import backend

from chainer_seg.arrays import Array
from chainer_seg.boxes import batched_nms

# Number of intersections over union that are computed at once.
_AT_ONCE = 2 ** 16


def fast_nms(boxes: Array, scores: Array, threshold: float, top_k: int,
             floor: float = 0.0) -> tuple[Array, Array]:
    """Drops a box that overlaps any higher-scoring one of its class, even one that is dropped itself.

    A candidate may be kept for several classes.

    Args:
        boxes: (n, 4) float32.
        scores: (C, n) float32.
        threshold: Intersection over union above which the lower-scoring box is dropped.
        top_k: Number of best candidates of each class that are considered.
        floor: Minimum score, exclusive. Since a box is never dropped for a lower-scoring one, this only
            removes boxes.
    """
    xp = backend.get_array_module(boxes)
    wanted = int(min(top_k, (scores > floor).sum(axis=1).max()))
    if not wanted:
        return _nothing(xp)
    classes = xp.flatnonzero((scores > floor).any(axis=1))
    order = xp.argsort(-scores[classes], axis=1, kind='stable')[:, :wanted]
    ranked = xp.take_along_axis(scores[classes], order, axis=1)
    step = max(_AT_ONCE // wanted ** 2, 1)
    free = xp.concatenate([_free_of_better(boxes[order[i:i + step]], threshold)
                           for i in range(0, len(order), step)])
    rows, places = xp.nonzero(free & (ranked > floor))
    return _by_score(order[rows, places], classes[rows], ranked[rows, places])


def cross_class_fast_nms(boxes: Array, scores: Array, threshold: float, top_k: int,
                         floor: float = 0.0) -> tuple[Array, Array]:
    """As :func:`fast_nms`, but with only the best class of a candidate, which suppresses all classes."""
    best = scores.max(axis=0)
    chosen, _ = fast_nms(boxes, best[None], threshold, top_k, floor)
    return chosen, scores.argmax(axis=0)[chosen]


def traditional_nms(boxes: Array, scores: Array, threshold: float, side: int,
                    floor: float = 0.0) -> tuple[Array, Array]:
    """Drops boxes that overlap a kept one of their class, in the order of descending scores.

    Args:
        boxes: (n, 4) float32, as fractions of the sides.
        scores: (C, n) float32.
        threshold: Intersection over union from which a box is dropped.
        side: Side of the network's input, in whose pixels boxes are compared, with inclusive maxima.
        floor: Minimum score, exclusive.
    """
    xp = backend.get_array_module(boxes)
    labels, candidates = xp.nonzero(scores > floor)
    found = scores[labels, candidates]
    kept = batched_nms(boxes[candidates] * np.float32(side), found, labels, threshold, offset=1)
    return candidates[kept], labels[kept]


def _free_of_better(boxes: Array, threshold: float) -> Array:
    """(C, k) bool: which of the boxes (C, k, 4), ordered by score, overlap none before them."""
    xp = backend.get_array_module(boxes)
    y_min, x_min, y_max, x_max = xp.moveaxis(boxes, 2, 0)
    shared = _common(y_min, y_max, xp) * _common(x_min, x_max, xp)
    areas = (y_max - y_min) * (x_max - x_min)
    union = areas[:, :, None] + areas[:, None, :] - shared
    better = xp.triu(xp.ones(shared.shape[1:], bool), 1)
    return ~((shared > threshold * union) & better).any(axis=1)


def _common(low: Array, high: Array, xp: ModuleType) -> Array:
    """(C, k, k): the length that intervals (C, k) have in common."""
    length = xp.minimum(high[:, :, None], high[:, None, :])
    length -= xp.maximum(low[:, :, None], low[:, None, :])
    return xp.maximum(length, 0, out=length)


def _by_score(chosen: Array, labels: Array, scores: Array) -> tuple[Array, Array]:
    xp = backend.get_array_module(scores)
    order = xp.argsort(-scores, kind='stable')
    return chosen[order], labels[order]


def _nothing(xp: ModuleType) -> tuple[Array, Array]:
    return xp.zeros(0, np.int64), xp.zeros(0, np.int64)
