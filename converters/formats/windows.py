"""Tensors as views of a storage, as Torch and PyTorch save them."""

import math

import numpy as np


def window(values: np.ndarray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> np.ndarray:
    """The tensor in a storage; no copy is made.

    Args:
        values: The storage, a one-dimensional array.
        offset: The index of the first element of the tensor.
        shape: The shape of the tensor.
        strides: The strides in elements.

    Raises:
        ValueError: The tensor does not lie within its storage, or no array can have its shape.
    """
    if len(shape) != len(strides) or min((*shape, *strides, offset)) < 0:
        raise ValueError(f'its shape is {shape}, its strides are {strides} and its offset is {offset}')
    count = math.prod(shape)
    if count > np.iinfo(np.intp).max // 8:
        raise ValueError(f'its shape {shape} is too large for an array')
    needed = count and offset + 1 + sum((side - 1) * step for side, step in zip(shape, strides))
    if needed > len(values):
        raise ValueError(f'it reaches to element {needed} of a storage of {len(values)}')
    if not count:
        return np.empty(shape, values.dtype)
    steps = [step * values.itemsize if side > 1 else 0 for side, step in zip(shape, strides)]
    return np.ndarray(shape, values.dtype, values, offset * values.itemsize, steps)
