"""The anchors of YOLACT (arXiv 1904.02689, section 4), and SSD's code of a box relative to its anchor.

Boxes are (y_min, x_min, y_max, x_max), anchors (centre x, centre y, width, height), both as fractions
of the image's sides.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from chainer import backend

from chainer_seg.arrays import Array

STRIDES = (8, 16, 32, 64, 128)  # Of the levels P3 to P7; sides of maps are rounded up.

# The units of the offsets of the centre and of the logarithms of the sides in a code (SSD's variances).
CENTRE_VARIANCE = 0.1
SIZE_VARIANCE = 0.2

# Codes are clipped to this: a box 5e8 times as large as its anchor, whose area is still a finite float32.
# Only an untrained network gives larger ones.
MAX_CODE = 100


def anchor_boxes(map_sizes: Sequence[tuple[int, int]], scales: Sequence[Sequence[float]],
                 ratios: Sequence[float], image_side: int, square: bool) -> npt.NDArray[np.float32]:
    """The anchors of all levels: by level, row, column, scale and aspect ratio.

    Args:
        map_sizes: (height, width) of the map of each level, fine to coarse.
        scales: For each level, the sides of its square anchors, in pixels of an image of
            ``image_side``.
        ratios: Width over height of the anchors of each scale.
        image_side: The side to which the scales refer.
        square: Whether the height equals the width, as the published models for COCO were trained by
            mistake: an anchor of ratio r is then a square of side scale * sqrt(r).

    Returns:
        (N, 4) float32, computed in double precision.
    """
    return np.concatenate([
        _level(size, sides, ratios, image_side, square) for size, sides in zip(map_sizes, scales)]
    ).astype(np.float32)


def _level(map_size: tuple[int, int], sides: Sequence[float], ratios: Sequence[float], image_side: int,
           square: bool) -> npt.NDArray[np.float64]:
    rows, columns = map_size
    root = np.sqrt(np.array(ratios, np.float64))
    widths = np.multiply.outer(np.array(sides, np.float64), root).ravel() / image_side
    heights = widths if square else np.divide.outer(
        np.array(sides, np.float64), root).ravel() / image_side
    anchors = np.empty((rows, columns, len(widths), 4))
    anchors[..., 0] = ((np.arange(columns) + 0.5) / columns)[None, :, None]
    anchors[..., 1] = ((np.arange(rows) + 0.5) / rows)[:, None, None]
    anchors[..., 2], anchors[..., 3] = widths, heights
    return anchors.reshape(-1, 4)


def encode_boxes(boxes: Array, anchors: Array) -> Array:
    """The codes (N, 4) of boxes (N, 4) for anchors (N, 4); the inverse of :func:`decode_boxes`."""
    xp = backend.get_array_module(boxes)
    low, high = boxes[:, 1::-1], boxes[:, 3:1:-1]
    centres = ((low + high) / 2 - anchors[:, :2]) / (CENTRE_VARIANCE * anchors[:, 2:])
    sizes = xp.log((high - low) / anchors[:, 2:]) / SIZE_VARIANCE
    return xp.concatenate([centres, sizes], axis=1)


def decode_boxes(codes: Array, anchors: Array) -> Array:
    """The boxes (N, 4) of codes (N, 4) for anchors (N, 4); they may reach outside the image."""
    xp = backend.get_array_module(codes)
    codes = xp.clip(codes, -MAX_CODE, MAX_CODE)
    centres = anchors[:, :2] + codes[:, :2] * CENTRE_VARIANCE * anchors[:, 2:]
    sizes = anchors[:, 2:] * xp.exp(codes[:, 2:] * SIZE_VARIANCE)
    low = centres - sizes / 2
    return xp.concatenate([low[:, ::-1], (low + sizes)[:, ::-1]], axis=1)


def anchor_corners(anchors: Array) -> Array:
    """The boxes (N, 4) of anchors (N, 4)."""
    xp = backend.get_array_module(anchors)
    return decode_boxes(xp.zeros_like(anchors), anchors)
