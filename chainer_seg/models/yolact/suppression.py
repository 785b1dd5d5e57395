"""Three ways to drop detections that overlap better ones: Fast NMS (arXiv 1904.02689, section 4.3), the
same across classes, and the traditional one.

Each takes the candidates of one image, boxes (n, 4) and the scores (C, n) of the object classes, and
returns the numbers of the chosen ones and their labels, (R,) integers each, by falling score.
"""

import numpy as np
from chainer import backend

from chainer_seg.boxes import batched_nms

# Number of intersections over union that are computed at once.
_AT_ONCE = 2 ** 16


def fast_nms(boxes, scores, threshold, top_k, floor=0.0):
    """Drops a box that overlaps any better one of its class, even one that is dropped itself.

    A candidate may come out for several classes.

    Args:
        boxes: (n, 4) float32.
        scores: (C, n) float32.
        threshold: Intersection over union above which the worse box is dropped.
        top_k: Number of best candidates of each class that are considered.
        floor: Scores must be higher. As a box is never dropped for a worse one, this changes nothing
            but what is left out.
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


def cross_class_fast_nms(boxes, scores, threshold, top_k, floor=0.0):
    """As :func:`fast_nms`, but a candidate has its best class alone, and drops those of all."""
    best = scores.max(axis=0)
    chosen, _ = fast_nms(boxes, best[None], threshold, top_k, floor)
    return chosen, scores.argmax(axis=0)[chosen]



def traditional_nms(boxes, scores, threshold, side, floor=0.0):
    """Goes through each class by falling score and drops what overlaps a box that was kept.

    Args:
        boxes: (n, 4) float32, as fractions of the sides.
        scores: (C, n) float32.
        threshold: Intersection over union from which on a box is dropped.
        side: Side of the network's input, in whose pixels boxes are compared, the maxima inside.
        floor: Scores must be higher.
    """
    xp = backend.get_array_module(boxes)
    labels, candidates = xp.nonzero(scores > floor)
    found = scores[labels, candidates]
    kept = batched_nms(boxes[candidates] * np.float32(side), found, labels, threshold, offset=1)
    return candidates[kept], labels[kept]


def _free_of_better(boxes, threshold):
    """(C, k) bool: which of the boxes (C, k, 4), the best first, overlap none before them."""
    xp = backend.get_array_module(boxes)
    y_min, x_min, y_max, x_max = xp.moveaxis(boxes, 2, 0)
    shared = _common(y_min, y_max, xp) * _common(x_min, x_max, xp)
    areas = (y_max - y_min) * (x_max - x_min)
    union = areas[:, :, None] + areas[:, None, :] - shared
    better = xp.triu(xp.ones(shared.shape[1:], bool), 1)
    return ~((shared > threshold * union) & better).any(axis=1)


def _common(low, high, xp):
    """(C, k, k): the length that intervals (C, k) have in common."""
    length = xp.minimum(high[:, :, None], high[:, None, :])
    length -= xp.maximum(low[:, :, None], low[:, None, :])
    return xp.maximum(length, 0, out=length)


def _by_score(chosen, labels, scores):
    xp = backend.get_array_module(scores)
    order = xp.argsort(-scores, kind='stable')
    return chosen[order], labels[order]


def _nothing(xp):
    return xp.zeros(0, np.int64), xp.zeros(0, np.int64)
