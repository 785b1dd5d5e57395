"""The ResNet classifier of ImageNet (arXiv 1512.03385, table 1): stages, their mean, logits."""

from typing import Literal

import chainer
import numpy as np
from chainer import functions as F
from chainer import links as L

from chainer_seg.arrays import ArrayOrVariable
from chainer_seg.links import ResNet
from chainer_seg.models.base import Model
from chainer_seg.schema import Channels, Count, Dilations, Padding, Stages


class ResNetClassifier(Model):
    """A ResNet with a logit for each image class, or without logits, from which other models start.

    Args:
        n_class: Number of classes; ImageNet has 1000. None for a ResNet without logits.
        blocks, width, in_channels, stride_on, padding, norm, pooling, pool_pad, stem_bias, stem_width,
            block, shortcut, stem_size, out_width, groups, norm_groups, seed: As those of
            :class:`chainer_seg.links.ResNet`.
        strides, dilations: As there; None for a stride of 1 in the first stage, 2 in the others, and no
            dilation.

    ``forward`` takes (B, in_channels, H, W) float32, normalised as the weights require, and returns
    logits (B, n_class), or without logits the mean features (B, channels). The trunk alone is
    ``resnet``.
    """

    def __init__(self, n_class: Channels | None = 1000, blocks: Stages = (3, 4, 6, 3), width: Channels = 64,
                 in_channels: Channels = 3, stride_on: Literal['1x1', '3x3'] = '1x1',
                 padding: Padding = 'zero', norm: Literal['batch', 'affine', 'group'] = 'batch',
                 pooling: Literal['floor', 'ceil'] = 'floor', pool_pad: Literal[0, 1] = 1,
                 stem_bias: bool = False, stem_width: Channels | None = None,
                 strides: Dilations | None = None, dilations: Dilations | None = None,
                 block: Literal['bottleneck', 'basic'] = 'bottleneck', shortcut: Literal['A', 'B', 'C'] = 'B',
                 stem_size: Literal[3, 7] = 7, out_width: Channels | None = None, groups: Channels = 1,
                 norm_groups: Channels = 32, seed: Count = 0) -> None:
        super().__init__()
        stages = len(blocks)
        with self.init_scope():
            self.resnet = ResNet(
                blocks, width, in_channels, stride_on, strides or (1,) + (2,) * (stages - 1),
                dilations or (1,) * stages, padding=padding, norm=norm, pooling=pooling,
                pool_pad=pool_pad, stem_bias=stem_bias, stem_width=stem_width, block=block,
                shortcut=shortcut, stem_size=stem_size, seed=seed, out_width=out_width, groups=groups,
                norm_groups=norm_groups)
            if n_class is not None:  # Torch's Linear, as a convolution like everywhere in this package
                self.logits = L.Convolution2D(
                    self.resnet.out_channels[-1], n_class, 1,
                    initialW=chainer.initializers.LeCunNormal(rng=np.random.default_rng((seed, 1))))

    def forward(self, x: ArrayOrVariable) -> chainer.Variable:
        pooled = F.mean(self.resnet(x)[-1], axis=(2, 3), keepdims=True)
        if self.config['n_class'] is not None:
            pooled = self.logits(pooled)
        return pooled[:, :, 0, 0]
