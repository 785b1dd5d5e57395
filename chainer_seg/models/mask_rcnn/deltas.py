"""Boxes as deltas of other boxes (arXiv 1311.2524, appendix C), in Detectron's convention.

The last row and column belong to a box, so that a height is y_max - y_min + 1. ChainerCV's ``loc2bbox``
is for half-open boxes and does not limit the growth of a box.
"""

import math
from collections.abc import Sequence

import numpy as np
from chainer import backend

from chainer_seg.arrays import Array

# Maximum logarithmic growth of a box, so that large deltas do not overflow (Detectron's BBOX_XFORM_CLIP).
MAX_GROWTH = math.log(1000 / 16)


def boxes_to_deltas(boxes: np.ndarray, targets: np.ndarray,
                    weights: Sequence[float] = (1, 1, 1, 1)) -> np.ndarray:
    """The deltas that turn boxes into others.

    Args:
        boxes, targets: (..., 4) float32 (y_min, x_min, y_max, x_max) with inclusive maxima.
        weights: Factors of the four deltas.

    Returns:
        (..., 4) float32 (dy, dx, dh, dw).
    """
    xp = backend.get_array_module(boxes)
    centres, sides = _centres_and_sides(boxes)
    target_centres, target_sides = _centres_and_sides(targets)
    deltas = xp.concatenate([(target_centres - centres) / sides, xp.log(target_sides / sides)], axis=-1)
    return deltas * xp.asarray(weights, np.float32)


def deltas_to_boxes(boxes: np.ndarray, deltas: np.ndarray,
                    weights: Sequence[float] = (1, 1, 1, 1)) -> np.ndarray:
    """Applies deltas to boxes; the inverse of :func:`boxes_to_deltas`.

    Args:
        boxes: (..., 4) float32 with inclusive maxima; the shapes of both are broadcast.
        deltas: (..., 4) float32 (dy, dx, dh, dw).
        weights: Divisors of the four deltas.

    Returns:
        (..., 4) float32 (y_min, x_min, y_max, x_max) with inclusive maxima.
    """
    xp = backend.get_array_module(boxes)
    deltas = deltas / xp.asarray(weights, np.float32)
    centres, sides = _centres_and_sides(boxes)
    centres = centres + deltas[..., :2] * sides
    halves = xp.exp(xp.minimum(deltas[..., 2:], np.float32(MAX_GROWTH))) * sides * np.float32(0.5)
    return xp.concatenate([centres - halves, centres + halves - 1], axis=-1)


def clip_boxes(boxes: np.ndarray, size: tuple[int, int], half_open: bool = False) -> np.ndarray:
    """Boxes clipped to an image.

    Args:
        boxes: (..., 4) float32 with inclusive maxima.
        size: (height, width) of the image.
        half_open: Whether nothing is left of a box beyond the image, as in Detectron2, instead of a pixel
            at its edge, as in Detectron.
    """
    xp = backend.get_array_module(boxes)
    height, width = size
    if half_open:
        least, most = [0, 0, -1, -1], [height, width, height - 1, width - 1]
    else:
        least, most = [0] * 4, [height - 1, width - 1] * 2
    least, most = (xp.asarray(limits, dtype=boxes.dtype) for limits in (least, most))
    return xp.maximum(xp.minimum(boxes, most), least)


def _centres_and_sides(boxes: Array) -> tuple[Array, Array]:
    sides = boxes[..., 2:] - boxes[..., :2] + 1
    return boxes[..., :2] + sides * np.float32(0.5), sides
