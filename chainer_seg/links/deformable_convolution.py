"""Deformable convolution that finds its own offsets (arXiv 1811.11168, section 3.2)."""

import chainer
from chainer import functions as F
from chainer import links as L

from chainer_seg.functions import deformable_convolution


class DeformableConvolution2D(chainer.Chain):
    """A convolution whose taps are moved and weighed by another convolution of the same input.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output.
        size: Taps per axis, k.
        stride, pad, dilate: As of ``chainer.links.Convolution2D``.
        initialW: Initialiser of the weights.

    The parameters are ``W`` (out_channels, in_channels, k, k) and ``b``. The child ``offset`` has
    3 k^2 outputs: shifts down and to the right of tap after tap, then the logits of their weights.
    It starts at 0 as in the paper: all taps in place, each of weight 1/2.
    """

    def __init__(self, in_channels, out_channels, size, stride=1, pad=0, dilate=1, initialW=None):
        super().__init__()
        self.taps = size ** 2
        self.geometry = {'stride': stride, 'pad': pad, 'dilate': dilate}
        with self.init_scope():
            self.W = chainer.Parameter(chainer.initializers._get_initializer(initialW),
                                       (out_channels, in_channels, size, size))
            self.b = chainer.Parameter(0, out_channels)
            self.offset = L.Convolution2D(in_channels, 3 * self.taps, size, initialW=0,
                                          **self.geometry)

    def forward(self, x: chainer.Variable) -> chainer.Variable:
        offset, weight = F.split_axis(self.offset(x), [2 * self.taps], axis=1)
        return deformable_convolution(x, offset, F.sigmoid(weight), self.W, self.b, **self.geometry)
