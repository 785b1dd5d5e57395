"""Where to look closer, and which changes of a mask were asked for."""

import cv2
import numpy as np

from chainer_seg.models.deeplab.clicks import pixel_of

# A window is so many times as large as the object in it, and at least this part of the image: a
# single click must not lead to a window of a few pixels.
CROP_MARGIN = 1.6
LEAST_ZOOM = 1 / 12


def zoom_crop(mask, clicks):
    """Where to look closer: a square around the object, as far as the image reaches.

    Args:
        mask: (H, W) bool, what was found so far.
        clicks: Clicks in pixels of the mask; the positive ones belong to the object. Where nothing
            was found, there must be one.

    Returns:
        (top, left, height, width) in whole pixels, inside the image.
    """
    size = np.array(mask.shape)
    points = [(click.y, click.x) for click in clicks if click.positive]
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows):
        points += [(rows[0], columns[0]), (rows[-1] + 1, columns[-1] + 1)]
    first, last = np.min(points, axis=0), np.max(points, axis=0)
    side = CROP_MARGIN * max(*(last - first), LEAST_ZOOM * size.max())
    window = np.clip(np.round(side), 1, size).astype(int)
    corner = np.clip(np.round((first + last - window) / 2), 0, size - window).astype(int)
    return (*corner.tolist(), *window.tolist())


def merge_changes(start, probability, clicks):
    """Changes a mask only in those regions where a click asks for it.

    Args:
        start: (H, W) bool, the mask.
        probability: (H, W) float32, what was found; where it crosses 0.5 it differs from ``start``.
        clicks: The clicks, in pixels.

    Returns:
        (H, W) float32: ``probability`` in each connected region of difference that a click of its
        sign lies in, and ``start`` as 0 and 1 elsewhere.
    """
    found = probability > 0.5
    asked = np.zeros_like(start)
    for wanted in (True, False):
        difference = (found & ~start) if wanted else (start & ~found)
        _, regions = cv2.connectedComponents(difference.astype(np.uint8), connectivity=4)
        numbers = {int(regions[pixel_of(click)]) for click in clicks if click.positive == wanted}
        asked |= np.isin(regions, sorted(numbers - {0}))
    return np.where(asked, probability, start.astype(np.float32))


def window_iou(a: tuple[int, int, int, int], b: tuple[int, int, int, int]) -> float:
    """Intersection over union of two windows (top, left, height, width)."""
    shared = 1.0
    for axis in (0, 1):
        low, high = max(a[axis], b[axis]), min(a[axis] + a[axis + 2], b[axis] + b[axis + 2])
        shared *= max(0, high - low)
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)
