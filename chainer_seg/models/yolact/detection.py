"""The detections of one image from YOLACT's outputs (arXiv 1904.02689, sections 3.3 and 4.3)."""

import dataclasses
from typing import Any

import numpy as np
from chainer import backend

from chainer_seg.arrays import Array
from chainer_seg.models.yolact.anchors import decode_boxes
from chainer_seg.models.yolact.suppression import (
    cross_class_fast_nms, fast_nms, traditional_nms)

# The kinds of non-maximum suppression.
_FAST_SUPPRESSIONS = {'fast': fast_nms, 'cross_class': cross_class_fast_nms}
SUPPRESSIONS = (*_FAST_SUPPRESSIONS, 'traditional')

# Tolerance of the comparison of logits that precedes the softmax.
_ROUNDING = 1e-3


@dataclasses.dataclass
class ImageDetections:
    """R detections of one image by descending score, on the device of the network.

    Attributes:
        boxes: (R, 4) float32 (y_min, x_min, y_max, x_max) as fractions of the image, not clipped.
        labels: (R,) int from 0.
        scores: (R,) float32.
        coefficients: (R, K) float32.
    """

    boxes: Array
    labels: Array
    scores: np.ndarray
    coefficients: Array

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index: Any) -> 'ImageDetections':
        """The detections selected by ``index``."""
        return ImageDetections(self.boxes[index], self.labels[index], self.scores[index],
                          self.coefficients[index])


def find_detections(codes: Array, logits: Array, coefficients: Array, anchors: Array, side: int, *,
                    suppression: str = 'fast', anchor_threshold: float = 0.05, score_threshold: float = 0.0,
                    nms_threshold: float = 0.5, top_k: int = 200, max_detections: int = 100
                    ) -> ImageDetections:
    """The detections of one image.

    Args:
        codes: (N, 4) float32.
        logits: (N, C) float32, the background first.
        coefficients: (N, K) float32.
        anchors: (N, 4) float32.
        side: Side of the network's input in pixels.
        suppression: One of :data:`SUPPRESSIONS`.
        anchor_threshold: Minimum score, exclusive, of an anchor's best class; with the traditional
            suppression, of every class of a candidate.
        score_threshold: Minimum score of a detection, exclusive; a candidate may be kept for several
            classes.
        nms_threshold: Intersection over union at which the lower-scoring of two boxes is dropped.
        top_k: Maximum number of candidates per class for the fast suppressions.
        max_detections: Maximum number of detections.

    Returns:
        :class:`ImageDetections`.
    """
    candidates, scores = find_candidates(logits, anchor_threshold)
    boxes = decode_boxes(codes[candidates], anchors[candidates])
    if suppression == 'traditional':
        floor = max(anchor_threshold, score_threshold)
        chosen, labels = traditional_nms(boxes, scores, nms_threshold, side, floor)
    else:
        suppress = _FAST_SUPPRESSIONS[suppression]
        chosen, labels = suppress(boxes, scores, nms_threshold, top_k, score_threshold)
    chosen, labels = chosen[:max_detections], labels[:max_detections]
    return ImageDetections(boxes[chosen], labels, scores[labels, chosen], coefficients[candidates][chosen])


def find_candidates(logits: Array, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """The anchors that may show an object, (n,) int, and their scores (C - 1, n) without the background.

    The softmax is computed only for anchors whose best class is close enough to the background.
    """
    xp = backend.get_array_module(logits)
    with np.errstate(divide='ignore'):
        least = np.log(threshold) - np.log1p(-threshold) - _ROUNDING
    near = xp.flatnonzero(logits[:, 1:].max(axis=1) - logits[:, 0] > np.float32(least))
    powers = xp.exp(logits[near] - logits[near].max(axis=1, keepdims=True))
    scores = (powers / powers.sum(axis=1, keepdims=True))[:, 1:].T
    above = xp.flatnonzero(scores.max(axis=0) > threshold)
    return near[above], scores[:, above]


def pixel_boxes(boxes: Array, size: tuple[int, int]) -> Array:
    """Boxes (R, 4), fractions of the sides, as whole pixels of an image of ``size`` = (height, width).

    As in the original, corners are ordered, each is clipped on its own side, and rounded
    towards zero.
    """
    sides = np.array(size, np.float32)
    low = np.minimum(boxes[:, :2], boxes[:, 2:]) * sides
    high = np.maximum(boxes[:, :2], boxes[:, 2:]) * sides
    return np.trunc(np.concatenate([np.maximum(low, 0), np.minimum(high, sides)], axis=1))
