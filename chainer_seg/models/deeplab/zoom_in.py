"""The zoom-in on an object (f-BRS, arXiv 2001.10331, section 4), and the merge of clicks into a mask."""

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np

from chainer_seg.models.deeplab.clicks import Click, pixel_of

Crop: TypeAlias = tuple[int, int, int, int]  # (top, left, height, width) in pixels of the image

# Side of a crop over that of the object in it, and its minimum over the longer side of the image: a
# single click must not lead to a crop of a few pixels.
CROP_MARGIN = 1.6
MIN_CROP_SHARE = 1 / 12


def zoom_crop(mask: np.ndarray, clicks: Sequence[Click]) -> Crop:
    """The crop that the network sees next: a square around the object, clipped to the image.

    Args:
        mask: (H, W) bool, the current result.
        clicks: Clicks in pixels of the mask; the positive ones belong to the object. If the mask is
            empty, there must be a positive one.

    Returns:
        (top, left, height, width) in whole pixels, inside the image.
    """
    points = [(click.y, click.x) for click in clicks if click.positive]
    return _square_around([*points, *_corners(mask)], mask.shape)


def changed_crop(before: np.ndarray, after: np.ndarray, click: Click) -> Crop:
    """The crop around what a click changed (focus crop, arXiv 2204.02574, section 3.2).

    Args:
        before, after: (H, W) bool, the result without and with the click.
        click: The click, in pixels. Only the region around it counts; where it changed nothing, the crop
            is around the click itself.

    Returns:
        A crop as that of :func:`zoom_crop`.
    """
    _, regions = cv2.connectedComponents((before != after).astype(np.uint8), connectivity=4)
    number = regions[pixel_of(click)]
    points = [(click.y, click.x), *(_corners(regions == number) if number else ())]
    return _square_around(points, before.shape)


def _corners(mask: np.ndarray) -> list[tuple[int, int]]:
    """The top left and the bottom right corner of the box around a mask (H, W) bool; none of an empty one."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return [(rows[0], columns[0]), (rows[-1] + 1, columns[-1] + 1)] if len(rows) else []


def _square_around(points: Sequence[tuple[float, float]], image_size: tuple[int, ...]) -> Crop:
    """A square around points (y, x), with a margin, clipped to the image."""
    size = np.array(image_size)
    first, last = np.min(points, axis=0), np.max(points, axis=0)
    side = CROP_MARGIN * max(*(last - first), MIN_CROP_SHARE * size.max())
    height, width = np.clip(np.round(side), 1, size).astype(int).tolist()
    extent = np.array([height, width])
    top, left = np.clip(np.round((first + last - extent) / 2), 0, size - extent).astype(int).tolist()
    return top, left, height, width


def merge_changes(start: np.ndarray, probability: np.ndarray, clicks: Sequence[Click]) -> np.ndarray:
    """Changes a mask only in the regions that contain a click (arXiv 2204.02574, section 3.3).

    Args:
        start: (H, W) bool, the mask.
        probability: (H, W) float32, the new result.
        clicks: The clicks, in pixels.

    Returns:
        (H, W) float32: ``probability`` in each connected region where it differs from ``start`` and a
        click of that sign lies, and ``start`` as 0 and 1 elsewhere.
    """
    found = probability > 0.5
    clicked = np.zeros_like(start)
    for wanted in (True, False):
        difference = (found & ~start) if wanted else (start & ~found)
        _, regions = cv2.connectedComponents(difference.astype(np.uint8), connectivity=4)
        numbers = {int(regions[pixel_of(click)]) for click in clicks if click.positive == wanted}
        clicked |= np.isin(regions, sorted(numbers - {0}))
    return np.where(clicked, probability, start.astype(np.float32))


def crop_iou(a: Crop, b: Crop) -> float:
    """Intersection over union of two crops."""
    shared = 1.0
    for axis in (0, 1):
        low, high = max(a[axis], b[axis]), min(a[axis] + a[axis + 2], b[axis] + b[axis + 2])
        shared *= max(0, high - low)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)
