"""The anchors of the region proposal network (arXiv 1506.01497, section 3.1.1), of Detectron and Detectron2.

The last row and column belong to a box, so that a height is y_max - y_min + 1.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def base_anchors(stride: int, sizes: Sequence[float], ratios: Sequence[float]) -> npt.NDArray[np.float32]:
    """The anchors of one position, as in Detectron.

    ChainerCV's are not rounded and are shifted by half a pixel, so they differ from those that published
    weights were trained with.

    Args:
        stride: Pixels between two positions of the map.
        sizes: Square roots of the areas in pixels.
        ratios: Heights as multiples of the widths.

    Returns:
        (ratios * sizes, 4) float32 (y_min, x_min, y_max, x_max) relative to the position's first
        pixel, all sizes of the first ratio first.
    """
    aspects = np.asarray(ratios, np.float64)
    widths = np.round(np.sqrt(stride ** 2 / aspects))
    heights = np.round(widths * aspects)
    enlargements = np.asarray(sizes, np.float64) / stride
    sides = np.stack([heights, widths], axis=1)[:, None] * enlargements[:, None]
    sides = sides.reshape(-1, 2)
    centre = (stride - 1) / 2
    return np.concatenate([centre - (sides - 1) / 2, centre + (sides - 1) / 2],
                          axis=1).astype(np.float32)


def exact_anchors(sizes: Sequence[float], ratios: Sequence[float]) -> npt.NDArray[np.float32]:
    """The anchors of one position, as in Detectron2: not rounded, and about the position's first corner.

    Args:
        sizes: Square roots of the areas in pixels.
        ratios: Heights as multiples of the widths.

    Returns:
        As :func:`base_anchors`, all ratios of the first size first.
    """
    widths = np.asarray(sizes, np.float64)[:, None] / np.sqrt(np.asarray(ratios, np.float64))
    sides = np.stack([widths * np.asarray(ratios), widths], axis=2).reshape(-1, 2)
    return np.concatenate([-sides / 2, sides / 2 - 1], axis=1).astype(np.float32)


def grid_anchors(base: np.ndarray, stride: int, size: tuple[int, int]) -> np.ndarray:
    """The anchors of all positions of a map.

    Args:
        base: (A, 4) float32, as of :func:`base_anchors`.
        stride: Pixels between two positions.
        size: (h, w) of the map.

    Returns:
        (h * w * A, 4) float32, ordered by row, column and anchor.
    """
    rows = np.arange(size[0], dtype=np.float32) * stride
    columns = np.arange(size[1], dtype=np.float32) * stride
    y, x = np.meshgrid(rows, columns, indexing='ij')
    shifts = np.stack([y, x, y, x], axis=2)
    return (shifts[:, :, None] + base).reshape(-1, 4)
