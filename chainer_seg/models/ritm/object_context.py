"""Object-contextual representations (OCR; Yuan et al., arXiv 1909.11065), the head of RITM's HRNets."""


import chainer
import numpy as np
from chainer import functions as F
from chainer import links as L

from chainer_seg.arrays import ArrayOrVariable
from chainer_seg.functions import resize_like
from chainer_seg.links.conv_norm import ConvNorm, LayerBuilder

_DROPOUT = 0.05  # Share of the channels of the result that are dropped in training.


class ObjectContext(chainer.Chain):
    """Logits from the features of each pixel and of the objects that a first guess finds.

    Args:
        in_channels: Channels of the features.
        width: Channels of the attention (its keys); pixels and objects have twice as many.
        n_class: Number of logits for each position.
        build: The :class:`chainer_seg.links.conv_norm.LayerBuilder`.

    ``forward`` takes (B, in_channels, h, w) and returns the logits and the auxiliary ones of the first
    guess, both (B, n_class, h, w).
    """

    def __init__(self, in_channels: int, width: int, n_class: int, build: LayerBuilder) -> None:
        super().__init__()
        inner = 2 * width
        with self.init_scope():
            self.guess = ConvNorm(build, in_channels, in_channels, 1, bias=True)
            self.guess_logits = _logits(build, in_channels, n_class)
            self.pixels = ConvNorm(build, in_channels, inner, 3, bias=True)
            self.query1, self.query2 = ConvNorm(build, inner, width, 1), ConvNorm(build, width, width, 1)
            self.key1, self.key2 = ConvNorm(build, inner, width, 1), ConvNorm(build, width, width, 1)
            self.value = ConvNorm(build, inner, width, 1)
            self.context = ConvNorm(build, width, inner, 1)
            self.merge = ConvNorm(build, 2 * inner, inner, 1)
            self.logits = _logits(build, inner, n_class)
        self.width, self.n_class = width, n_class

    def forward(self, features: ArrayOrVariable) -> tuple[chainer.Variable, chainer.Variable]:
        guess = self.guess_logits(F.relu(self.guess(features)))
        pixels = F.relu(self.pixels(features))
        objects = self.objects(pixels, guess)
        merged = F.relu(self.merge(F.concat([self.attend(pixels, objects), pixels])))
        return self.logits(_drop_channels(merged, _DROPOUT)), guess

    def objects(self, pixels: chainer.Variable, logits: chainer.Variable) -> chainer.Variable:
        """The mean features of each object: (B, 2 * width, n_class, 1), weighted by its first guess."""
        weights = F.softmax(_flat(logits), axis=2)
        means = F.matmul(_flat(pixels), weights, transb=True)
        return F.expand_dims(means, 3)

    def attend(self, pixels: chainer.Variable, objects: chainer.Variable) -> chainer.Variable:
        """What the objects say about each pixel, (B, 2 * width, h, w).

        With a single object the attention is 1 everywhere, and query and key, though trained, have no
        influence: they are not computed.
        """
        value = F.relu(self.value(objects))
        if self.n_class == 1:
            return resize_like(F.relu(self.context(value)), pixels)
        query, key = _flat(self.query(pixels)), _flat(self.key(objects))
        attention = F.softmax(F.matmul(query, key, transa=True) * self.width ** -0.5, axis=2)
        context = F.matmul(_flat(value), attention, transb=True)
        return F.relu(self.context(F.reshape(context, (len(value.array), self.width, *pixels.shape[2:]))))

    def query(self, pixels: chainer.Variable) -> chainer.Variable:
        """What each pixel asks for, (B, width, h, w)."""
        return F.relu(self.query2(F.relu(self.query1(pixels))))

    def key(self, objects: chainer.Variable) -> chainer.Variable:
        """What each object answers to, (B, width, n_class, 1)."""
        return F.relu(self.key2(F.relu(self.key1(objects))))


def _logits(build: LayerBuilder, in_channels: int, n_class: int) -> L.Convolution2D:
    return L.Convolution2D(in_channels, n_class, 1,
                           initialW=chainer.initializers.Normal(0.01, rng=build.rng))


def _drop_channels(x: chainer.Variable, share: float) -> chainer.Variable:
    """Dropout of whole channels."""
    if not chainer.config.train or not share:
        return x
    xp = chainer.backend.get_array_module(x)
    kept = F.dropout(xp.ones(x.shape[:2] + (1, 1), np.float32), share)
    return x * F.broadcast_to(kept, x.shape)


def _flat(x: chainer.Variable) -> chainer.Variable:
    """(B, C, h, w) as (B, C, h * w)."""
    batch, channels, height, width = x.shape
    return F.reshape(x, (batch, channels, height * width))
