"""Deformable convolution that predicts its own offsets (arXiv 1811.11168, section 3.2)."""

from typing import Any

import chainer
from chainer import functions as F
from chainer import links as L

from chainer_seg.arrays import ArrayOrVariable
from chainer_seg.functions import deformable_convolution


class DeformableConvolution2D(chainer.Chain):
    """A convolution whose taps are shifted and weighted by another convolution of the same input.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        size: Taps per axis, k.
        stride, pad, dilate: As in ``chainer.links.Convolution2D``.
        initialW: Initializer of the weights.

    The parameters are ``W`` (out_channels, in_channels, k, k) and ``b``. The child ``offset`` has
    3 k^2 outputs: for each tap its shifts down and to the right, then for each tap the logit of its
    weight. It is initialised with 0 as in the paper: no shifts, and a weight of 1/2 for each tap.
    """

    def __init__(self, in_channels: int, out_channels: int, size: int, stride: int = 1, pad: int = 0,
                 dilate: int = 1, initialW: Any = None) -> None:
        super().__init__()
        self.taps = size ** 2
        self.geometry = {'stride': stride, 'pad': pad, 'dilate': dilate}
        with self.init_scope():
            self.W = chainer.Parameter(chainer.initializers._get_initializer(initialW),
                                       (out_channels, in_channels, size, size))
            self.b = chainer.Parameter(chainer.initializers.Zero(), out_channels)
            self.offset = L.Convolution2D(in_channels, 3 * self.taps, size, initialW=0,
                                          **self.geometry)

    def forward(self, x: ArrayOrVariable) -> chainer.Variable:
        offset, weight = F.split_axis(self.offset(x), [2 * self.taps], axis=1)
        return deformable_convolution(x, offset, F.sigmoid(weight), self.W, self.b, **self.geometry)
