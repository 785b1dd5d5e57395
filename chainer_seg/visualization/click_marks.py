"""Clicks drawn into the pixels of a picture."""

import cv2
import numpy as np

from chainer_seg.colors import NEGATIVE, POSITIVE

_WHITE = (255, 255, 255)


def overlay_clicks(image, clicks, radius=None):
    """Draws a disc with a white rim for each click: a plus on the object, a minus off it.

    Args:
        image: (H, W, 3) uint8.
        clicks: Objects with ``y``, ``x`` (pixels of ``image``) and ``positive``.
        radius: Of a disc, in pixels; a hundredth of the longer side, and at least 3, if left out.

    Returns:
        (H, W, 3) uint8, a new array.
    """
    picture = np.array(image)
    radius = radius or max(3, round(max(picture.shape[:2]) / 100))
    arm, stroke = round(radius * 0.6), max(1, round(radius / 4))
    for click in clicks:
        y, x = round(click.y), round(click.x)
        color = POSITIVE if click.positive else NEGATIVE
        cv2.circle(picture, (x, y), radius + max(1, radius // 6), _WHITE, -1, cv2.LINE_AA)
        cv2.circle(picture, (x, y), radius, color, -1, cv2.LINE_AA)
        cv2.line(picture, (x - arm, y), (x + arm, y), _WHITE, stroke)
        if click.positive:
            cv2.line(picture, (x, y - arm), (x, y + arm), _WHITE, stroke)
    return picture
