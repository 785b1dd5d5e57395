"""Alternatives to greedy suppression: soft-NMS (arXiv 1704.04503) and box voting (arXiv 1505.01749).

Both are as in Detectron: boxes have inclusive maxima, and only boxes of the same label compete.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from chainer_seg.boxes import box_iou

LEAST_SCORE = 1e-4  # of a box that soft-NMS keeps

# The factor of a score by the overlap with a better box, the threshold of the overlap, and sigma.
_FACTORS: dict[str, Callable[[npt.NDArray, float, float], npt.NDArray]] = {
    'linear': lambda overlap, threshold, sigma: np.where(overlap > threshold, 1 - overlap, 1),
    'gaussian': lambda overlap, threshold, sigma: np.exp(-overlap ** 2 / sigma)}
SOFT_METHODS = tuple(_FACTORS)


def soft_nms(boxes: npt.NDArray[np.float32], scores: npt.NDArray[np.float32], labels: npt.NDArray[np.integer],
             method: str, threshold: float, sigma: float = 0.5
             ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Lowers the score of a box by its overlaps with better ones, instead of dropping it.

    Args:
        boxes: (R, 4) float32 with inclusive maxima.
        scores: (R,) float32.
        labels: (R,) int.
        method: ``'linear'`` or ``'gaussian'``.
        threshold: With ``'linear'``, overlaps up to this change nothing.
        sigma: Of ``'gaussian'``.

    Returns:
        (K,) int, the kept boxes in rising order, and (K,) float32, their scores; boxes whose score falls
        below :data:`LEAST_SCORE` are dropped.
    """
    lowered, kept = scores.astype(np.float32), np.ones(len(boxes), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        values, overlaps = lowered[members], box_iou(boxes[members], boxes[members], offset=1)
        waiting = np.ones(len(members), bool)
        while waiting.any():
            best = int(np.where(waiting, values, -1).argmax())
            waiting[best] = False
            factors = _FACTORS[method](overlaps[best], threshold, sigma)
            values = np.where(waiting & (overlaps[best] > 0), values * factors, values).astype(np.float32)
            waiting &= values >= LEAST_SCORE
        lowered[members] = values
        kept[members] = values >= LEAST_SCORE
    numbers = np.flatnonzero(kept)
    return numbers, lowered[numbers]


def vote(boxes: npt.NDArray[np.float32], labels: npt.NDArray[np.integer], voters: npt.NDArray[np.float32],
         scores: npt.NDArray[np.float32], voter_labels: npt.NDArray[np.integer], threshold: float
         ) -> npt.NDArray[np.float32]:
    """Moves each box to the mean of the boxes that overlap it, weighted by their scores.

    Args:
        boxes: (K, 4) float32 with inclusive maxima, the detected boxes.
        labels: (K,) int.
        voters: (R, 4) float32, all boxes before suppression.
        scores, voter_labels: (R,), their scores and labels.
        threshold: Overlap from which a box votes.

    Returns:
        (K, 4) float32; a box for which none votes stays.
    """
    votes = (box_iou(boxes, voters, offset=1) >= threshold) & (labels[:, None] == voter_labels)
    weights = votes * scores
    total = weights.sum(axis=1, keepdims=True)
    moved = weights @ voters / np.where(total > 0, total, 1)
    return np.where(total > 0, moved, boxes).astype(np.float32)
