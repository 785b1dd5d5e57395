"""The ResNet (He et al., arXiv 1512.03385) of all systems, in every variant that they need."""

from collections.abc import Sequence

import chainer
import numpy as np
from chainer import functions as F

from chainer_seg.arrays import ArrayOrVariable
from chainer_seg.functions import same_pad
from chainer_seg.links.conv_norm import ConvNorm, DeformableConvNorm, LayerBuilder
from chainer_seg.links.group_norm import GROUPS

EXPANSION = 4  # The output of a bottleneck is four times as wide as its 3x3 convolution (table 1).
_EXPANSIONS = {'bottleneck': EXPANSION, 'basic': 1}  # Of both kinds of blocks (figure 5).


def default_out_width(block: str, width: int) -> int:
    """Channels of the output of the first stage, if nothing else is asked for."""
    return _EXPANSIONS[block] * width


class ResNet(chainer.Chain):
    """A stem and stages of residual blocks.

    Args:
        blocks: Number of blocks of each stage; (3, 4, 6, 3) is ResNet-50, (3, 4, 23, 3) ResNet-101.
        width: Channels of the stem and of the 3x3 convolutions of the first stage.
        out_width: Channels of the output of the first stage; None for 4 * width with bottlenecks and for
            width with basic blocks.
        groups: Groups of the 3x3 convolutions of bottlenecks (ResNeXt, arXiv 1611.05431, section 3.1).
            ResNeXt-101-32x8d has 32, a width and an out_width of 256, and a stem_width of 64.
        norm_groups: Number of groups of channels of group normalisation.
        in_channels: Channels of the input.
        stride_on: The convolution of a down-sampling block that carries the stride: ``'1x1'``, the
            first (Caffe, Detectron), or ``'3x3'`` (Torch, PyTorch).
        strides: Stride of each stage.
        dilations: Dilation of the 3x3 convolutions of each stage.
        first_dilations: Dilation of the first 3x3 convolution of each stage; None for ``dilations``.
            PyTorch's dilated ResNets keep that of the stage before there.
        padding: ``'zero'``, ``'symmetric'`` for mirrored borders (DeepMask), or ``'same'`` for
            TensorFlow's zero padding, of the pooling, too.
        norm: ``'batch'`` for batch normalisation, ``'affine'`` for a frozen scale and shift, ``'group'``
            for group normalisation (arXiv 1803.08494).
        pooling: Rounding of the pooled size: ``'floor'`` (Torch, PyTorch) or ``'ceil'`` (Caffe).
        pool_pad: Padding of the 3x3 max pooling of the stem; He's Caffe files have 0 and 'ceil'.
        stem_bias: Whether the first convolution has a bias, as in He's ResNet-50 file.
        stem_width: Channels of the stem if they differ from ``width``.
        deformable: For each stage, n if the 3x3 convolution of every n-th block, beginning with the
            first, is deformable, and 0 if none is; None is 0 for all stages. YOLACT++ has (0, 1, 1, 1)
            in ResNet-50 and (0, 3, 3, 3) in ResNet-101.
        block: ``'bottleneck'``, with 1x1, 3x3 and 1x1 convolutions, or ``'basic'``, with two 3x3
            convolutions as in ResNet-18 and ResNet-34, the first of which carries the stride.
        shortcut: The shortcuts of section 4.1: ``'A'``, every n-th pixel and zeros for new channels,
            for basic blocks only; ``'B'``, projections where the shape changes; ``'C'``, projections
            everywhere.
        stem_size: Side of the first convolution: 7, of stride 2 and followed by pooling, or 3, of
            stride 1 without pooling, for images of 32 pixels (section 4.2).
        seed: Seed of the initial weights (He normal).

    ``forward`` takes (B, in_channels, H, W) float32 and returns a tuple with the output of each
    stage, the i-th with ``out_width * 2 ** i`` channels. The stages are the children ``res2``,
    ``res3``, ... as in the paper, their blocks numbered from 0.

    Raises:
        ValueError: A choice is unknown, or the arguments do not fit together.
    """

    def __init__(self, blocks: Sequence[int] = (3, 4, 6, 3), width: int = 64, in_channels: int = 3,
                 stride_on: str = '1x1', strides: Sequence[int] = (1, 2, 2, 2),
                 dilations: Sequence[int] = (1, 1, 1, 1), padding: str = 'zero', norm: str = 'batch',
                 pooling: str = 'floor', pool_pad: int = 1, stem_bias: bool = False,
                 stem_width: int | None = None, deformable: Sequence[int] | None = None,
                 block: str = 'bottleneck', shortcut: str = 'B', stem_size: int = 7, seed: int = 0,
                 first_dilations: Sequence[int] | None = None, out_width: int | None = None,
                 groups: int = 1, norm_groups: int = GROUPS) -> None:
        super().__init__()
        _check_choice('stride_on', stride_on, ('1x1', '3x3'))
        _check_choice('padding', padding, ('zero', 'symmetric', 'same'))
        _check_choice('norm', norm, ('batch', 'affine', 'group'))
        _check_choice('pooling', pooling, ('floor', 'ceil'))
        _check_choice('block', block, tuple(_EXPANSIONS))
        _check_choice('shortcut', shortcut, ('A', 'B', 'C'))
        _check_choice('stem_size', stem_size, (3, 7))
        deformable = deformable or (0,) * len(blocks)
        first_dilations = first_dilations or dilations
        if not len(blocks) == len(strides) == len(dilations) == len(deformable) == len(first_dilations):
            raise ValueError('blocks, strides, dilations, first_dilations and deformable must have the '
                             'same length')
        if any(deformable) and padding != 'zero':
            raise ValueError("deformable convolutions need padding='zero'")
        if groups > 1 and any(deformable):
            raise ValueError('deformable convolutions have no groups')
        if block == 'basic' and (any(deformable) or groups > 1):
            raise ValueError('basic blocks have neither deformable convolutions nor groups')
        if width % groups:
            raise ValueError(f'width must be a multiple of the {groups} groups, got {width}')
        if block == 'bottleneck' and shortcut == 'A':
            raise ValueError("shortcut='A' needs block='basic'")
        build = LayerBuilder(padding, norm, np.random.default_rng(seed), norm_groups)
        self.pooling, self.pool_pad, self.padding = pooling, pool_pad, padding
        self.block, self.stem_size, self.width, self.groups = block, stem_size, width, groups
        self.stage_names = tuple(f'res{number + 2}' for number in range(len(blocks)))
        out_width = out_width or default_out_width(block, width)
        self.out_channels = tuple(out_width * 2 ** i for i in range(len(blocks)))
        with self.init_scope():
            channels = stem_width or width
            self.stem = ConvNorm(build, in_channels, channels, stem_size,
                                 stride=2 if stem_size == 7 else 1, bias=stem_bias)
            for i, name in enumerate(self.stage_names):
                stage = Stage(build, blocks[i], channels, width * 2 ** i, strides[i],
                              dilations[i], stride_on, deformable[i], block, shortcut, first_dilations[i],
                              self.out_channels[i], groups)
                setattr(self, name, stage)
                channels = self.out_channels[i]

    def forward(self, x: ArrayOrVariable) -> tuple[chainer.Variable, ...]:
        return self.stages(F.relu(self.stem(x)))

    def stages(self, stem: chainer.Variable) -> tuple[chainer.Variable, ...]:
        """The outputs of the stages for the output of the stem and its ReLU."""
        h, outputs = self.pool(stem), []
        for name in self.stage_names:
            h = self[name](h)
            outputs.append(h)
        return tuple(outputs)

    def pool(self, x: chainer.Variable) -> chainer.Variable:
        """The 3x3 max pooling of stride 2 after a stem of size 7; nothing after a stem of size 3."""
        if self.stem_size == 3:
            return x
        if self.padding == 'same':  # After a ReLU, padding with zeros does not change a maximum.
            return F.max_pooling_2d(same_pad(x, 3, 2), 3, stride=2, cover_all=False)
        return F.max_pooling_2d(x, 3, stride=2, pad=self.pool_pad,
                                cover_all=self.pooling == 'ceil')


