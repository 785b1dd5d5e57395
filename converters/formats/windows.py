"""Tensors as windows of a storage, in the way that Torch and PyTorch save them."""

import math

import numpy as np


def window(values: np.ndarray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> np.ndarray:
    """The tensor that lies in a storage; no copy is made.

    Args:
        values: The storage, a one-dimensional array.
        offset: Its element with which the tensor begins.
        shape: Sides of the tensor.
        strides: For each side, how many elements of the storage a step takes.

    Raises:
        ValueError: The tensor does not lie within its storage, or no array can be like it.
    """
    if len(shape) != len(strides) or min((*shape, *strides, offset)) < 0:
        raise ValueError(f'its shape is {shape}, its strides are {strides} and its offset is {offset}')
    count = math.prod(shape)
    if count > np.iinfo(np.intp).max // 8:
        raise ValueError(f'its shape is {shape}, which no array can have')
    needed = count and offset + 1 + sum((side - 1) * step for side, step in zip(shape, strides))
    if needed > len(values):
        raise ValueError(f'it reaches to element {needed} of a storage of {len(values)}')
    if not count:
        return np.empty(shape, values.dtype)
    steps = [step * values.itemsize if side > 1 else 0 for side, step in zip(shape, strides)]
    return np.ndarray(shape, values.dtype, values, offset * values.itemsize, steps)
