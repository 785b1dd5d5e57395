"""The feature pyramid network (Lin et al., arXiv 1612.03144, section 3) in the variants of the detectors."""

from collections.abc import Sequence

import chainer
import numpy as np
from chainer import functions as F
from chainer import links as L

from chainer_seg.functions import resize_like
from chainer_seg.links.conv_norm import ConvNorm, LayerBuilder


class FeaturePyramid(chainer.Chain):
    """Merges the maps of a backbone top-down into maps with equal numbers of channels.

    Args:
        in_channels: Channels of the backbone's maps, fine to coarse.
        channels: Channels of the outputs.
        upsampling: How a coarser map is enlarged to the size of the next finer one: ``'nearest'``
            (Detectron) or ``'bilinear'`` with half-pixel centres (YOLACT).
        activation: ``'none'`` or ``'relu'``, applied after the 3x3 convolution of each backbone map.
        extra: The levels above the coarsest map: ``'subsample'``, one level of every second pixel of
            it (Detectron), or the number of 3x3 convolutions of stride 2, with one level each.
        seed: Seed of the initial weights.
        norm_groups: Groups of the group normalisation after the convolutions ``lateral`` and ``output``,
            which then are :class:`~chainer_seg.links.conv_norm.ConvNorm` without biases; None for none.

    ``forward`` takes the maps (B, in_channels[i], h_i, w_i), fine to coarse, and returns a tuple of
    maps (B, channels, h_i, w_i) that ends with the extra levels. The children ``lateral`` (1x1),
    ``output`` (3x3) and, if ``extra`` is a number, ``extra`` are lists of convolutions, fine to
    coarse.
    """

    def __init__(self, in_channels: Sequence[int], channels: int = 256, upsampling: str = 'nearest',
                 activation: str = 'none', extra: int | str = 'subsample', seed: int = 0,
                 norm_groups: int | None = None) -> None:
        super().__init__()
        if upsampling not in ('nearest', 'bilinear'):
            raise ValueError(f"upsampling must be 'nearest' or 'bilinear', got {upsampling!r}")
        if activation not in ('none', 'relu'):
            raise ValueError(f"activation must be 'none' or 'relu', got {activation!r}")
        if isinstance(extra, str) and extra != 'subsample':
            raise ValueError(f"extra must be 'subsample' or a number of levels, got {extra!r}")
        self.enlarge = _enlarge_nearest if upsampling == 'nearest' else _enlarge_bilinear
        self.activation = F.relu if activation == 'relu' else F.identity
        self.subsamples = isinstance(extra, str)
        self.channels = channels
        rng = np.random.default_rng((seed, 1))

        def layer(inputs: int, size: int) -> chainer.Link:
            if norm_groups is None:
                return _convolution(inputs, channels, size, 1, rng)
            return ConvNorm(LayerBuilder('zero', 'group', rng, norm_groups), inputs, channels, size)

        with self.init_scope():
            self.lateral = chainer.ChainList(*[layer(inputs, 1) for inputs in in_channels])
            self.output = chainer.ChainList(*[layer(channels, 3) for _ in in_channels])
            if not isinstance(extra, str):
                self.extra = chainer.ChainList(*[
                    _convolution(channels, channels, 3, 2, rng) for _ in range(extra)])

    def forward(self, features: Sequence[chainer.Variable]) -> tuple[chainer.Variable, ...]:
        merged = [lateral(x) for lateral, x in zip(self.lateral, features)]
        for i in reversed(range(len(merged) - 1)):
            merged[i] = merged[i] + self.enlarge(merged[i + 1], merged[i])
        maps = [self.activation(output(x)) for output, x in zip(self.output, merged)]
        if self.subsamples:
            maps.append(maps[-1][:, :, ::2, ::2])
        else:
            for convolution in self.extra:
                maps.append(convolution(maps[-1]))
        return tuple(maps)


def _enlarge_nearest(x: chainer.Variable, finer: chainer.Variable) -> chainer.Variable:
    """Repeats each pixel along both axes; the last row or column is cut off if the finer side is odd."""
    height, width = finer.shape[2:]
    enlarged = F.repeat(F.repeat(x, 2, axis=2), 2, axis=3)
    return enlarged if enlarged.shape[2:] == (height, width) else enlarged[:, :, :height, :width]


def _enlarge_bilinear(x: chainer.Variable, finer: chainer.Variable) -> chainer.Variable:
    return resize_like(x, finer, align_corners=False)


def _convolution(inputs: int, outputs: int, size: int, stride: int,
                 rng: np.random.Generator) -> L.Convolution2D:
    return L.Convolution2D(inputs, outputs, size, stride, pad=size // 2,
                           initialW=chainer.initializers.GlorotUniform(rng=rng))