class Stage(chainer.ChainList):
    """Blocks of one resolution; the first one changes resolution and width.

    Every ``deformable``-th block has a deformable convolution; 0 is none. The first 3x3 convolution has
    ``first_dilation``, or ``dilation`` if that is None. The output has ``out_channels`` channels, by default
    those of He's ResNets.
    """

    def __init__(self, build: LayerBuilder, count: int, in_channels: int, width: int, stride: int,
                 dilation: int, stride_on: str, deformable: int = 0, block: str = 'bottleneck',
                 shortcut: str = 'B', first_dilation: int | None = None, out_channels: int | None = None,
                 groups: int = 1) -> None:
        super().__init__()
        outer = out_channels or default_out_width(block, width)
        for number in range(count):
            channels, step = (in_channels, stride) if number == 0 else (outer, 1)
            first = first_dilation if number == 0 and first_dilation else dilation
            if block == 'basic':
                self.add_link(BasicBlock(build, channels, width, outer, step, dilation, shortcut, first))
                continue
            self.add_link(Bottleneck(
                build, channels, width, outer, step, first, stride_on,
                projects=number == 0 or shortcut == 'C', groups=groups,
                middle=DeformableConvNorm if deformable and number % deformable == 0 else ConvNorm))

    def forward(self, x: chainer.Variable) -> chainer.Variable:
        for block in self:
            x = block(x)
        return x


