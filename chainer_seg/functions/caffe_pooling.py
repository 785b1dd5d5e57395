"""Pooling with Caffe's sizes and divisors (pooling_layer.cpp).

Chainer's average pooling rounds sizes down and divides by the whole kernel; its max pooling has windows
that lie in the padding alone.
"""

import chainer
import numpy as np
from chainer import functions as F


def max_pooling(x, ksize, stride=None, pad=0):
    """Max pooling of (B, C, H, W), with ceiled sizes; arguments as those of Chainer's."""
    windows = _windows(x.shape[2:], ksize, stride, pad)
    y = F.max_pooling_2d(x, ksize, stride, pad, cover_all=True)
    return y[:, :, :windows[0].count, :windows[1].count]


def average_pooling(x, ksize, stride=None, pad=0):
    """Average pooling of (B, C, H, W), with ceiled sizes; arguments as those of Chainer's.

    A sum is divided by the part of the window that lies in the image or in its padding.
    """
    rows, columns = _windows(x.shape[2:], ksize, stride, pad)
    x = F.pad(x, [(0, 0), (0, 0), rows.padding, columns.padding], 'constant')
    y = F.average_pooling_2d(x[:, :, :rows.extent, :columns.extent], (rows.size, columns.size),
                             (rows.stride, columns.stride))
    share = rows.shares()[:, None] * columns.shares()
    device = chainer.backend.get_device_from_array(y.array)
    return y / F.broadcast_to(chainer.Variable(device.send(share.astype(y.dtype))), y.shape)


class _Windows:
    """The windows of a pooling along one side of an image.

    Attributes:
        count: Their number.
        size, stride: In pixels.
        extent: Pixels from the start of the first to the end of the last.
        padding: Pixels to add before and behind so that all of them are there.
    """

    def __init__(self, side, size, stride, pad):
        self.size, self.stride = size, stride
        self.count = -(-(side + 2 * pad - size) // stride) + 1
        # The last one has to begin in the image or in the padding before it.
        if pad and (self.count - 1) * stride >= side + pad:
            self.count -= 1
        self._limit = side + 2 * pad
        self.extent = (self.count - 1) * stride + size
        self.padding = (pad, max(0, self.extent - side - pad))

    def shares(self):
        """What part of each window lies in the image or in its padding, (count,) float64."""
        starts = np.arange(self.count) * self.stride
        return (np.minimum(starts + self.size, self._limit) - starts) / self.size


def _windows(size, ksize, stride, pad):
    """The :class:`_Windows` of rows and of columns."""
    stride = ksize if stride is None else stride
    return [_Windows(*numbers) for numbers in zip(size, *(
        value if isinstance(value, tuple) else (value, value) for value in (ksize, stride, pad)))]
