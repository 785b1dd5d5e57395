"""The heads for each region of interest: classes and boxes, masks, keypoints.

arXiv 1703.06870, figure 4 (heads) and section 5 (keypoints); initial weights as in Detectron.
"""

import math

import chainer
import numpy as np
from chainer import functions as F
from chainer import links as L

from chainer_seg.links.conv_norm import ConvNorm, LayerBuilder

FPN_MASK_CONVOLUTIONS = 4
KEYPOINT_CONVOLUTIONS = 8


class BoxHead(chainer.Chain):
    """Fully connected layers, with or without convolutions, or the mean over a region; and the predictions.

    Args:
        channels: Channels of the features.
        size: Side of the features of a region, for fully connected layers.
        hidden: Units of the two fully connected layers (FPN); None for the mean over the features of
            a last ResNet stage instead (C4).
        classes: Number of object classes C.
        seed: Seed of the initial weights.
        convolutions: Number of 3x3 convolutions, after which there is one fully connected layer.
        conv_channels: Channels of the convolutions.
        norm_groups: Groups of the group normalisation of the convolutions; None for none.

    ``forward`` takes (R, channels, size, size) and returns class logits (R, C + 1), the background
    first, and deltas (R, 4 * (C + 1)); columns 4 * c to 4 * c + 3 are (dy, dx, dh, dw) of class c.
    """

    def __init__(self, channels: int, size: int, hidden: int | None, classes: int, seed: int = 0,
                 convolutions: int = 0, conv_channels: int = 256, norm_groups: int | None = None) -> None:
        super().__init__()
        rng = np.random.default_rng((seed, 2))
        self.averages, self.convolves = hidden is None, convolutions > 0
        width = channels if self.averages else hidden
        with self.init_scope():
            if self.convolves:
                self.convs = _convolutions(channels, conv_channels, convolutions, rng, norm_groups)
                channels = conv_channels
            if not self.averages:
                uniform = chainer.initializers.LeCunUniform(rng=rng)
                self.fc6 = L.Linear(channels * size ** 2, hidden, initialW=uniform)
            if not self.averages and not self.convolves:
                self.fc7 = L.Linear(hidden, hidden, initialW=uniform)
            self.logits = L.Linear(width, classes + 1, initialW=_normal(0.01, rng))
            self.deltas = L.Linear(width, 4 * (classes + 1), initialW=_normal(0.001, rng))

    def forward(self, x: chainer.Variable) -> tuple[chainer.Variable, chainer.Variable]:
        h = self._features(x)
        return self.logits(h), self.deltas(h)

    def _features(self, x: chainer.Variable) -> chainer.Variable:
        if self.averages:
            return F.mean(x, axis=(2, 3))
        if self.convolves:
            x = _with_relu(self.convs, x)
        h = F.relu(self.fc6(F.reshape(x, (len(x), math.prod(x.shape[1:])))))
        return h if self.convolves else F.relu(self.fc7(h))


class MaskHead(chainer.Chain):
    """Convolutions, a transposed one that doubles the side, and a mask for each class.

    Args:
        in_channels: Channels of the features.
        channels: Channels of the convolutions.
        convolutions: Number of 3x3 convolutions before the side is doubled: 4 with FPN, 0 with C4.
        classes: Number of object classes C.
        seed: Seed of the initial weights.
        norm_groups: Groups of the group normalisation of the 3x3 convolutions; None for none.

    ``forward`` takes (R, in_channels, s, s) and returns logits (R, C + 1, 2 * s, 2 * s).
    """

    def __init__(self, in_channels: int, channels: int, convolutions: int, classes: int,
                 seed: int = 0, norm_groups: int | None = None) -> None:
        super().__init__()
        rng = np.random.default_rng((seed, 3))
        with self.init_scope():
            self.convs = _convolutions(in_channels, channels, convolutions, rng, norm_groups)
            self.upsample = L.Deconvolution2D(
                channels if convolutions else in_channels, channels, 2, stride=2,
                initialW=chainer.initializers.HeNormal(rng=rng))
            self.logits = L.Convolution2D(channels, classes + 1, 1,
                                          initialW=chainer.initializers.HeNormal(rng=rng))

    def forward(self, x: chainer.Variable) -> chainer.Variable:
        return self.logits(F.relu(self.upsample(_with_relu(self.convs, x))))