class Bottleneck(chainer.Chain):
    """1x1, 3x3 and 1x1 convolutions and a shortcut, which is a projection if ``projects``."""

    def __init__(self, build: LayerBuilder, in_channels: int, width: int, out_channels: int, stride: int,
                 dilation: int, stride_on: str, projects: bool, groups: int = 1,
                 middle: type[ConvNorm] | type[DeformableConvNorm] = ConvNorm) -> None:
        super().__init__()
        first, second = (stride, 1) if stride_on == '1x1' else (1, stride)
        with self.init_scope():
            self.reduce = ConvNorm(build, in_channels, width, 1, stride=first)
            self.middle = middle(build, width, width, 3, stride=second, dilation=dilation, groups=groups)
            self.expand = ConvNorm(build, width, out_channels, 1)
            if projects:
                self.shortcut = ConvNorm(build, in_channels, out_channels, 1, stride=stride)
        self.projects = projects

    def forward(self, x: chainer.Variable) -> chainer.Variable:
        h = F.relu(self.reduce(x))
        h = F.relu(self.middle(h))
        h = self.expand(h)
        return F.relu(h + (self.shortcut(x) if self.projects else x))


class BasicBlock(chainer.Chain):
    """Two 3x3 convolutions and a shortcut (figure 5, left); see :class:`ResNet` for its kinds."""

    def __init__(self, build: LayerBuilder, in_channels: int, width: int, out_channels: int, stride: int,
                 dilation: int, shortcut: str = 'B', first_dilation: int | None = None) -> None:
        super().__init__()
        projects = shortcut == 'C' or shortcut == 'B' and (stride != 1 or in_channels != out_channels)
        if shortcut == 'A' and in_channels > out_channels:
            raise ValueError("shortcut='A' cannot reduce the number of channels")
        with self.init_scope():
            self.first = ConvNorm(build, in_channels, width, 3, stride=stride,
                                  dilation=first_dilation or dilation)
            self.second = ConvNorm(build, width, out_channels, 3, dilation=dilation)
            if projects:
                self.shortcut = ConvNorm(build, in_channels, out_channels, 1, stride=stride)
        self.projects = projects
        self.stride, self.new_channels = stride, out_channels - in_channels

    def forward(self, x: chainer.Variable) -> chainer.Variable:
        h = self.second(F.relu(self.first(x)))
        return F.relu(h + (self.shortcut(x) if self.projects else self._identity(x)))

    def _identity(self, x: chainer.Variable) -> chainer.Variable:
        """Every n-th pixel of the input, with zeros for additional channels."""
        if self.stride != 1:
            every_nth = slice(None, None, self.stride)
            x = F.get_item(x, (slice(None), slice(None), every_nth, every_nth))
        if self.new_channels:
            x = F.pad(x, ((0, 0), (0, self.new_channels), (0, 0), (0, 0)), 'constant')
        return x


def _check_choice(name: str, value: object, choices: Sequence[object]) -> None:
    if value not in choices:
        raise ValueError(f'{name} must be one of {choices}, got {value!r}')
