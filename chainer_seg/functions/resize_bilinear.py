"""Bilinear resizing as two matrix products, with aligned corner pixels or aligned corners."""

import chainer
import numpy as np
import numpy.typing as npt
from chainer import backend
from chainer import functions as F

from chainer_seg.arrays import ArrayOrVariable


def resize_bilinear(x: ArrayOrVariable, size: tuple[int, int],
                    align_corners: bool = True) -> chainer.Variable:
    """Resizes images by bilinear interpolation without antialiasing.

    The results are those of ``chainer.functions.resize_images``, whose gradient on the CPU is computed
    pixel by pixel; here both directions are matrix products.

    Args:
        x: (B, C, h, w) float Variable or array.
        size: (H, W).
        align_corners: True to align the centres of the corner pixels; False to align the corners of the
            images, with constant values outside the outermost centres, as PyTorch does.

    Returns:
        (B, C, H, W) Variable.
    """
    xp = backend.get_array_module(x)
    place = _aligned_centres if align_corners else _aligned_edges
    rows = xp.asarray(_weights(place(x.shape[2], size[0]), x.shape[2], x.dtype))
    columns = xp.asarray(_weights(place(x.shape[3], size[1]), x.shape[3], x.dtype))
    return F.matmul(rows, F.matmul(x, columns.T))


def _aligned_centres(length: int, wanted: int) -> npt.NDArray[np.float64]:
    return np.linspace(0, length - 1, wanted)


def _aligned_edges(length: int, wanted: int) -> npt.NDArray[np.float64]:
    return np.clip((np.arange(wanted) + 0.5) * length / wanted - 0.5, 0, length - 1)


def _weights(positions: npt.NDArray[np.float64], length: int, dtype: npt.DTypeLike) -> npt.NDArray:
    """(len(positions), length): the weight of each input sample in each output sample."""
    distance = np.abs(positions[:, None] - np.arange(length)[None, :])
    return np.maximum(1 - distance, 0).astype(dtype)


def resize_array(x: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """As :func:`resize_bilinear` with aligned centres, without gradients: for large images on the CPU.

    Args:
        x: (..., h, w) float array of NumPy.
        size: (H, W).

    Returns:
        (..., H, W) array; ``x`` itself where it has that size.
    """
    for axis in (0, 1):
        if x.shape[axis - 2] != size[axis]:
            x = _interpolated(x, _aligned_centres(x.shape[axis - 2], size[axis]), axis - 2)
    return x


def _interpolated(x: np.ndarray, positions: np.ndarray, axis: int) -> np.ndarray:
    first = np.minimum(positions.astype(int), x.shape[axis] - 1)
    second = np.minimum(first + 1, x.shape[axis] - 1)
    share = (positions - first).astype(x.dtype)
    if axis == -2:
        share = share[:, None]
    low = x.take(first, axis)
    return low + (x.take(second, axis) - low) * share
