"""TensorFlow's padding SAME, which depends on the size of the input (notes on padding of tf.nn)."""

import chainer
from chainer import functions as F

from chainer_seg.arrays import ArrayOrVariable


def same_pad(x: ArrayOrVariable, size: int, stride: int) -> chainer.Variable:
    """Pads images with zeros so that a window of this size and stride has ceil(side / stride) positions.

    An odd number of rows or columns is split so that one more comes after the image than before;
    other frameworks pad both sides equally.

    Args:
        x: (B, C, H, W) float Variable or array.
        size: Side of the window in pixels.
        stride: Stride of the window in pixels.

    Returns:
        (B, C, H', W') Variable.
    """
    needed = [max((-(-side // stride) - 1) * stride + size - side, 0) for side in x.shape[2:]]
    return F.pad(x, [(0, 0), (0, 0)] + [(count // 2, count - count // 2) for count in needed],
                 'constant')
