"""Chainer's CPU convolutions as one matrix product per image, without transposing whole batches.

Chainer unfolds a batch into columns and multiplies them with ``tensordot``, which copies its operands
into another memory layout and returns a result in a layout that the next layer has to copy. Products
image by image need no copies, and a 1x1 convolution needs no columns at all.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt


@dataclasses.dataclass(frozen=True)
class Geometry:
    """The sizes of a convolution, each for (rows, columns)."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    pad: tuple[int, int]
    dilation: tuple[int, int]
    output: tuple[int, int]

    @property
    def is_pointwise(self) -> bool:
        """Whether the image is its own matrix of columns."""
        return self.kernel == (1, 1) and self.stride == (1, 1) and self.pad == (0, 0)

    def taps(self,
             size: tuple[int, ...]) -> Iterator[tuple[int, int, tuple[slice, slice], tuple[slice, slice]]]:
        """For each tap that touches the image: (row, column, slices of the output, of the image)."""
        for row in range(self.kernel[0]):
            rows = self._overlap(0, row, size[0])
            for column in range(self.kernel[1]):
                columns = self._overlap(1, column, size[1])
                if rows and columns:
                    yield row, column, (rows[0], columns[0]), (rows[1], columns[1])

    def _overlap(self, axis: int, tap: int, length: int) -> tuple[slice, slice] | None:
        """Slices of the output and of the input between which one tap moves data; None if it moves none."""
        stride, shift = self.stride[axis], tap * self.dilation[axis] - self.pad[axis]
        first = max(0, -(shift // stride))
        last = min(self.output[axis], (length - 1 - shift) // stride + 1)
        if last <= first:
            return None
        start = first * stride + shift
        return slice(first, last), slice(start, start + (last - first - 1) * stride + 1, stride)


def convolve(x: npt.NDArray, weights: npt.NDArray, geometry: Geometry) -> npt.NDArray:
    """Correlates images (B, C, H, W) with weights (O, C, kh, kw): (B, O, oh, ow)."""
    matrix = weights.reshape(len(weights), -1)
    y = np.empty((len(x), len(weights), int(np.prod(geometry.output))), x.dtype)
    for columns, out in zip(_columns_of(x, geometry), y):
        _multiply(matrix, columns, out)
    return y.reshape(y.shape[:2] + geometry.output)


def convolve_transposed(x: npt.NDArray, weights: npt.NDArray, geometry: Geometry,
                        size: tuple[int, int]) -> npt.NDArray:
    """Spreads images (B, O, oh, ow) by weights (O, C, kh, kw) over images (B, C) + ``size``."""
    matrix = weights.reshape(len(weights), -1).T
    channels = weights.shape[1]
    flat = x.reshape(len(x), x.shape[1], -1)
    if geometry.is_pointwise:
        y = np.empty((len(x), channels, flat.shape[2]), x.dtype)
        for image, out in zip(flat, y):
            _multiply(matrix, image, out)
        return y.reshape((len(x), channels) + size)
    y = np.zeros((len(x), channels) + size, x.dtype)
    columns = np.empty((channels,) + geometry.kernel + geometry.output, x.dtype)
    taps = list(geometry.taps(size))
    for image, out in zip(flat, y):
        _multiply(matrix, image, columns.reshape(len(matrix), -1))
        for row, column, source, target in taps:
            out[(slice(None),) + target] += columns[(slice(None), row, column) + source]
    return y


def weight_gradient(x: npt.NDArray, gy: npt.NDArray, shape: tuple[int, ...],
                    geometry: Geometry) -> npt.NDArray:
    """The gradient of the weights (O, C, kh, kw) from images (B, C, H, W) and (B, O, oh, ow)."""
    dtype = np.result_type(x, gy)
    total = np.zeros((shape[0], int(np.prod(shape[1:]))), dtype)
    flat = gy.reshape(gy.shape[:2] + (-1,))
    for columns, image in zip(_columns_of(x, geometry), flat):
        total += image @ columns.T
    return total.reshape(shape)


def _columns_of(x: npt.NDArray, geometry: Geometry) -> Iterator[npt.NDArray]:
    """Yields the columns (C * kh * kw, oh * ow) of each image; the array is reused."""
    if geometry.is_pointwise:
        yield from x.reshape(x.shape[:2] + (-1,))
        return
    # Taps that fall off the image leave their zeros untouched.
    columns = np.zeros(x.shape[1:2] + geometry.kernel + geometry.output, x.dtype)
    taps = list(geometry.taps(x.shape[2:]))
    for image in x:
        for row, column, target, source in taps:
            columns[(slice(None), row, column) + target] = image[(slice(None),) + source]
        yield columns.reshape(-1, int(np.prod(geometry.output)))


def _multiply(left: npt.NDArray, right: npt.NDArray, out: npt.NDArray) -> None:
    if np.result_type(left, right) == out.dtype:
        np.matmul(left, right, out=out)
    else:
        out[...] = left @ right
