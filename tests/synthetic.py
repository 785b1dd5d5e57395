"""Synthetic objects of tests."""

import numpy as np

from chainer_seg.instances import Instances


def disc(size, centre, radius):
    """(H, W) bool: the pixels that are at most ``radius`` away from ``centre`` (y, x)."""
    y, x = np.mgrid[:size[0], :size[1]]
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius ** 2


def squares(*corners, size=(200, 200), side=40, **fields):
    """Instances of squares with these top left corners (y, x)."""
    masks = np.zeros((len(corners), *size), bool)
    for mask, (y, x) in zip(masks, corners):
        mask[y:y + side, x:x + side] = True
    return Instances(masks, **fields)
