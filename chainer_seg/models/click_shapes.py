"""Boxes and brush strokes that a user draws, as clicks and as pixels."""

import math
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg.errors import ClickError
from chainer_seg.models.deeplab.clicks import Click

_BESIDE = 0.05  # distance of negative clicks from a box, as a fraction of its sides

Box = tuple[float, float, float, float]  # (y_min, x_min, y_max, x_max) in pixels


def check_box(box: Sequence[float], size: tuple[int, int]) -> Box:
    """A box, clipped to an image of a size (height, width).

    Raises:
        chainer_seg.errors.ClickError: It has no pixel of the image.
    """
    y_min, x_min, y_max, x_max = map(float, box)
    limited = max(y_min, 0.0), max(x_min, 0.0), min(y_max, float(size[0])), min(x_max, float(size[1]))
    if not (limited[2] - limited[0] >= 1 and limited[3] - limited[1] >= 1):
        raise ClickError('The box is too small; drag it around the whole object.')
    return limited


def box_clicks(box: Box, size: tuple[int, int]) -> tuple[Click, ...]:
    """Clicks that say what a box around an object says.

    Five in the form of a cross, in the middle and a quarter of the sides from it, and negative ones beside
    the corners, where they are inside the image of this size (height, width). With the shipped click model,
    this gave better masks of objects on photographs than a click in the middle alone, or than GrabCut.
    """
    y_min, x_min, y_max, x_max = box
    height, width = y_max - y_min, x_max - x_min
    around = [Click(y, x, False)
              for y in (y_min - 1 - _BESIDE * height, y_max + _BESIDE * height)
              for x in (x_min - 1 - _BESIDE * width, x_max + _BESIDE * width)]
    y, x = (y_min + y_max - 1) / 2, (x_min + x_max - 1) / 2
    cross = [Click(y + down * height / 4, x + right * width / 4)
             for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1), (0, 0))]
    return *cross, *(click for click in around if 0 <= click.y < size[0] and 0 <= click.x < size[1])


def inside_box(box: Box, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """(H, W) bool: the pixels whose centres lie in a box."""
    inside = np.zeros(size, bool)
    top, left, bottom, right = (math.ceil(edge - 0.5) for edge in box)
    inside[top:bottom, left:right] = True
    return inside


def stroke_mask(points: npt.ArrayLike, radius: float, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The pixels of a brush stroke.

    Args:
        points: (N, 2), y and x in pixels, of the path; parts outside the image are dropped.
        radius: Of the round brush, in pixels; at least the pixels on the path are painted.
        size: (height, width) of the image.

    Returns:
        (H, W) bool.

    Raises:
        chainer_seg.errors.ClickError: There are no points, or they or the radius are not finite.
    """
    path = np.asarray(points, np.float64).reshape(-1, 2)
    if not len(path) or not np.isfinite(path).all() or not math.isfinite(radius):
        raise ClickError('A stroke needs points and a radius that are finite; draw it again.')
    radius = min(max(radius, 0.0), float(sum(size)))
    path = np.clip(path, -2 * max(size), 3 * max(size))
    painted = np.zeros(size, np.uint8)
    shift = 4  # bits of a coordinate's fraction
    pixels = np.round(path[:, ::-1] * (1 << shift)).astype(np.int32)
    thickness = max(1, round(2 * radius))
    cv2.polylines(painted, [pixels], False, 1, thickness, shift=shift)
    for x, y in pixels[[0, -1]].tolist():
        cv2.circle(painted, (x, y), round(radius * (1 << shift)), 1, cv2.FILLED, shift=shift)
    return painted.astype(bool)
