"""Bilinear resizing as two matrix products, with either of the two conventions for the corners."""

import chainer
import numpy as np
from chainer import backend
from chainer import functions as F


def resize_bilinear(x: chainer.Variable | np.ndarray, size: tuple[int, int],
                    align_corners: bool = True) -> chainer.Variable:
    """Resizes images by bilinear interpolation without antialiasing.

    The same numbers as ``chainer.functions.resize_images``; its gradient scatters pixel by pixel on
    the CPU, while this one is a matrix product both ways.

    Args:
        x: (B, C, h, w) float Variable or array.
        size: (H, W).
        align_corners: Whether the centres of the corner pixels stay where they are, or the corners
            of the images (PyTorch's ``align_corners=False``), beyond the outermost centres constant.

    Returns:
        (B, C, H, W) Variable.
    """
    xp = backend.get_array_module(x)
    place = _aligned_centres if align_corners else _aligned_edges
    rows = xp.asarray(_weights(place(x.shape[2], size[0]), x.shape[2], x.dtype))
    columns = xp.asarray(_weights(place(x.shape[3], size[1]), x.shape[3], x.dtype))
    return F.matmul(rows, F.matmul(x, columns.T))


def _aligned_centres(length, wanted):
    return np.linspace(0, length - 1, wanted)


def _aligned_edges(length, wanted):
    return np.clip((np.arange(wanted) + 0.5) * length / wanted - 0.5, 0, length - 1)


def _weights(positions, length, dtype):
    """(len(positions), length): how much each input sample gives to each output sample."""
    distance = np.abs(positions[:, None] - np.arange(length)[None, :])
    return np.maximum(1 - distance, 0).astype(dtype)
