"""The losses of YOLACT (arXiv 1904.02689, section 3 and 4; 1912.06218 for the re-scoring), as sums.

Arrays of a batch have B images, N anchors, C classes with the background and K prototypes; each image
has R objects. Which anchors are examples is said by the classes of
:func:`chainer_seg.models.yolact.targets.match_anchors`: positive ones, 0 for the background and less
for those that do not count.
"""

import chainer
import numpy as np
from chainer import backend
from chainer import functions as F

from chainer_seg.functions import resize_bilinear
from chainer_seg.models.yolact.masks import crop_limits
from chainer_seg.models.yolact.targets import BACKGROUND

# Smaller true masks, in prototype pixels, do not train the re-scoring.
LEAST_RESCORED_AREA = 25


def box_loss(codes: chainer.Variable, targets: np.ndarray, classes: np.ndarray) -> chainer.Variable:
    """Smooth L1 between the codes (B, N, 4) of positive anchors and their targets (B, N, 4), summed."""
    positive = _numbers(classes > BACKGROUND)
    difference = F.huber_loss(codes.reshape(-1, 4)[positive], targets.reshape(-1, 4)[positive],
                              delta=1, reduce='no')
    return F.sum(difference)


def class_loss(logits, classes, negative_ratio=3):
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


def hard_negatives(logits, classes, ratio):
    """(B, N) bool: the background anchors of each image that look least like background."""
    xp = backend.get_array_module(logits)
    surprise = _logsumexp(logits, xp) - logits[:, :, 0]
    surprise[classes != BACKGROUND] = 0
    wanted = xp.minimum(ratio * (classes > BACKGROUND).sum(axis=1), classes.shape[1] - 1)
    ranks = xp.argsort(xp.argsort(-surprise, axis=1), axis=1)
    return (ranks < wanted[:, None]) & (classes == BACKGROUND)


def mask_logits(prototypes, coefficients, anchors):
    """(P, h, w): the masks that P anchors put together of the prototypes (h, w, K) of their image."""
    height, width, count = prototypes.shape
    flat = F.matmul(coefficients[anchors], prototypes.reshape(height * width, count), transb=True)
    return flat.reshape(len(anchors), height, width)


def mask_loss(logits: chainer.Variable, masks: np.ndarray, bboxes: np.ndarray,
              objects: np.ndarray) -> chainer.Variable:
    """Cross entropy of cropped masks over the area of the box, summed over masks.

    Where a mask is cropped, nothing counts.

    Args:
        logits: (P, h, w) Variable, the masks before the sigmoid.
        masks: (R, h, w) bool, the true masks at this size.
        bboxes: (R, 4) float32 (y_min, x_min, y_max, x_max) as fractions of the image.
        objects: (P,) the object of each mask.
    """
    xp = backend.get_array_module(masks)
    size = logits.shape[1:]
    sides = (bboxes[:, 2:] - bboxes[:, :2]) * xp.asarray(size, np.float32)
    # The sum over the pixels of the box, over their number.
    weights = box_windows(bboxes, size) / xp.prod(sides, axis=1)[:, None, None]
    # log(1 + exp(x)) - target * x never overflows and has a gradient however wrong a mask is.
    entropy = F.softplus(logits) - masks[objects] * logits
    return F.sum(entropy * weights[objects].astype(np.float32))


def rescoring_loss(rescore, logits, masks, bboxes, labels, objects):
    """Smooth L1 between predicted and true intersections over union of cropped masks, summed.

    Args:
        rescore: From masks (P, 1, h, w) to the predictions of each class (P, C - 1).
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


def semantic_loss(logits: chainer.Variable, masks: np.ndarray, labels: np.ndarray) -> chainer.Variable:
    """Sigmoid cross entropy of one image's map of each class, the mean over pixels summed over classes.

    Args:
        logits: (C - 1, h, w) Variable.
        masks: (R, h, w) bool, the masks of objects that are no crowds.
        labels: (R,) int32.
    """
    xp = backend.get_array_module(masks)
    target = xp.zeros(logits.shape, np.int32)
    for label in np.unique(backend.CpuDevice().send(labels)).tolist():
        target[label] = masks[labels == label].any(axis=0)
    entropy = F.sigmoid_cross_entropy(logits, target, normalize=False, reduce='no')
    return F.sum(entropy) / float(np.prod(logits.shape[1:]))


def shrink_masks(masks, size):
    """Masks (R, H, W) bool at another ``size`` (h, w): bilinear, then more than a half."""
    if not len(masks):
        return masks[:, :1, :1].repeat(size[0], axis=1).repeat(size[1], axis=2)
    return resize_bilinear(masks[None].astype(np.float32), size, align_corners=False).array[0] > 0.5


def box_windows(bboxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """(R, h, w) bool: the pixels of a map of ``size`` to which masks in the boxes are cropped."""
    xp = backend.get_array_module(bboxes)
    first, stop = (limits.T[:, :, None] for limits in crop_limits(bboxes, size))
    rows, columns = ((xp.arange(length) >= low) & (xp.arange(length) < high)
                     for length, low, high in zip(size, first, stop))
    return rows[:, :, None] & columns[:, None, :]


def _logsumexp(logits, xp):
    largest = logits.max(axis=2)
    return xp.log(xp.exp(logits - largest[:, :, None]).sum(axis=2)) + largest


def _numbers(chosen):
    """Where a (B, N) array of bool is true, as numbers of the flattened array."""
    xp = backend.get_array_module(chosen)
    return xp.flatnonzero(chosen)
