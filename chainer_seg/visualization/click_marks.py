"""Clicks drawn into the pixels of a picture."""

import cv2
import numpy as np

from chainer_seg.images import as_image

POSITIVE_MARK = (40, 200, 90)
NEGATIVE_MARK = (230, 60, 60)


def overlay_clicks(image, clicks, radius=None):
    """Draws a dot with a white rim for each click: green on the object, red off it.

    Args:
        image: (H, W, 3) uint8.
        clicks: Objects with ``y``, ``x`` and ``positive``.
        radius: Of a dot, in pixels; a hundredth of the longer side, and at least 3, if left out.

    Returns:
        (H, W, 3) uint8, a new array.
    """
    picture = np.array(as_image(image))
    radius = radius or max(3, round(max(picture.shape[:2]) / 100))
    for click in clicks:
        centre = (round(click.x), round(click.y))
        mark = POSITIVE_MARK if click.positive else NEGATIVE_MARK
        cv2.circle(picture, centre, radius + max(1, radius // 3), (255, 255, 255), -1, cv2.LINE_AA)
        cv2.circle(picture, centre, radius, mark, -1, cv2.LINE_AA)
    return picture
