"""The losses of YOLACT as sums (arXiv 1904.02689, sections 3 and 4; re-scoring: arXiv 1912.06218).

Arrays of a batch have B images, N anchors, C classes including the background and K prototypes; each
image has R objects. The classes of :func:`chainer_seg.models.yolact.targets.match_anchors` determine the
role of an anchor: above 0 for positive ones, 0 for the background and below for neutral ones.
"""

from collections.abc import Callable
from types import ModuleType

import chainer
import numpy as np
from chainer import backend
from chainer import functions as F

from chainer_seg.arrays import Array
from chainer_seg.functions import resize_bilinear
from chainer_seg.models.yolact.masks import crop_limits
from chainer_seg.models.yolact.targets import BACKGROUND

# Minimum area, in prototype pixels, of true masks on which re-scoring is trained.
LEAST_RESCORED_AREA = 25


def box_loss(codes: chainer.Variable, targets: Array, classes: Array) -> chainer.Variable:
    """Smooth L1 between the codes (B, N, 4) of positive anchors and their targets (B, N, 4), summed."""
    positive = _numbers(classes > BACKGROUND)
    difference = F.huber_loss(codes.reshape(-1, 4)[positive], targets.reshape(-1, 4)[positive],
                              delta=1, reduce='no')
    return F.sum(difference)


def class_loss(logits: chainer.Variable, classes: Array, negative_ratio: float = 3) -> chainer.Variable:
    """Softmax cross entropy of the positive anchors and of the hardest negatives, summed.

    Args:
        logits: (B, N, C) Variable.
        classes: (B, N) int32.
        negative_ratio: Number of negatives for each positive of an image.
    """
    count = logits.shape[2]
    chosen = _numbers((classes > BACKGROUND) | hard_negatives(logits.array, classes, negative_ratio))
    return F.sum(F.softmax_cross_entropy(
        logits.reshape(-1, count)[chosen], classes.reshape(-1)[chosen], reduce='no'))


def hard_negatives(logits: Array, classes: Array, ratio: float) -> Array:
    """(B, N) bool: the background anchors of each image with the largest loss."""
    xp = backend.get_array_module(logits)
    surprise = _logsumexp(logits, xp) - logits[:, :, 0]
    surprise[classes != BACKGROUND] = 0
    wanted = xp.minimum(ratio * (classes > BACKGROUND).sum(axis=1), classes.shape[1] - 1)
    ranks = xp.argsort(xp.argsort(-surprise, axis=1), axis=1)
    return (ranks < wanted[:, None]) & (classes == BACKGROUND)


def mask_logits(prototypes: chainer.Variable, coefficients: chainer.Variable,
                anchors: Array) -> chainer.Variable:
    """The mask logits (P, h, w) of P anchors, from the prototypes (h, w, K) of their image."""
    height, width, count = prototypes.shape
    flat = F.matmul(coefficients[anchors], prototypes.reshape(height * width, count), transb=True)
    return flat.reshape(len(anchors), height, width)


def mask_loss(logits: chainer.Variable, masks: Array, bboxes: Array,
              objects: Array) -> chainer.Variable:
    """Cross entropy of cropped masks over the area of the box, summed over masks.

    Cropped pixels are ignored.

    Args:
        logits: (P, h, w) Variable, the masks before the sigmoid.
        masks: (R, h, w) bool, the true masks at this size.
        bboxes: (R, 4) float32 (y_min, x_min, y_max, x_max) as fractions of the image.
        objects: (P,) the object of each mask.
    """
    xp = backend.get_array_module(masks)
    size = logits.shape[1:]
    sides = (bboxes[:, 2:] - bboxes[:, :2]) * xp.asarray(size, np.float32)
    # The sum over the pixels of the box, divided by their number.
    weights = box_windows(bboxes, size) / xp.prod(sides, axis=1)[:, None, None]
    # log(1 + exp(x)) - target * x never overflows and always has a gradient.
    entropy = F.softplus(logits) - masks[objects] * logits
    return F.sum(entropy * weights[objects].astype(np.float32))


def rescoring_loss(rescore: Callable[[chainer.Variable], chainer.Variable], logits: chainer.Variable,
                   masks: Array, bboxes: Array, labels: Array, objects: Array) -> chainer.Variable:
    """Smooth L1 between predicted and true intersections over union of cropped masks, summed.

    Args:
        rescore: A function from masks (P, 1, h, w) to predictions for each class (P, C - 1).
        logits, masks, bboxes, objects: As those of :func:`mask_loss`.
        labels: (R,) int32.
    """
    xp = backend.get_array_module(masks)
    chosen = xp.flatnonzero(masks.sum(axis=(1, 2))[objects] > LEAST_RESCORED_AREA)
    if not len(chosen):
        return chainer.Variable(xp.zeros((), np.float32))
    objects = objects[chosen]
    windows = box_windows(bboxes, logits.shape[1:])[objects]
    cropped = F.sigmoid(logits[chosen]) * windows.astype(np.float32)
    found, truth = cropped.array > 0.5, masks[objects]
    ious = (found & truth).sum(axis=(1, 2)) / (found | truth).sum(axis=(1, 2))
    predicted = F.select_item(rescore(cropped[:, None]), labels[objects])
    return F.sum(F.huber_loss(predicted, ious.astype(np.float32), delta=1, reduce='no'))


def semantic_loss(logits: chainer.Variable, masks: Array, labels: Array) -> chainer.Variable:
    """Sigmoid cross entropy of the semantic logits of one image: mean over pixels, sum over classes.

    Args:
        logits: (C - 1, h, w) Variable.
        masks: (R, h, w) bool, the masks of objects that are not crowds.
        labels: (R,) int32.
    """
    xp = backend.get_array_module(masks)
    target = xp.zeros(logits.shape, np.int32)
    for label in np.unique(backend.CpuDevice().send(labels)).tolist():
        target[label] = masks[labels == label].any(axis=0)
    entropy = F.sigmoid_cross_entropy(logits, target, normalize=False, reduce='no')
    return F.sum(entropy) / float(np.prod(logits.shape[1:]))


def shrink_masks(masks: Array, size: tuple[int, int]) -> Array:
    """Masks (R, H, W) bool resized to ``size`` (h, w): bilinearly, then above a half."""
    if not len(masks):
        return masks[:, :1, :1].repeat(size[0], axis=1).repeat(size[1], axis=2)
    return resize_bilinear(masks[None].astype(np.float32), size, align_corners=False).array[0] > 0.5


def box_windows(bboxes: Array, size: tuple[int, int]) -> Array:
    """(R, h, w) bool: the pixels of a map of ``size`` to which masks in the boxes are cropped."""
    xp = backend.get_array_module(bboxes)
    first, stop = (limits.T[:, :, None] for limits in crop_limits(bboxes, size))
    rows, columns = ((xp.arange(length) >= low) & (xp.arange(length) < high)
                     for length, low, high in zip(size, first, stop))
    return rows[:, :, None] & columns[:, None, :]


def _logsumexp(logits: Array, xp: ModuleType) -> Array:
    largest = logits.max(axis=2)
    return xp.log(xp.exp(logits - largest[:, :, None]).sum(axis=2)) + largest


def _numbers(chosen: Array) -> Array:
    """The flat indices of the true elements of a (B, N) array of bool."""
    xp = backend.get_array_module(chosen)
    return xp.flatnonzero(chosen)
