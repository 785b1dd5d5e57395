"""A per-channel scale and shift that is not trained: folded batch normalisation."""

import chainer
import numpy as np

from chainer_seg.arrays import ArrayOrVariable
from chainer_seg.functions import channel_affine


class FrozenAffine(chainer.Link):
    """y = scale * x + shift for each channel, neither of them trained.

    Args:
        channels: Number of channels C.

    Both are (C,) float32, initially 1 and 0, and saved with the model.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = np.ones(channels, np.float32)
        self.shift = np.zeros(channels, np.float32)
        self.register_persistent('scale')
        self.register_persistent('shift')

    def forward(self, x: ArrayOrVariable) -> chainer.Variable:
        """Applies the affine map to x (B, C, H, W)."""
        return channel_affine(x, self.scale, self.shift)
