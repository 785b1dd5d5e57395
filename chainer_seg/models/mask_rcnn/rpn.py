"""The region proposal network (arXiv 1506.01497, section 3.1), shared by all levels of a pyramid."""

from collections.abc import Sequence

import chainer
import numpy as np
from chainer import functions as F
from chainer import links as L


class RegionProposalNetwork(chainer.Chain):
    """A 3x3 convolution, followed by an objectness logit and four deltas for each anchor.

    Args:
        channels: Channels of the maps, and of the 3x3 convolution.
        anchors: Number of anchors A per position.
        seed: Seed of the initial weights.

    ``forward`` takes a tuple of maps (B, channels, h, w) and returns, map by map, a tuple of
    objectness logits (B, A, h, w) and a tuple of deltas (B, 4 * A, h, w); channel 4 * a + i is
    the i-th of (dy, dx, dh, dw) of anchor a.
    """

    def __init__(self, channels: int, anchors: int, seed: int = 0) -> None:
        super().__init__()
        normal = chainer.initializers.Normal(0.01, rng=np.random.default_rng((seed, 1)))
        with self.init_scope():
            self.conv = L.Convolution2D(channels, channels, 3, pad=1, initialW=normal)
            self.objectness = L.Convolution2D(channels, anchors, 1, initialW=normal)
            self.deltas = L.Convolution2D(channels, 4 * anchors, 1, initialW=normal)

    def forward(self, features: Sequence[chainer.Variable]
                ) -> tuple[tuple[chainer.Variable, ...], tuple[chainer.Variable, ...]]:
        hidden = [F.relu(self.conv(x)) for x in features]
        return (tuple(self.objectness(h) for h in hidden), tuple(self.deltas(h) for h in hidden))
