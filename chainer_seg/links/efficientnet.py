"""EfficientNet (Tan and Le, arXiv 1905.11946, table 1) without its last 1x1 layer and classifier."""

import chainer
from chainer import functions as F

from chainer_seg.links.inverted_residual import InvertedResidualNet, Row

ROWS = (Row(1, 16, 1, 1), Row(6, 24, 2, 2), Row(6, 40, 2, 2, 5), Row(6, 80, 3, 2),
        Row(6, 112, 3, 1, 5), Row(6, 192, 4, 2, 5), Row(6, 320, 1, 1))

SQUEEZE = 0.25  # of the input channels of a block


class EfficientNet(InvertedResidualNet):
    """Inverted residual blocks with squeeze-and-excitation and swish; B0 with the default values.

    Args:
        width: Factor of all channels; they are rounded to multiples of 8.
        depth: Factor of the number of blocks, rounded up.
        in_channels: Channels of the input.
        seed: Seed of the initial weights (He normal).

    ``forward`` takes (B, in_channels, H, W) float32 and returns the outputs of the five stages, of
    strides 2, 4, 8, 16 and 32 and with 16, 24, 40, 112 and 320 channels times ``width``. There is no
    stochastic depth: no block is dropped in training.
    """

    def __init__(self, width: float = 1.0, depth: float = 1.0, in_channels: int = 3, seed: int = 0) -> None:
        super().__init__(ROWS, 32, width, depth, in_channels, swish, SQUEEZE, seed)


def swish(x: chainer.Variable) -> chainer.Variable:
    """x * sigmoid(x)"""
    return x * F.sigmoid(x)
