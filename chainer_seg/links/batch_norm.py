"""Batch normalisation whose running statistics are good after ten updates and after ten thousand."""

import chainer
from chainer import links as L

# Caffe, Torch and PyTorch use 1e-5; Chainer's own default of 2e-5 is off by 5e-3 over 101 layers.
EPS = 1e-5

# The last hundred batches or so count in the end: a network that is trained with small batches is
# badly judged by the ten that Chainer's default of 0.9 remembers.
LARGEST_DECAY = 0.99


class BatchNorm(L.BatchNormalization):
    """Batch normalisation that remembers a third of all batches so far, and at most about a hundred.

    The parameters, the running statistics and the numbers are those of
    ``chainer.links.BatchNormalization``; only how fast the running statistics follow differs.

    Args:
        channels: Number of channels C of the input (B, C, H, W).
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=EPS)

    def forward(self, x):
        if chainer.config.train:
            self.N += 1
            self.decay = min(LARGEST_DECAY, 1 - 3 / (self.N + 2))
        return super().forward(x)
