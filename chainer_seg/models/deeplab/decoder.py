"""A decoder that sharpens the logits of DeepLab with early features (arXiv 1802.02611, section 3.1)."""

import chainer
import numpy as np
from chainer import functions as F
from chainer import links as L

from chainer_seg.functions import resize_like
from chainer_seg.links import BatchNorm

_FINE_SHARE = 4  # ratio of the channels of the late features to those of the early ones


class Decoder(chainer.Chain):
    """Adds details to coarse logits, from early features and the click maps.

    Args:
        coarse_channels: Channels of the last stage's features.
        fine_channels: Channels of the first stage's features.
        hint_channels: Channels of the hints.
        channels: Width of the decoder.
        seed: Seed of the initial weights. The last layer is initialised with zeros, so that a new
            decoder changes nothing but the size.
    """

    def __init__(self, coarse_channels: int, fine_channels: int, hint_channels: int, channels: int,
                 seed: int = 0) -> None:
        super().__init__()
        initial = chainer.initializers.HeNormal(rng=np.random.default_rng((seed, 2)))
        fine = channels // _FINE_SHARE
        with self.init_scope():
            self.coarse = L.Convolution2D(coarse_channels, channels, 1, nobias=True, initialW=initial)
            self.coarse_norm = BatchNorm(channels)
            self.fine = L.Convolution2D(fine_channels, fine, 1, nobias=True, initialW=initial)
            self.fine_norm = BatchNorm(fine)
            self.merge = L.Convolution2D(channels + fine + hint_channels, channels, 3, pad=1,
                                         nobias=True, initialW=initial)
            self.merge_norm = BatchNorm(channels)
            self.logits = L.Convolution2D(channels, 1, 1, initialW=0)

    def forward(self, logits: chainer.Variable, coarse: chainer.Variable, fine: chainer.Variable,
                hints: chainer.Variable | np.ndarray) -> chainer.Variable:
        """Refines logits.

        Args:
            logits: (B, 1, h, w), computed from ``coarse`` (B, coarse_channels, h, w).
            fine: (B, fine_channels, H, W).
            hints: (B, hint_channels, any, any), of a magnitude of about 1.

        Returns:
            (B, 1, H, W) Variable.
        """
        late = F.relu(self.coarse_norm(self.coarse(coarse)))
        early = F.relu(self.fine_norm(self.fine(fine)))
        merged = F.concat([resize_like(late, early), early, resize_like(hints, early)])
        details = self.logits(F.relu(self.merge_norm(self.merge(merged))))
        return resize_like(logits, details) + details
