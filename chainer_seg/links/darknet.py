"""DarkNet-53 (YOLOv3, Redmon and Farhadi, arXiv 1804.02767, table 1)."""

from collections.abc import Sequence

import chainer
from chainer import functions as F

from chainer_seg.arrays import ArrayOrVariable
from chainer_seg.links.conv_norm import ConvNorm, LayerBuilder

SLOPE = 0.1  # of the leaky ReLU for negative inputs


class DarkNet(chainer.Chain):
    """A stem and stages of residual blocks; each stage halves the resolution.

    Args:
        blocks: Number of residual blocks of each stage; (1, 2, 8, 8, 4) is DarkNet-53.
        width: Channels of the stem; the i-th stage has ``width * 2 ** (i + 1)``.
        in_channels: Channels of the input.
        seed: Seed of the initial weights (He normal).

    ``forward`` takes (B, in_channels, H, W) float32 and returns a tuple with the output of each
    stage, of strides 2, 4, 8, ... The stages are the children ``stage1``, ``stage2``, ...; their
    first child is the layer that carries the stride, the others are the blocks.
    """

    def __init__(self, blocks: Sequence[int] = (1, 2, 8, 8, 4), width: int = 32, in_channels: int = 3,
                 seed: int = 0) -> None:
        super().__init__()
        build = LayerBuilder.plain(seed)
        self.stage_names = tuple(f'stage{number + 1}' for number in range(len(blocks)))
        self.out_channels = tuple(width * 2 ** (i + 1) for i in range(len(blocks)))
        with self.init_scope():
            self.stem = ConvLeaky(build, in_channels, width, 3)
            channels = width
            for count, name, wider in zip(blocks, self.stage_names, self.out_channels):
                down = ConvLeaky(build, channels, wider, 3, stride=2)
                setattr(self, name, chainer.Sequential(
                    down, *(Residual(build, wider) for _ in range(count))))
                channels = wider

    def forward(self, x: ArrayOrVariable) -> tuple[chainer.Variable, ...]:
        h = self.stem(x)
        outputs = []
        for name in self.stage_names:
            h = self[name](h)
            outputs.append(h)
        return tuple(outputs)


class ConvLeaky(ConvNorm):
    """A convolution, its normalisation and a leaky ReLU."""

    def forward(self, x: ArrayOrVariable) -> chainer.Variable:
        return F.leaky_relu(super().forward(x), SLOPE)


class Residual(chainer.Chain):
    """A 1x1 convolution to half the channels and a 3x3 one back, added to the input."""

    def __init__(self, build: LayerBuilder, channels: int) -> None:
        super().__init__()
        with self.init_scope():
            self.reduce = ConvLeaky(build, channels, channels // 2, 1)
            self.expand = ConvLeaky(build, channels // 2, channels, 3)

    def forward(self, x: chainer.Variable) -> chainer.Variable:
        return x + self.expand(self.reduce(x))
