"""Shapes of TensorFlow variables, and the slices in which they may be saved (tensor_slice.proto)."""

import math
import typing

import numpy as np

from converters.formats.protobuf_wire import COUNTED, VARINT, Wire

_MOST_DIMENSIONS = 32  # The limit of NumPy 1.
_LONGEST_SIDE = 2 ** 62
_WHOLE = -1  # Length of a slice that covers a whole side.
_MOST_SLICES = 10_000  # Maximum number, because each is compared with all others.


Extents = tuple[tuple[int, int], ...]  # Start and length along each side.


def read_shape(wire: Wire, content: memoryview, begin: int) -> tuple[int, ...]:
    """The sides in a TensorShapeProto."""
    sides = []
    for number, kind, inside, _, at in wire.fields(content, begin):
        if number == 2 and kind == COUNTED:
            sides.append(_side(wire, inside, at))
        elif number == 3 and kind == VARINT and inside:
            wire.fail('a shape', 'it is unknown', at)
        if len(sides) > _MOST_DIMENSIONS:
            wire.fail(f'at most {_MOST_DIMENSIONS} dimensions', 'there are more', at)
    return tuple(sides)


def _side(wire, content, begin):
    size = 0
    for number, kind, inside, _, _ in wire.fields(content, begin):
        if number == 1 and kind == VARINT:
            size = inside
    if size > _LONGEST_SIDE:
        wire.fail('a side of an array', f'it is {size}', begin)
    return size


def read_slice(wire: Wire, content: memoryview, begin: int) -> Extents:
    """Start and length along each side in a TensorSliceProto; length -1 means the whole side."""
    extents = []
    for number, kind, inside, _, at in wire.fields(content, begin):
        if number == 1 and kind == COUNTED:
            start, length = 0, _WHOLE
            for field, field_kind, value, _, _ in wire.fields(inside, at):
                if field == 1 and field_kind == VARINT:
                    start = value
                elif field == 2 and field_kind == VARINT:
                    length = value
            extents.append((start, length))
        if len(extents) > _MOST_DIMENSIONS:
            wire.fail(f'at most {_MOST_DIMENSIONS} dimensions', 'there are more', at)
    return tuple(extents)


def slice_key(name: bytes, extents: Extents) -> bytes:
    """The key of a slice of a variable, whose name is UTF-8 (ordered_code.h)."""
    key = b'\0' + name.replace(b'\0', b'\0\xff') + b'\0\1' + _ordered_count(len(extents))
    return key + b''.join(_ordered(number) for extent in extents for number in extent)


def _ordered_count(number):
    size = (number.bit_length() + 7) // 8
    return bytes([size]) + number.to_bytes(size, 'big')


def _ordered(number):
    """An order-preserving encoding: the number of leading ones is the number of bytes."""
    size = ((number if number >= 0 else ~number).bit_length() + 7) // 7
    ones = (1 << size) - 1 << 7 * size
    return ((number ^ ones) & (1 << 8 * size) - 1).to_bytes(size, 'big')


class Part(typing.NamedTuple):
    """A slice of a variable: where it starts, and its values."""

    starts: tuple[int, ...]
    values: np.ndarray


def place_of(extents: Extents, shape: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Where a slice starts, and its shape.

    Raises:
        ValueError: It does not lie within an array of this shape.
    """
    if len(extents) != len(shape):
        raise ValueError(f'a slice of {len(extents)} dimensions of an array of the shape {shape}')
    starts = tuple(start for start, _ in extents)
    sides = tuple(side if length == _WHOLE else length for (_, length), side in zip(extents, shape))
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
