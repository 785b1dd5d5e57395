"""Draws clicks into the pixels of an image."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg.colors import NEGATIVE, POSITIVE

if TYPE_CHECKING:
    from chainer_seg.models.deeplab import Click

_WHITE = (255, 255, 255)


def overlay_clicks(image: npt.NDArray[np.uint8], clicks: 'Iterable[Click]', radius: int | None = None
                   ) -> npt.NDArray[np.uint8]:
    """Draws a disc with a white rim for each click, with a plus if positive and a minus if negative.

    Args:
        image: (H, W, 3) uint8 RGB.
        clicks: Objects with ``y``, ``x`` (pixels of ``image``) and ``positive``.
        radius: Radius of a disc in pixels; default: 1 % of the longer side, at least 3.

    Returns:
        (H, W, 3) uint8, a new array.
    """
    canvas = np.array(image)
    radius = radius or max(3, round(max(canvas.shape[:2]) / 100))
    arm, stroke = round(radius * 0.6), max(1, round(radius / 4))
    for click in clicks:
        y, x = round(click.y), round(click.x)
        color = POSITIVE if click.positive else NEGATIVE
        cv2.circle(canvas, (x, y), radius + max(1, radius // 6), _WHITE, -1, cv2.LINE_AA)
        cv2.circle(canvas, (x, y), radius, color, -1, cv2.LINE_AA)
        cv2.line(canvas, (x - arm, y), (x + arm, y), _WHITE, stroke)
        if click.positive:
            cv2.line(canvas, (x, y - arm), (x, y + arm), _WHITE, stroke)
    return canvas
