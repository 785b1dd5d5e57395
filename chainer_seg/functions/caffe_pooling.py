"""Pooling with Caffe's sizes and divisors (pooling_layer.cpp).

Chainer's average pooling rounds sizes down and divides by the whole kernel; its max pooling has windows
that lie in the padding alone.
"""

import chainer
import numpy as np
import numpy.typing as npt
from chainer import functions as F

from chainer_seg.arrays import ArrayOrVariable
from chainer_seg.functions.arguments import as_pair


def max_pooling(x: ArrayOrVariable, ksize: int | tuple[int, int], stride: int | tuple[int, int] | None = None,
                pad: int | tuple[int, int] = 0) -> chainer.Variable:
    """Max pooling of (B, C, H, W) with the output size rounded up; arguments as in ``F.max_pooling_2d``."""
    windows = _windows(x.shape[2:], ksize, stride, pad)
    y = F.max_pooling_2d(x, ksize, stride, pad, cover_all=True)
    return y[:, :, :windows[0].count, :windows[1].count]


def average_pooling(x: ArrayOrVariable, ksize: int | tuple[int, int],
                    stride: int | tuple[int, int] | None = None,
                    pad: int | tuple[int, int] = 0) -> chainer.Variable:
    """Average pooling of (B, C, H, W) with the output size rounded up, as ``F.average_pooling_2d`` otherwise.

    A sum is divided by the area of the window that lies in the image or in its padding.
    """
    rows, columns = _windows(x.shape[2:], ksize, stride, pad)
    padded = F.pad(x, [(0, 0), (0, 0), rows.padding, columns.padding], 'constant')
    y = F.average_pooling_2d(padded[:, :, :rows.extent, :columns.extent], (rows.size, columns.size),
                             (rows.stride, columns.stride))
    share = rows.shares()[:, None] * columns.shares()
    device = chainer.backend.get_device_from_array(y.array)
    return y / F.broadcast_to(chainer.Variable(device.send(share.astype(y.dtype))), y.shape)


class _Windows:
    """The windows of a pooling along one side of an image.

    Attributes:
        count: Number of windows.
        size, stride: In pixels.
        extent: Pixels from the start of the first window to the end of the last.
        padding: Pixels to add before and after the side so that it contains all windows.
    """

    def __init__(self, side: int, size: int, stride: int, pad: int) -> None:
        self.size, self.stride = size, stride
        self.count = -(-(side + 2 * pad - size) // stride) + 1
        # The last window has to begin in the image or in the padding before it.
        if pad and (self.count - 1) * stride >= side + pad:
            self.count -= 1
        self._limit = side + 2 * pad
        self.extent = (self.count - 1) * stride + size
        self.padding = (pad, max(0, self.extent - side - pad))

    def shares(self) -> npt.NDArray[np.float64]:
        """The fraction of each window that lies in the image or in its padding, (count,) float64."""
        starts = np.arange(self.count) * self.stride
        return (np.minimum(starts + self.size, self._limit) - starts) / self.size


def _windows(size: tuple[int, int], ksize: int | tuple[int, int], stride: int | tuple[int, int] | None,
             pad: int | tuple[int, int]) -> list[_Windows]:
    """The :class:`_Windows` of rows and of columns."""
    stride = ksize if stride is None else stride
    return [_Windows(*numbers) for numbers in zip(size, *map(as_pair, (ksize, stride, pad)))]
