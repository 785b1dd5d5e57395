"""From the outputs of YOLACT for one image to its objects (arXiv 1904.02689, sections 3.3 and 4.3)."""

import dataclasses

import numpy as np
from chainer import backend

from chainer_seg.models.yolact.anchors import decode_boxes
from chainer_seg.models.yolact.suppression import (
    cross_class_fast_nms, fast_nms, traditional_nms)

# How detections that overlap are dropped.
_FAST_SUPPRESSIONS = {'fast': fast_nms, 'cross_class': cross_class_fast_nms}
SUPPRESSIONS = (*_FAST_SUPPRESSIONS, 'traditional')

# Logits are compared with so much to spare before the softmax decides.
_ROUNDING = 1e-3


@dataclasses.dataclass
class Detections:
    """R detections of one image by falling score, on the device of the network.

    Attributes:
        boxes: (R, 4) float32 (y_min, x_min, y_max, x_max) as fractions of the image, not clipped.
        labels: (R,) int from 0.
        scores: (R,) float32.
        coefficients: (R, K) float32.
    """

    boxes: np.ndarray
    labels: np.ndarray
    scores: np.ndarray
    coefficients: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, index):
        """The detections that ``index`` picks."""
        return Detections(self.boxes[index], self.labels[index], self.scores[index],
                          self.coefficients[index])


def find_detections(codes, logits, coefficients, anchors, side, *, suppression='fast',
                    anchor_threshold=0.05, score_threshold=0.0, nms_threshold=0.5, top_k=200,
                    max_detections=100):
    """The detections of one image.

    Args:
        codes: (N, 4) float32.
        logits: (N, C) float32, the background first.
        coefficients: (N, K) float32.
        anchors: (N, 4) float32.
        side: Side of the network's input in pixels.
        suppression: One of :data:`SUPPRESSIONS`.
        anchor_threshold: An anchor is a candidate if its best class scores more. The traditional
            suppression asks it of every class of a candidate.
        score_threshold: Detections must score more; a candidate may be one of several classes.
        nms_threshold: Intersection over union at which the worse of two boxes is dropped.
        top_k: The most candidates of a class that the fast suppressions look at.
        max_detections: The most detections.

    Returns:
        :class:`Detections`.
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
    return Detections(boxes[chosen], labels, scores[labels, chosen], coefficients[candidates][chosen])


def find_candidates(logits: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """The anchors that may show an object, (n,) int, and their scores (C - 1, n) without the background.

    The softmax is computed only for anchors whose best class comes near enough to the background.
    """
    xp = backend.get_array_module(logits)
    with np.errstate(divide='ignore'):
        least = np.log(threshold) - np.log1p(-threshold) - _ROUNDING
    near = xp.flatnonzero(logits[:, 1:].max(axis=1) - logits[:, 0] > np.float32(least))
    powers = xp.exp(logits[near] - logits[near].max(axis=1, keepdims=True))
    scores = (powers / powers.sum(axis=1, keepdims=True))[:, 1:].T
    above = xp.flatnonzero(scores.max(axis=0) > threshold)
    return near[above], scores[:, above]


def pixel_boxes(boxes, size):
    """Boxes (R, 4), fractions of the sides, as whole pixels of an image of ``size`` = (height, width).

    As in the original, corners are put in order, each is limited on its own side, and rounded
    towards zero.
    """
    size = np.array(size, np.float32)
    low = np.minimum(boxes[:, :2], boxes[:, 2:]) * size
    high = np.maximum(boxes[:, :2], boxes[:, 2:]) * size
    return np.trunc(np.concatenate([np.maximum(low, 0), np.minimum(high, size)], axis=1))