class KeypointHead(chainer.Chain):
    """Convolutions, and a heat map for each keypoint at four times the side.

    Args:
        in_channels: Channels of the features.
        channels: Channels of the 3x3 convolutions.
        keypoints: Number of keypoints K.
        convolutions: Number of 3x3 convolutions.
        seed: Seed of the initial weights.
        repeats_edges: Whether maps are enlarged as in Detectron2, as if their edges were repeated.

    ``forward`` takes (R, in_channels, s, s) and returns logits (R, K, 4 * s, 4 * s).
    """

    def __init__(self, in_channels: int, channels: int, keypoints: int,
                 convolutions: int = KEYPOINT_CONVOLUTIONS, seed: int = 0,
                 repeats_edges: bool = False) -> None:
        super().__init__()
        self.repeats_edges = repeats_edges
        rng = np.random.default_rng((seed, 4))
        with self.init_scope():
            self.convs = _convolutions(in_channels, channels, convolutions, rng)
            self.upsample = L.Deconvolution2D(channels, keypoints, 4, stride=2, pad=1,
                                              initialW=_normal(0.001, rng))

    def forward(self, x: chainer.Variable) -> chainer.Variable:
        h = self.upsample(_with_relu(self.convs, x))
        if not self.repeats_edges:
            return double_side(h)
        return double_side(_with_edges(h))[:, :, 2:-2, 2:-2]


def bilinear_kernel() -> np.ndarray:
    """The (4, 4) float32 kernel of a transposed convolution that doubles sides bilinearly."""
    weights = np.array([1, 3, 3, 1], np.float32) / 4
    return weights[:, None] * weights


def double_side(x: chainer.Variable) -> chainer.Variable:
    """(R, K, h, w) to (R, K, 2 * h, 2 * w), bilinearly, padded with zeros as in Detectron."""
    xp = chainer.backend.get_array_module(x)
    count = x.shape[1]
    kernel = xp.broadcast_to(xp.asarray(bilinear_kernel()), (count, 1, 4, 4))
    return F.deconvolution_2d(x, xp.ascontiguousarray(kernel), stride=2, pad=1, groups=count)


def _with_edges(x: chainer.Variable) -> chainer.Variable:
    """Maps (R, K, h, w) with their outer rows and columns repeated once."""
    for axis in (2, 3):
        first, last = (x[:, :, part] if axis == 2 else x[:, :, :, part]
                       for part in (slice(0, 1), slice(x.shape[axis] - 1, None)))
        x = F.concat([first, x, last], axis=axis)
    return x


def _convolutions(in_channels: int, channels: int, count: int, rng: np.random.Generator,
                  norm_groups: int | None = None) -> chainer.ChainList:
    if norm_groups is not None:
        build = LayerBuilder('zero', 'group', rng, norm_groups)
        return chainer.ChainList(*(ConvNorm(build, channels if number else in_channels, channels, 3)
                                   for number in range(count)))
    return chainer.ChainList(*(
        L.Convolution2D(channels if number else in_channels, channels, 3, pad=1,
                        initialW=chainer.initializers.HeNormal(rng=rng))
        for number in range(count)))


def _with_relu(convolutions: chainer.ChainList, x: chainer.Variable) -> chainer.Variable:
    for convolution in convolutions:
        x = F.relu(convolution(x))
    return x


def _normal(deviation: float, rng: np.random.Generator) -> chainer.initializers.Normal:
    return chainer.initializers.Normal(deviation, rng=rng)
