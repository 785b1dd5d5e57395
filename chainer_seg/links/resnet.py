"""The one ResNet (He et al., arXiv 1512.03385) of all four systems, in every variant that they need."""

import chainer
import numpy as np
from chainer import functions as F

from chainer_seg.functions import same_pad
from chainer_seg.links.conv_norm import ConvNorm, DeformableConvNorm, LayerBuilder

EXPANSION = 4  # A block's output is four times as wide as its 3x3 convolution (table 1 there).


class ResNet(chainer.Chain):
    """A stem and stages of bottleneck blocks.

    Args:
        blocks: Number of blocks of each stage; (3, 4, 6, 3) is ResNet-50, (3, 4, 23, 3) ResNet-101.
        width: Channels of the stem and of the 3x3 convolutions of the first stage.
        in_channels: Channels of the input.
        stride_on: The convolution of a down-sampling block that carries the stride: ``'1x1'``, the
            first (Caffe, Detectron), or ``'3x3'`` (Torch, PyTorch).
        strides: Stride of each stage.
        dilations: Dilation of the 3x3 convolutions of each stage.
        padding: ``'zero'``, ``'symmetric'`` for mirrored borders (DeepMask), or ``'same'`` for zeros
            as TensorFlow places them, in front of the pooling, too.
        norm: ``'batch'`` for batch normalisation, ``'affine'`` for a frozen scale and shift.
        pooling: Rounding of the pooled size: ``'floor'`` (Torch, PyTorch) or ``'ceil'`` (Caffe).
        pool_pad: Padding of the 3x3 max pooling of the stem; He's Caffe files have 0 and 'ceil'.
        stem_bias: Whether the first convolution has a bias, as in He's ResNet-50 file.
        stem_width: Channels of the stem where they are not ``width``.
        deformable: For each stage, n if the 3x3 convolution of every n-th block is deformable from
            the first one on, 0 if none is; None is none anywhere. YOLACT++ has (0, 1, 1, 1) in
            ResNet-50 and (0, 3, 3, 3) in ResNet-101.
        seed: Seed of the initial weights (He normal).

    ``forward`` takes (B, in_channels, H, W) float32 and returns a tuple with the output of each
    stage, the i-th of ``EXPANSION * width * 2 ** i`` channels. The stages are the children ``res2``,
    ``res3``, ... as in the paper, their blocks numbered from 0.
    """

    def __init__(self, blocks=(3, 4, 6, 3), width=64, in_channels=3, stride_on='1x1',
                 strides=(1, 2, 2, 2), dilations=(1, 1, 1, 1), padding='zero', norm='batch',
                 pooling='floor', pool_pad=1, stem_bias=False, stem_width=None, deformable=None,
                 seed=0):
        super().__init__()
        _check_choice('stride_on', stride_on, ('1x1', '3x3'))
        _check_choice('padding', padding, ('zero', 'symmetric', 'same'))
        _check_choice('norm', norm, ('batch', 'affine'))
        _check_choice('pooling', pooling, ('floor', 'ceil'))
        deformable = deformable or (0,) * len(blocks)
        if not len(blocks) == len(strides) == len(dilations) == len(deformable):
            raise ValueError('blocks, strides, dilations and deformable must name equally many stages')
        if any(deformable) and padding != 'zero':
            raise ValueError('deformable convolutions have zero padding')
        build = LayerBuilder(padding, norm, np.random.default_rng(seed))
        self.pooling, self.pool_pad, self.padding = pooling, pool_pad, padding
        self.stage_names = tuple(f'res{number + 2}' for number in range(len(blocks)))
        self.out_channels = tuple(EXPANSION * width * 2 ** i for i in range(len(blocks)))
        with self.init_scope():
            channels = stem_width or width
            self.stem = ConvNorm(build, in_channels, channels, 7, stride=2, bias=stem_bias)
            for i, name in enumerate(self.stage_names):
                stage = Stage(build, blocks[i], channels, width * 2 ** i, strides[i],
                              dilations[i], stride_on, deformable[i])
                setattr(self, name, stage)
                channels = self.out_channels[i]

    def forward(self, x):
        h = self.pool(F.relu(self.stem(x)))
        outputs = []
        for name in self.stage_names:
            h = self[name](h)
            outputs.append(h)
        return tuple(outputs)

    def pool(self, x):
        """The 3x3 max pooling of stride 2 behind the stem."""
        if self.padding == 'same':  # Behind a ReLU zeros are never a larger maximum.
            return F.max_pooling_2d(same_pad(x, 3, 2), 3, stride=2, cover_all=False)
        return F.max_pooling_2d(x, 3, stride=2, pad=self.pool_pad,
                                cover_all=self.pooling == 'ceil')


class Stage(chainer.ChainList):
    """Blocks of one resolution; the first one changes stride and width.

    Every ``deformable``-th block has a deformable convolution; 0 is none.
    """

    def __init__(self, build, count, in_channels, width, stride, dilation, stride_on, deformable=0):
        super().__init__()
        for number in range(count):
            self.add_link(Bottleneck(
                build, in_channels if number == 0 else EXPANSION * width, width,
                stride if number == 0 else 1, dilation, stride_on, projects=number == 0,
                middle=DeformableConvNorm if deformable and number % deformable == 0 else ConvNorm))

    def forward(self, x):
        for block in self:
            x = block(x)
        return x


class Bottleneck(chainer.Chain):
    """1x1, 3x3 and 1x1 convolutions around a shortcut, which the first block of a stage projects."""

    def __init__(self, build, in_channels, width, stride, dilation, stride_on, projects,
                 middle=ConvNorm):
        super().__init__()
        first, second = (stride, 1) if stride_on == '1x1' else (1, stride)
        with self.init_scope():
            self.reduce = ConvNorm(build, in_channels, width, 1, stride=first)
            self.middle = middle(build, width, width, 3, stride=second, dilation=dilation)
            self.expand = ConvNorm(build, width, EXPANSION * width, 1)
            if projects:
                self.shortcut = ConvNorm(build, in_channels, EXPANSION * width, 1, stride=stride)
        self.projects = projects

    def forward(self, x):
        h = F.relu(self.reduce(x))
        h = F.relu(self.middle(h))
        h = self.expand(h)
        return F.relu(h + (self.shortcut(x) if self.projects else x))


def _check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(f'{name} must be one of {choices}, but is {value!r}')
