"""A convolution followed by its normalisation, the building block of all backbones."""

import chainer
import numpy as np
from chainer import links as L

from chainer_seg.arrays import ArrayOrVariable
from chainer_seg.functions import same_pad, symmetric_pad
from chainer_seg.links.batch_norm import BatchNorm
from chainer_seg.links.deformable_convolution import DeformableConvolution2D
from chainer_seg.links.frozen_affine import FrozenAffine
from chainer_seg.links.group_norm import GROUPS, GroupNorm


class LayerBuilder:
    """The settings that all layers of a network share.

    Args:
        padding: ``'zero'``, ``'symmetric'`` for mirrored borders, or ``'same'`` for TensorFlow's zeros.
        norm: ``'batch'`` for batch normalisation, ``'affine'`` for a frozen scale and shift, ``'group'``
            for group normalisation.
        rng: Generator of the initial weights.
        norm_groups: Number of groups of channels that group normalisation forms.
    """

    def __init__(self, padding: str, norm: str, rng: np.random.Generator, norm_groups: int = GROUPS) -> None:
        self.padding = padding
        self.rng = rng
        self._norm, self._norm_groups = norm, norm_groups

    @classmethod
    def plain(cls, seed: int) -> 'LayerBuilder':
        """Zero padding, batch normalisation and a new generator."""
        return cls('zero', 'batch', np.random.default_rng(seed))

    def norm(self, channels: int) -> chainer.Link:
        """A new normalisation of this many channels."""
        if self._norm == 'affine':
            return FrozenAffine(channels)
        if self._norm == 'group':
            return GroupNorm(channels, self._norm_groups)
        return BatchNorm(channels)


class ConvNorm(chainer.Chain):
    """A convolution and its normalisation; the output has ceil(side / stride) pixels per side."""

    def __init__(self, build: LayerBuilder, in_channels: int, out_channels: int, size: int, stride: int = 1,
                 dilation: int = 1, bias: bool = False, groups: int = 1) -> None:
        super().__init__()
        pad = dilation * (size // 2)
        self.mirrored = pad if build.padding == 'symmetric' else 0
        # At stride 1 TensorFlow pads both sides equally, too.
        self.same = (size, stride) if build.padding == 'same' and min(size, stride) > 1 else None
        with self.init_scope():
            self.conv = L.Convolution2D(
                in_channels, out_channels, size, stride, 0 if self.same else pad - self.mirrored,
                dilate=dilation, nobias=not bias, groups=groups,
                initialW=chainer.initializers.HeNormal(rng=build.rng))
            self.norm = build.norm(out_channels)

    def forward(self, x: ArrayOrVariable) -> chainer.Variable:
        x = same_pad(x, *self.same) if self.same else symmetric_pad(x, self.mirrored)
        return self.norm(self.conv(x))


class DeformableConvNorm(chainer.Chain):
    """A deformable convolution, which has a bias, and its normalisation; it has no groups."""

    def __init__(self, build: LayerBuilder, in_channels: int, out_channels: int, size: int, stride: int = 1,
                 dilation: int = 1, groups: int = 1) -> None:
        super().__init__()
        if groups > 1:
            raise ValueError(f'deformable convolutions have no groups, got {groups}')
        with self.init_scope():
            self.conv = DeformableConvolution2D(
                in_channels, out_channels, size, stride, dilation * (size // 2), dilation,
                initialW=chainer.initializers.HeNormal(rng=build.rng))
            self.norm = build.norm(out_channels)

    def forward(self, x: ArrayOrVariable) -> chainer.Variable:
        return self.norm(self.conv(x))
