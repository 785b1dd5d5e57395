"""MobileNetV2 (Sandler et al., arXiv 1801.04381, table 2) without its last 1x1 layer and classifier."""

import chainer
from chainer import functions as F

from chainer_seg.links.inverted_residual import InvertedResidualNet, Row

ROWS = (Row(1, 16, 1, 1), Row(6, 24, 2, 2), Row(6, 32, 3, 2), Row(6, 64, 4, 2), Row(6, 96, 3, 1),
        Row(6, 160, 3, 2), Row(6, 320, 1, 1))


class MobileNetV2(InvertedResidualNet):
    """Inverted residual blocks with ReLU6.

    Args:
        width: Factor of all channels; they are rounded to multiples of 8.
        in_channels: Channels of the input.
        seed: Seed of the initial weights (He normal).

    ``forward`` takes (B, in_channels, H, W) float32 and returns the outputs of the five stages, of
    strides 2, 4, 8, 16 and 32 and with 16, 24, 32, 96 and 320 channels times ``width``.
    """

    def __init__(self, width: float = 1.0, in_channels: int = 3, seed: int = 0) -> None:
        super().__init__(ROWS, 32, width, 1, in_channels, relu6, 0, seed)


def relu6(x: chainer.Variable) -> chainer.Variable:
    """min(max(x, 0), 6)"""
    return F.clipped_relu(x, 6.0)
