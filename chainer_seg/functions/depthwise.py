"""Chainer's depthwise convolutions on the CPU: grouped ones with one channel per group.

Chainer unfolds the images and multiplies a row by a small matrix for each channel. Here OpenCV filters one
channel of all images at a time, a few channels in the cache: two to four times as fast as adding the taps one
by one with NumPy, and without the memory of the unfolded images. The gradient of the weights adds one tap at
a time.
"""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg.functions.convolution import Geometry

# Number of elements that are computed at a time.
_CHUNK = 1 << 16


def convolve(x: npt.NDArray, weights: npt.NDArray, geometry: Geometry) -> npt.NDArray:
    """Correlates images (B, C, H, W) channel by channel with weights (C, 1, kh, kw): (B, C, oh, ow)."""
    axes = list(zip(x.shape[2:], geometry.pad, geometry.output, geometry.stride, _reach(geometry)))
    sides = [max(pad + side, (out - 1) * stride + reach) for side, pad, out, stride, reach in axes]
    inner = [slice(pad, pad + side) for side, pad, *_ in axes]
    results = [slice(0, (out - 1) * stride + 1, stride) for _, _, out, stride, _ in axes]
    return _filter(x, sides, inner, _spread(weights, geometry), results, geometry.output)


def convolve_transposed(x: npt.NDArray, weights: npt.NDArray, geometry: Geometry,
                        size: tuple[int, int]) -> npt.NDArray:
    """Spreads images (B, C, oh, ow) by weights (C, 1, kh, kw) over images (B, C) + ``size``."""
    axes = list(zip(x.shape[2:], geometry.pad, size, geometry.stride, _reach(geometry)))
    extents = [(side - 1) * stride + 1 for side, _, _, stride, _ in axes]
    sides = [reach - 1 + max(extent, pad + out) for extent, (_, pad, out, _, reach) in zip(extents, axes)]
    # A stride puts zeros between the pixels.
    inner = [slice(reach - 1, reach - 1 + extent, stride)
             for extent, (_, _, _, stride, reach) in zip(extents, axes)]
    results = [slice(pad, pad + out) for _, pad, out, _, _ in axes]
    return _filter(x, sides, inner, _spread(weights, geometry)[:, ::-1, ::-1], results, size)


def weight_gradient(x: npt.NDArray, gy: npt.NDArray, geometry: Geometry) -> npt.NDArray:
    """The gradient of the weights (C, 1, kh, kw) from images (B, C, H, W) and (B, C, oh, ow)."""
    total = np.zeros((x.shape[1], 1) + geometry.kernel, np.result_type(x, gy))
    taps = list(geometry.taps(x.shape[2:]))
    for channels in _chunks(x.shape[1], int(np.prod(geometry.output))):
        for image in range(len(x)):
            for row, column, target, source in taps:
                total[channels, 0, row, column] += np.einsum(
                    'chw,chw->c', x[image, channels][:, *source], gy[image, channels][:, *target])
    return total


def _filter(x: npt.NDArray, sides: Sequence[int], inner: Sequence[slice], kernels: npt.NDArray,
            results: Sequence[slice], size: tuple[int, int]) -> npt.NDArray:
    """Correlates images that are laid into zeros.

    Args:
        x: (B, C, h, w).
        sides: Height and width of the zeros.
        inner: The rows and the columns of the zeros that the images take.
        kernels: (C, reach of rows, reach of columns), of a type that OpenCV filters.
        results: The rows and columns of the correlation that are returned.
        size: Their number.

    Returns:
        (B, C) + ``size``, of the type of ``x``.
    """
    y = np.empty((*x.shape[:2], *size), x.dtype)
    if not y.size:
        return y
    for channels in _chunks(x.shape[1], len(x) * sides[0] * sides[1]):
        part = x[:, channels].swapaxes(0, 1)
        laid = np.zeros((*part.shape[:2], *sides), kernels.dtype)
        laid[:, :, *inner] = part
        filtered = np.empty_like(laid)
        # The images of a channel lie one below the other; what is returned never reaches the next one.
        for image, kernel, result in zip(laid, kernels[channels], filtered):
            cv2.filter2D(image.reshape(-1, sides[1]), -1, kernel, result.reshape(-1, sides[1]), (0, 0),
                         borderType=cv2.BORDER_CONSTANT)
        y[:, channels] = filtered[:, :, *results].swapaxes(0, 1)
    return y


def _spread(weights: npt.NDArray, geometry: Geometry) -> npt.NDArray:
    """The kernels (C, kh, kw) with the zeros of their dilation, in a type that OpenCV filters."""
    dtype = np.float64 if weights.dtype == np.float64 else np.float32
    kernels = np.zeros((len(weights), *_reach(geometry)), dtype)
    kernels[:, ::geometry.dilation[0], ::geometry.dilation[1]] = weights[:, 0]
    return kernels


def _reach(geometry: Geometry) -> tuple[int, ...]:
    """Rows and columns that a kernel spans."""
    return tuple((length - 1) * dilation + 1 for length, dilation in zip(geometry.kernel, geometry.dilation))


def _chunks(channels: int, elements: int) -> Iterator[slice]:
    """Slices of the channels, each of which has ``elements`` elements."""
    step = max(1, _CHUNK // max(1, elements))
    return (slice(start, min(channels, start + step)) for start in range(0, channels, step))
