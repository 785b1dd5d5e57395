"""How the clicks and the previous mask enter the network (section 3.2 of arXiv 2102.06583)."""

import chainer
import numpy as np
from chainer import functions as F
from chainer import links as L

from chainer_seg.arrays import ArrayOrVariable
from chainer_seg.links import BatchNorm

_INITIAL_SCALE = 0.05  # The click features start small beside those of the image.
_EXTRA_CHANNELS = 3  # of the hidden layer of ClickColors, beside those of its input


class ClickTransform(chainer.Chain):
    """Features of the click maps, to be added to those of the image behind the network's first convolution.

    Args:
        in_channels: Number of click maps: the previous mask, if any, and the maps of both signs.
        width: Channels of the first layer.
        out_channels: Channels of the features that they are added to.
        slope: Of the leaky ReLU for negative numbers; 0 is a ReLU.
        rng: numpy Generator of the initial weights (He normal).

    ``forward`` takes (B, in_channels, H, W) and returns (B, out_channels, ceil(H / 2), ceil(W / 2)).
    """

    def __init__(self, in_channels: int, width: int, out_channels: int, slope: float,
                 rng: np.random.Generator) -> None:
        super().__init__()
        initial = chainer.initializers.HeNormal(rng=rng)
        self.slope = slope
        with self.init_scope():
            self.first = L.Convolution2D(in_channels, width, 1, initialW=initial)
            self.second = L.Convolution2D(width, out_channels, 3, stride=2, pad=1, initialW=initial)
            self.scale = chainer.Parameter(np.full(1, _INITIAL_SCALE, np.float32))

    def forward(self, maps: ArrayOrVariable) -> chainer.Variable:
        h = self.second(F.leaky_relu(self.first(maps), self.slope))
        return h * F.reshape(F.absolute(self.scale), (1, 1, 1, 1))


class ClickColors(chainer.Chain):
    """Three channels in place of the image's colours, made of them and of the click maps, pixel by pixel.

    Args:
        in_channels: Channels of the image and number of click maps.
        slope, rng: As those of :class:`ClickTransform`.

    ``forward`` takes (B, in_channels, H, W) and returns (B, 3, H, W).
    """

    def __init__(self, in_channels: int, slope: float, rng: np.random.Generator) -> None:
        super().__init__()
        initial = chainer.initializers.HeNormal(rng=rng)
        width = in_channels + _EXTRA_CHANNELS
        self.slope = slope
        with self.init_scope():
            self.first = L.Convolution2D(in_channels, width, 1, initialW=initial)
            self.norm = BatchNorm(width)
            self.second = L.Convolution2D(width, 3, 1, initialW=initial)

    def forward(self, x: ArrayOrVariable) -> chainer.Variable:
        return self.second(F.leaky_relu(self.norm(self.first(x)), self.slope))
