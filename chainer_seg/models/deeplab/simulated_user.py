"""A simulated user who clicks where the result differs from the truth, for training and evaluation."""

import cv2
import numpy as np

from chainer_seg.models.deeplab.clicks import Click


def next_click(mask: np.ndarray, truth: np.ndarray) -> Click | None:
    """The simulated user's click: in the middle of the largest wrong region (arXiv 1603.04042, section 4).

    Args:
        mask: (H, W) bool, the current result; empty before the first click.
        truth: (H, W) bool, the object.

    Returns:
        A :class:`Click`, positive on a missing part of the object and negative on excess; None if
        ``mask`` equals ``truth``.
    """
    missed, excess = _largest_region(truth & ~mask), _largest_region(mask & ~truth)
    positive = missed.sum() >= excess.sum()
    region = missed if positive else excess
    if not region.any():
        return None
    # A border of zeros, so that the middle is far from the edge of the image, too.
    padded = np.pad(region.astype(np.uint8), 1)
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    y, x = np.unravel_index(depth.argmax(), depth.shape)
    return Click(float(y), float(x), bool(positive))


def _largest_region(wrong: np.ndarray) -> np.ndarray:
    """The largest 4-connected region of (H, W) bool."""
    _, regions, statistics, _ = cv2.connectedComponentsWithStats(
        wrong.astype(np.uint8), connectivity=4)
    areas = statistics[1:, cv2.CC_STAT_AREA]
    if len(areas) == 0:
        return np.zeros_like(wrong)
    return regions == 1 + areas.argmax()
