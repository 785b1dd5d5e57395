"""The pyramid and the decoder of DeepLab v3+ (Chen et al., arXiv 1802.02611) as RITM has them."""

import chainer
from chainer import functions as F
from chainer import links as L

from chainer_seg.arrays import ArrayOrVariable
from chainer_seg.functions import resize_like
from chainer_seg.links.batch_norm import BatchNorm
from chainer_seg.links.conv_norm import ConvNorm, LayerBuilder

SKIP_CHANNELS = 32  # Of the early features that the decoder gets.


class AtrousPooling(chainer.Chain):
    """A 1x1 convolution, dilated ones and the mean of the whole image side by side, projected (ASPP).

    Args:
        build: The :class:`chainer_seg.links.conv_norm.LayerBuilder`.
        in_channels: Channels of the features.
        channels: Channels of each branch and of the result.
        dilations: Those of the 3x3 convolutions.
        dropout: Share of the values of the result that are dropped in training.

    ``forward`` takes (B, in_channels, h, w) and returns (B, channels, h, w).
    """

    def __init__(self, build: LayerBuilder, in_channels: int, channels: int, dilations: tuple[int, ...],
                 dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        with self.init_scope():
            self.point = ConvNorm(build, in_channels, channels, 1)
            self.dilated = chainer.ChainList(*(
                ConvNorm(build, in_channels, channels, 3, dilation=dilation) for dilation in dilations))
            self.mean = ConvNorm(build, in_channels, channels, 1)
            self.project = ConvNorm(build, (2 + len(dilations)) * channels, channels, 1)

    def forward(self, x: ArrayOrVariable) -> chainer.Variable:
        mean = F.relu(self.mean(F.mean(x, axis=(2, 3), keepdims=True)))
        branches = [F.relu(link(x)) for link in (self.point, *self.dilated)]
        branches.append(resize_like(mean, x))
        return F.dropout(F.relu(self.project(F.concat(branches))), self.dropout)


class SeparableConv(chainer.Chain):
    """A 3x3 convolution of each channel by itself, one of 1x1, normalisation and a ReLU."""

    def __init__(self, build: LayerBuilder, in_channels: int, out_channels: int) -> None:
        super().__init__()
        initial = chainer.initializers.HeNormal(rng=build.rng)
        with self.init_scope():
            self.depthwise = L.Convolution2D(in_channels, in_channels, 3, pad=1, nobias=True,
                                             groups=in_channels, initialW=initial)
            self.pointwise = L.Convolution2D(in_channels, out_channels, 1, nobias=True, initialW=initial)
            self.norm = BatchNorm(out_channels)

    def forward(self, x: ArrayOrVariable) -> chainer.Variable:
        return F.relu(self.norm(self.pointwise(self.depthwise(x))))


class SeparableHead(chainer.Chain):
    """Two separable convolutions and one of 1x1 with a bias.

    Args:
        build: The :class:`chainer_seg.links.conv_norm.LayerBuilder`.
        in_channels: Channels of the features.
        width: Channels inside.
        out_channels: Channels of the result.
    """

    def __init__(self, build: LayerBuilder, in_channels: int, width: int, out_channels: int) -> None:
        super().__init__()
        with self.init_scope():
            self.first = SeparableConv(build, in_channels, width)
            self.second = SeparableConv(build, width, width)
            self.last = L.Convolution2D(width, out_channels, 1,
                                        initialW=chainer.initializers.LeCunNormal(rng=build.rng))

    def forward(self, x: ArrayOrVariable) -> chainer.Variable:
        return self.last(self.second(self.first(x)))


def beside_skip(coarse: ArrayOrVariable,
                skip: ArrayOrVariable) -> chainer.Variable:
    """Coarse features, enlarged, in front of early ones (figure 2 there has them the other way round)."""
    return F.concat([resize_like(coarse, skip), skip])
