"""Chainer's CPU convolutions as one matrix product per image, without transposing whole batches.

Chainer unfolds a batch into columns and multiplies them with ``tensordot``, which copies its operands
into another memory layout and returns a result in a layout that the next layer has to copy. Products
image by image need no copies, and a 1x1 convolution needs no columns at all. The groups of a grouped
convolution (ResNeXt) are multiplied as stacks of matrices, as many at a time as the cache holds.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt


# Number of values of the columns of several groups that are multiplied together.
_CHUNK = 1 << 20


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


def convolve(x: npt.NDArray, weights: npt.NDArray, geometry: Geometry, groups: int = 1) -> npt.NDArray:
    """Correlates images (B, C, H, W) with weights (O, C / groups, kh, kw): (B, O, oh, ow)."""
    matrices = _matrices(weights, groups)
    y = np.empty((len(x), groups, len(weights) // groups, int(np.prod(geometry.output))), x.dtype)
    for number, part, columns in _columns_of(x, geometry, groups):
        _multiply(matrices[part], columns, y[number, part])
    return y.reshape((len(x), len(weights)) + geometry.output)


def convolve_transposed(x: npt.NDArray, weights: npt.NDArray, geometry: Geometry,
                        size: tuple[int, int], groups: int = 1) -> npt.NDArray:
    """Spreads images (B, O, oh, ow) by weights (O, C / groups, kh, kw) over images (B, C) + ``size``."""
    matrices = _matrices(weights, groups).transpose(0, 2, 1)
    channels = weights.shape[1]
    flat = x.reshape(len(x), groups, x.shape[1] // groups, x.shape[2] * x.shape[3])
    if geometry.is_pointwise:
        y = np.empty((len(x), groups, channels, flat.shape[3]), x.dtype)
        for image, out in zip(flat, y):
            _multiply(matrices, image, out)
        return y.reshape((len(x), groups * channels) + size)
    y = np.zeros((len(x), groups, channels) + size, x.dtype)
    taps = list(geometry.taps(size))
    parts = list(_parts(groups, matrices.shape[1] * flat.shape[3]))
    columns = np.empty((parts[0].stop, channels) + geometry.kernel + geometry.output, x.dtype)
    for image, out in zip(flat, y):
        for part in parts:
            some, target = columns[:part.stop - part.start], out[part]
            _multiply(matrices[part], image[part], some.reshape(len(some), matrices.shape[1], -1))
            for row, column, source, place in taps:
                target[(slice(None),) * 2 + place] += some[(slice(None),) * 2 + (row, column) + source]
    return y.reshape((len(x), groups * channels) + size)


def weight_gradient(x: npt.NDArray, gy: npt.NDArray, shape: tuple[int, ...],
                    geometry: Geometry, groups: int = 1) -> npt.NDArray:
    """The gradient of the weights (O, C / groups, kh, kw) from images (B, C, H, W) and (B, O, oh, ow)."""
    dtype = np.result_type(x, gy)
    total = np.zeros((groups, shape[0] // groups, int(np.prod(shape[1:]))), dtype)
    flat = gy.reshape(len(gy), groups, shape[0] // groups, -1)
    for number, part, columns in _columns_of(x, geometry, groups):
        total[part] += flat[number, part] @ columns.transpose(0, 2, 1)
    return total.reshape(shape)


def _matrices(weights: npt.NDArray, groups: int) -> npt.NDArray:
    """Weights (O, C / groups, kh, kw) as one matrix for each group: (groups, O / groups, ...)."""
    return weights.reshape(groups, len(weights) // groups, -1)


def _parts(groups: int, values: int) -> Iterator[slice]:
    """Slices of the groups, each of ``values`` numbers, that stay in the cache together."""
    step = min(groups, max(1, _CHUNK // max(1, values)))
    for start in range(0, groups, step):
        yield slice(start, min(start + step, groups))


def _columns_of(x: npt.NDArray, geometry: Geometry,
                groups: int) -> Iterator[tuple[int, slice, npt.NDArray]]:
    """Yields (image, slice of the groups) and their columns (g, C / groups * kh * kw, oh * ow).

    The array of the columns is reused.
    """
    images = x.reshape((len(x), groups, x.shape[1] // groups) + x.shape[2:])
    if geometry.is_pointwise:
        for number, image in enumerate(images):
            yield number, slice(0, groups), image.reshape(image.shape[:2] + (-1,))
        return
    shape = images.shape[2:3] + geometry.kernel + geometry.output
    parts = list(_parts(groups, int(np.prod(shape))))
    # Taps that fall off the image leave their zeros untouched.
    columns = np.zeros((parts[0].stop,) + shape, x.dtype)
    taps = list(geometry.taps(x.shape[2:]))
    for number, image in enumerate(images):
        for part in parts:
            some = columns[:part.stop - part.start]
            for row, column, target, source in taps:
                some[(slice(None),) * 2 + (row, column) + target] = image[part][(slice(None),) * 2 + source]
            yield number, part, some.reshape(len(some), -1, int(np.prod(geometry.output)))


def _multiply(left: npt.NDArray, right: npt.NDArray, out: npt.NDArray) -> None:
    if np.result_type(left, right) == out.dtype:
        np.matmul(left, right, out=out)
    else:
        out[...] = left @ right
