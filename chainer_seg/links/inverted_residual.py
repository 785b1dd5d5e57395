"""Networks of inverted residual blocks (MobileNetV2, Sandler et al., arXiv 1801.04381, section 3)."""

import math
import typing
from collections.abc import Callable, Sequence

import chainer
from chainer import functions as F
from chainer import links as L

from chainer_seg.arrays import ArrayOrVariable
from chainer_seg.links.conv_norm import ConvNorm, LayerBuilder

# Numbers of channels are multiples of this, as in both reference implementations.
DIVISOR = 8

Activation = Callable[[chainer.Variable], chainer.Variable]


class Row(typing.NamedTuple):
    """One row of the table of layers in both papers: blocks of the same kind."""

    expansion: int
    channels: int
    blocks: int
    stride: int
    size: int = 3


class InvertedResidualNet(chainer.Chain):
    """A stem of stride 2 and inverted residual blocks; blocks of the same resolution form a stage.

    Args:
        rows: The table of layers, each a `Row`; a row of stride 2 begins a new stage.
        stem: Channels of the stem.
        width: Factor of all channels.
        depth: Factor of the number of blocks of each row.
        in_channels: Channels of the input.
        activation: Applied after each normalisation except for the last one of a block.
        squeeze: Channels of the squeeze-and-excitation layer per channel of the block's input.
        seed: Seed of the initial weights (He normal).

    ``forward`` takes (B, in_channels, H, W) float32 and returns a tuple with the output of each
    stage, of strides 2, 4, 8, 16 and 32. The stages are the children ``stage1``, ``stage2``, ...
    """

    def __init__(self, rows: Sequence[Row], stem: int, width: float, depth: float, in_channels: int,
                 activation: Activation, squeeze: float, seed: int) -> None:
        super().__init__()
        build = LayerBuilder.plain(seed)
        channels = round_channels(stem * width)
        stages: list[chainer.Sequential] = []
        stem_layer = ConvNorm(build, in_channels, channels, 3, stride=2)
        for row in rows:
            if row.stride == 2 or not stages:
                stages.append(chainer.Sequential())
            for number in range(math.ceil(row.blocks * depth)):
                wider = round_channels(row.channels * width)
                stages[-1].append(InvertedResidual(
                    build, channels, wider, row.expansion, row.size, row.stride if number == 0 else 1,
                    activation, int(squeeze * channels)))
                channels = wider
        self.activation = activation
        self.stage_names = tuple(f'stage{number + 1}' for number in range(len(stages)))
        self.out_channels = tuple(stage[-1].out_channels for stage in stages)
        with self.init_scope():
            self.stem = stem_layer
            for name, stage in zip(self.stage_names, stages):
                setattr(self, name, stage)

    def forward(self, x: ArrayOrVariable) -> tuple[chainer.Variable, ...]:
        h = self.activation(self.stem(x))
        outputs = []
        for name in self.stage_names:
            h = self[name](h)
            outputs.append(h)
        return tuple(outputs)


class InvertedResidual(chainer.Chain):
    """A 1x1 convolution to more channels, a depthwise convolution, and a linear 1x1 convolution back."""

    def __init__(self, build: LayerBuilder, in_channels: int, out_channels: int, expansion: int, size: int,
                 stride: int, activation: Activation, squeeze: int) -> None:
        super().__init__()
        inner = in_channels * expansion
        self.activation, self.expands, self.squeezes = activation, expansion > 1, squeeze > 0
        self.adds_input = stride == 1 and in_channels == out_channels
        self.out_channels = out_channels
        with self.init_scope():
            if self.expands:
                self.expand = ConvNorm(build, in_channels, inner, 1)
            self.depthwise = ConvNorm(build, inner, inner, size, stride, groups=inner)
            if self.squeezes:
                self.excite = SqueezeExcitation(build, inner, squeeze, activation)
            self.project = ConvNorm(build, inner, out_channels, 1)

    def forward(self, x: chainer.Variable) -> chainer.Variable:
        h = self.activation(self.expand(x)) if self.expands else x
        h = self.activation(self.depthwise(h))
        h = self.project(self.excite(h) if self.squeezes else h)
        return x + h if self.adds_input else h


class SqueezeExcitation(chainer.Chain):
    """Scales each channel by a factor that two small layers compute from the means of all channels."""

    def __init__(self, build: LayerBuilder, channels: int, squeezed: int, activation: Activation) -> None:
        super().__init__()
        weights = chainer.initializers.HeNormal(rng=build.rng)
        self.activation = activation
        with self.init_scope():
            self.squeeze = L.Linear(channels, squeezed, initialW=weights)
            self.restore = L.Linear(squeezed, channels, initialW=weights)

    def forward(self, x: chainer.Variable) -> chainer.Variable:
        scale = F.sigmoid(self.restore(self.activation(self.squeeze(F.mean(x, axis=(2, 3))))))
        return x * scale[:, :, None, None]


def round_channels(channels: float) -> int:
    """The nearest multiple of 8, but at least 8 and at least 0.9 times the number."""
    rounded = max(DIVISOR, int(channels + DIVISOR / 2) // DIVISOR * DIVISOR)
    return rounded if rounded >= 0.9 * channels else rounded + DIVISOR
