"""TensorFlow's padding SAME, which depends on the size of the input (tf.nn's notes on padding)."""

import chainer
import numpy as np
from chainer import functions as F


def same_pad(x: chainer.Variable | np.ndarray, size: int, stride: int) -> chainer.Variable:
    """Pads an image with zeros so that a window of this size and stride gives ceil(side / stride).

    Where an uneven number of rows or columns is needed, one more comes behind than before; other
    frameworks pad both sides alike.

    Args:
        x: Variable or array (B, C, H, W).
        size: Side of the window.
        stride: Its step.

    Returns:
        Variable (B, C, H', W').
    """
    needed = [max((-(-side // stride) - 1) * stride + size - side, 0) for side in x.shape[2:]]
    return F.pad(x, [(0, 0), (0, 0)] + [(count // 2, count - count // 2) for count in needed],
                 'constant')
