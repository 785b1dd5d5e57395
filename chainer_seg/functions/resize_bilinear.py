"""Bilinear resizing as two matrix products, with aligned corner pixels or aligned corners."""

from typing import Any

import chainer
import numpy as np
import numpy.typing as npt
from chainer import backend, function_node
from chainer import functions as F
from chainer.utils import type_check

from chainer_seg.arrays import Array, ArrayOrVariable


class ResizeBilinear(function_node.FunctionNode):
    """See :func:`resize_bilinear` and :func:`resize_like`, which adds a second input for its size alone."""

    def __init__(self, size: tuple[int, int], align_corners: bool) -> None:
        self.size, self.align_corners = size, align_corners

    def check_type_forward(self, in_types: type_check.TypeInfoTuple) -> None:
        for in_type in in_types:
            type_check.expect(in_type.ndim == 4, in_type.dtype.kind == 'f')

    def forward(self, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
        x = inputs[0]
        self._shape_and_dtype = x.shape, x.dtype
        rows, columns = self._weights(x.shape, x.dtype, backend.get_array_module(x))
        return rows @ (x @ columns.T),

    def backward(self, indexes: tuple[int, ...],
                 grad_outputs: tuple[chainer.Variable, ...]) -> tuple[chainer.Variable | None, ...]:
        rows, columns = self._weights(*self._shape_and_dtype, backend.get_array_module(grad_outputs[0]))
        gradient = F.matmul(rows.T, F.matmul(grad_outputs[0], columns))
        return tuple(gradient if index == 0 else None for index in indexes)

    def _weights(self, shape: tuple[int, ...], dtype: npt.DTypeLike, xp: Any) -> tuple[Array, Array]:
        """The weights (H, h) of rows and (W, w) of columns of images of a shape, as arrays of ``xp``."""
        place = _aligned_centres if self.align_corners else _aligned_edges
        rows, columns = (xp.asarray(_weights(place(length, wanted), length, dtype))
                         for length, wanted in zip(shape[2:], self.size))
        return rows, columns


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
    return ResizeBilinear(size, align_corners).apply((x,))[0]


def resize_like(x: ArrayOrVariable, other: ArrayOrVariable, align_corners: bool = True) -> chainer.Variable:
    """As :func:`resize_bilinear`, to the size of other images (any, any, H, W).

    A network that takes its sizes from its maps in this way can be exported for images of any size.
    """
    return ResizeBilinear(other.shape[2:], align_corners).apply((x, other))[0]


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
