"""The slices in which TensorFlow variables may be saved (tensor_slice.cc, saved_tensor_slice_util.cc)."""

import math
import typing
from typing import Any

import numpy as np

from converters.formats.tensorflow_messages import WHOLE, Extents

_MOST_SLICES = 10_000  # Maximum number, because each is compared with all others.


def slice_key(name: bytes, extents: Extents) -> bytes:
    """The key of a slice of a variable, whose name is UTF-8 (ordered_code.h)."""
    key = b'\0' + name.replace(b'\0', b'\0\xff') + b'\0\1' + _ordered_count(len(extents))
    return key + b''.join(_ordered(number) for extent in extents for number in extent)


def _ordered_count(number: int) -> bytes:
    size = (number.bit_length() + 7) // 8
    return bytes([size]) + number.to_bytes(size, 'big')


def _ordered(number: int) -> bytes:
    """An order-preserving encoding: the number of leading ones is the number of bytes."""
    size = ((number if number >= 0 else ~number).bit_length() + 7) // 7
    ones = (1 << size) - 1 << 7 * size
    return ((number ^ ones) & (1 << 8 * size) - 1).to_bytes(size, 'big')


class Part(typing.NamedTuple):
    """A slice of a variable: where it starts, and its values."""

    starts: tuple[int, ...]
    values: Any  # An array, or a list of strings.


def place_of(extents: Extents, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Where a slice starts, and its shape.

    Raises:
        ValueError: It does not lie within an array of this shape.
    """
    if len(extents) != len(shape):
        raise ValueError(f'a slice of {len(extents)} dimensions of an array of the shape {shape}')
    starts = tuple(start for start, _ in extents)
    sides = tuple(side if length == WHOLE else length for (_, length), side in zip(extents, shape))
    if any(start + length > side for start, length, side in zip(starts, sides, shape)):
        raise ValueError(f'a slice from {starts} of the shape {sides} in an array of the shape {shape}')
    return starts, sides


def joined(parts: list[Part], shape: tuple[int, ...]) -> np.ndarray:
    """An array from its slices; a single slice that covers it is returned unchanged.

    Raises:
        ValueError: The slices overlap, or do not fill the array.
    """
    if len(parts) == 1 and parts[0].values.shape == shape:
        return parts[0].values
    if not 0 < len(parts) <= _MOST_SLICES or sum(part.values.size for part in parts) != math.prod(shape):
        raise ValueError(f'{len(parts)} slices that do not fill an array of the shape {shape}')
    starts = np.array([part.starts for part in parts])
    ends = starts + np.array([part.values.shape for part in parts])
    for number in range(1, len(parts)):
        apart = (ends[number] <= starts[:number]) | (ends[:number] <= starts[number])
        if not apart.any(1).all():
            raise ValueError(f'overlapping slices of an array of the shape {shape}')
    result = np.empty(shape, parts[0].values.dtype.newbyteorder('='))
    for (begin, values), end in zip(parts, ends):
        result[tuple(map(slice, begin, end))] = values
    return result
