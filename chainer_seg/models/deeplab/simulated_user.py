"""A simulated user who clicks where the result differs from the truth, for training and evaluation."""

import cv2
import numpy as np

from chainer_seg.models.deeplab.clicks import Click


def next_click(mask, truth):
    """The click that the simulated user makes: in the middle of the largest wrong region.

    As in section 4 of arXiv 1603.04042.

    Args:
        mask: (H, W) bool, what the model found so far; nothing before the first click.
        truth: (H, W) bool, the object.

    Returns:
        A :class:`Click`, positive where the object was missed and negative where something else was
        taken for it; None where ``mask`` is right everywhere.
    """
    missed, excess = _largest_region(truth & ~mask), _largest_region(mask & ~truth)
    positive = missed.sum() >= excess.sum()
    region = missed if positive else excess
    if not region.any():
        return None
    # A border of zeros: the middle is far from the rim of the image, too.
    padded = np.pad(region.astype(np.uint8), 1)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    y, x = np.unravel_index(depth.argmax(), depth.shape)
    return Click(float(y), float(x), bool(positive))


def _largest_region(wrong):
    """The largest 4-connected region of (H, W) bool."""
    _, regions, statistics, _ = cv2.connectedComponentsWithStats(
        wrong.astype(np.uint8), connectivity=4)
    areas = statistics[1:, cv2.CC_STAT_AREA]
    if len(areas) == 0:
        return np.zeros_like(wrong)
    return regions == 1 + areas.argmax()
