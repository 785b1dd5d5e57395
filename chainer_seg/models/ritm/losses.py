"""The losses of RITM (section 3.3 of arXiv 2102.06583): normalised focal loss and cross entropy."""

import chainer
import numpy as np
from chainer import functions as F

_EPS = 1e-12


def normalised_focal_loss(logits: chainer.Variable | np.ndarray, target: np.ndarray, alpha: float = 0.5,
                          gamma: float = 2.0) -> chainer.Variable:
    """The focal loss, with weights that sum to the number of pixels.

    As a network gets better, the plain focal loss shrinks with its weights (1 - p) ** gamma; here they
    are divided by their mean over the sample, through which there is no gradient.

    Args:
        logits: (B, H, W) float32.
        target: (B, H, W) int32, 1 on the object, 0 elsewhere, -1 where a pixel is ignored.
        alpha: Weight of the pixels of the object; the others have 1 - alpha.
        gamma: Exponent.

    Returns:
        The mean over the samples of the mean over their pixels.
    """
    xp = chainer.backend.get_array_module(target)
    counted = (target != -1).astype(np.float32)
    sign = xp.where(target == 1, np.float32(1), np.float32(-1))
    log_p = -F.softplus(-logits * sign)  # of the probability of what is true
    focus = (1 - F.exp(log_p)) ** gamma * counted
    norm = counted.sum(axis=(1, 2)) / (focus.array.sum(axis=(1, 2)) + _EPS)
    weight = xp.where(target == 1, np.float32(alpha), np.float32(1 - alpha))
    return mean_of_pixels(-log_p * focus * (weight * norm.astype(np.float32)[:, None, None]), counted)


def cross_entropy(logits: chainer.Variable | np.ndarray, target: np.ndarray) -> chainer.Variable:
    """The sigmoid cross entropy; arguments and mean are those of :func:`normalised_focal_loss`."""
    each = F.sigmoid_cross_entropy(logits, target, normalize=False, reduce='no')
    return mean_of_pixels(each, (target != -1).astype(np.float32))


def mean_of_pixels(each: chainer.Variable, counted: np.ndarray) -> chainer.Variable:
    """The mean over samples of the mean of ``each`` (B, H, W), which is 0 where ``counted`` is."""
    pixels = counted.sum(axis=(1, 2))
    xp = chainer.backend.get_array_module(pixels)
    return F.mean(F.sum(each * counted, axis=(1, 2)) / xp.maximum(pixels, 1))
