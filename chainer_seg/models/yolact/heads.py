"""The heads of YOLACT (arXiv 1904.02689, section 3; re-scoring: arXiv 1912.06218)."""

import math
from collections.abc import Sequence

import chainer
import numpy as np
from chainer import functions as F
from chainer import links as L

from chainer_seg.arrays import ArrayOrVariable
from chainer_seg.functions import resize_bilinear


class ProtoNet(chainer.Chain):
    """Prototype masks of the whole image from the finest map of the pyramid (figure 3).

    ``forward`` takes (B, channels, h, w) and returns (B, prototypes, scale * h, scale * w), never
    negative.
    """

    def __init__(self, channels: int, prototypes: int, scale: int, rng: np.random.Generator) -> None:
        super().__init__()
        self.scale = scale
        with self.init_scope():
            self.conv1 = convolution(channels, channels, 3, rng)
            self.conv2 = convolution(channels, channels, 3, rng)
            self.conv3 = convolution(channels, channels, 3, rng)
            self.conv4 = convolution(channels, channels, 3, rng)
            self.prototypes = convolution(channels, prototypes, 1, rng)

    def forward(self, x: chainer.Variable) -> chainer.Variable:
        for layer in (self.conv1, self.conv2, self.conv3):
            x = F.relu(layer(x))
        size = (self.scale * x.shape[2], self.scale * x.shape[3])
        x = resize_bilinear(x, size, align_corners=False)
        return F.relu(self.prototypes(F.relu(self.conv4(x))))


class PredictionHead(chainer.Chain):
    """Box codes, class logits and mask coefficients of every anchor; one head for all levels (figure 4).

    Args:
        channels: Channels of the maps.
        anchors: Number of anchors per position.
        logits: Number of classes including the background.
        prototypes: Number of mask coefficients.
        rng: Generator of the initial weights.

    ``forward`` takes the maps (B, channels, h_i, w_i) and returns (B, N, 4), (B, N, logits) and
    (B, N, prototypes), the anchors in the order of
    :func:`chainer_seg.models.yolact.anchors.anchor_boxes`.
    """

    def __init__(self, channels: int, anchors: int, logits: int, prototypes: int,
                 rng: np.random.Generator) -> None:
        super().__init__()
        self.widths = (4, logits, prototypes)
        with self.init_scope():
            self.shared = convolution(channels, channels, 3, rng)
            self.codes = convolution(channels, anchors * 4, 3, rng)
            self.logits = convolution(channels, anchors * logits, 3, rng)
            self.coefficients = convolution(channels, anchors * prototypes, 3, rng)

    def forward(self, maps: Sequence[chainer.Variable]
                ) -> tuple[chainer.Variable, chainer.Variable, chainer.Variable]:
        levels = [self._level(x) for x in maps]
        codes, logits, coefficients = (F.concat(parts, axis=1) for parts in zip(*levels))
        return codes, logits, F.tanh(coefficients)

    def _level(self, x: chainer.Variable) -> list[chainer.Variable]:
        shared = F.relu(self.shared(x))
        layers = (self.codes, self.logits, self.coefficients)
        return [_by_anchor(layer(shared), width) for layer, width in zip(layers, self.widths)]


class MaskRescoring(chainer.Chain):
    """Predicts the intersection over union of a mask with the truth, for each class (YOLACT++).

    Args:
        channels: Channels of the strided convolutions.
        classes: Number of object classes.
        rng: Generator of the initial weights.

    ``forward`` takes cropped masks (R, 1, h, w) of probabilities and returns (R, classes) float32,
    never negative. The convolutions are the children ``layers``; the last one is 1x1.
    """

    def __init__(self, channels: Sequence[int], classes: int, rng: np.random.Generator) -> None:
        super().__init__()
        inputs = (1, *channels)
        with self.init_scope():
            self.layers = chainer.ChainList(*[
                L.Convolution2D(a, b, 3, stride=2, initialW=initial(rng))
                for a, b in zip(inputs, channels)])
            self.layers.append(convolution(channels[-1], classes, 1, rng))

    def forward(self, masks: ArrayOrVariable) -> chainer.Variable:
        masks = F.cast(masks, self.layers[0].W.dtype)
        for layer in self.layers:
            masks = F.relu(layer(masks))
        return F.cast(F.max(masks, axis=(2, 3)), np.float32)


def convolution(inputs: int, outputs: int, size: int, rng: np.random.Generator) -> L.Convolution2D:
    """A convolution whose output has the size of its input."""
    return L.Convolution2D(inputs, outputs, size, pad=size // 2, initialW=initial(rng))


def initial(rng: np.random.Generator) -> chainer.initializers.GlorotUniform:
    """The initial weights of all layers after the backbone (Xavier's, with zero biases)."""
    return chainer.initializers.GlorotUniform(rng=rng)


def _by_anchor(x: chainer.Variable, width: int) -> chainer.Variable:
    """(B, A * width, h, w) as (B, h * w * A, width)."""
    count, channels, *size = x.shape
    return F.reshape(F.transpose(x, (0, 2, 3, 1)), (count, math.prod(size) * (channels // width), width))
