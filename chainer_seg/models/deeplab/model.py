"""The network of DeepLab-v2 (arXiv 1606.00915, section 3): a dilated ResNet and dilated convolutions."""

from collections.abc import Sequence
from typing import Literal

import chainer
import numpy as np
from chainer import links as L

from chainer_seg.links import ResNet
from chainer_seg.models.class_transfer import ClassRows
from chainer_seg.models.deeplab.semantic import SemanticSegmenter
from chainer_seg.models.inference import network
from chainer_seg.schema import Channels, Count, Dilations, Padding, Positive, Stages, Strides


class AtrousPyramid(chainer.Chain):
    """Parallel 3x3 convolutions of different dilation, summed (figure 7, ASPP).

    Args:
        in_channels: Channels of the features.
        out_channels: Number of logits for each position.
        dilations: One convolution for each.
        seed: Seed of the initial weights.

    Takes (B, in_channels, h, w) and returns (B, out_channels, h, w). The convolutions are the
    children ``branch0``, ``branch1``, ...; Caffe's names for them are fc1_voc12_c0, c1, ...
    """

    def __init__(self, in_channels: int, out_channels: int, dilations: Sequence[int], seed: int = 0) -> None:
        super().__init__()
        rng = np.random.default_rng((seed, 1))
        self.names = tuple(f'branch{number}' for number in range(len(dilations)))
        with self.init_scope():
            for name, dilation in zip(self.names, dilations):
                setattr(self, name, L.Convolution2D(
                    in_channels, out_channels, 3, pad=dilation, dilate=dilation,
                    initialW=chainer.initializers.Normal(0.01, rng=rng)))

    def forward(self, x: chainer.Variable) -> chainer.Variable:
        return sum((self[name](x) for name in self.names[1:]), self[self.names[0]](x))


class DeepLab(SemanticSegmenter):
    """DeepLab-v2 on a ResNet whose last two stages are dilated instead of strided.

    Args:
        n_class: Number of logits for each position: classes including the background, or 1.
        in_channels: Channels of the input.
        blocks, width, stem_width, out_width, groups: As those of :class:`chainer_seg.links.ResNet`; the
            defaults are the published ResNet-101.
        stride_on, padding, norm, pooling, pool_pad, stem_bias: As those of the ResNet.
        pyramid: Dilations of the head; (6, 12, 18, 24) is published as DeepLab-ASPP-L.
        seed: Seed of the initial weights.
        strides, dilations: Those of the stages; the published ones give logits at an eighth of the
            input's size.
        longest_side: Larger images are shrunk until their longer side is at most this many pixels;
            513, as in the authors' test, suits objects of the size of those in PASCAL VOC.

    ``forward`` takes (B, in_channels, H, W) float32, blue, green and red minus their mean, and returns
    logits (B, n_class, h, w).
    """

    def __init__(self, n_class: Channels = 21, in_channels: Channels = 3, blocks: Stages = (3, 4, 23, 3),
                 width: Channels = 64, stride_on: Literal['1x1', '3x3'] = '1x1',
                 padding: Padding = 'zero', norm: Literal['batch', 'affine'] = 'batch',
                 pooling: Literal['ceil', 'floor'] = 'ceil', pool_pad: Literal[0, 1] = 1,
                 stem_bias: bool = False, pyramid: Dilations = (6, 12, 18, 24), seed: Count = 0,
                 strides: Strides = (1, 2, 1, 1), dilations: Dilations = (1, 1, 2, 4),
                 longest_side: Positive = 513, stem_width: Channels | None = None,
                 out_width: Channels | None = None, groups: Channels = 1) -> None:
        super().__init__(longest_side)
        with self.init_scope():
            self.resnet = ResNet(
                blocks, width, in_channels, stride_on, strides, dilations, padding, norm, pooling,
                pool_pad, stem_bias, stem_width, seed=seed, out_width=out_width, groups=groups)
            self.pyramid = AtrousPyramid(
                self.resnet.out_channels[-1], n_class, pyramid, seed=seed)

    @network
    def forward(self, x: chainer.Variable | np.ndarray) -> chainer.Variable:
        return self.pyramid(self.resnet(x)[-1])

    def class_rows(self) -> list[ClassRows]:
        """The parameters with rows for each class; the background has a name."""
        return [ClassRows(parameter, self.config['n_class']) for name in self.pyramid.names
                for parameter in (self.pyramid[name].W, self.pyramid[name].b)]
