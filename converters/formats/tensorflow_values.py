"""Numbers and strings of TensorFlow variables as stored in its files (tensor.proto, types.proto)."""

import math
import typing

import numpy as np

STRING = 'string'
_BFLOAT16 = 'bfloat16'  # The upper half of a float32; not a NumPy type.


class Element(typing.NamedTuple):
    """A type of numbers: its name, NumPy's type code, and its field in a TensorProto."""

    name: str
    code: str = 'u1'
    field: int = 0


# By their numbers in types.proto. Quantised numbers are returned as integers.
ELEMENTS = {
    1: Element('float32', 'f4', 5), 2: Element('float64', 'f8', 6), 3: Element('int32', 'i4', 7),
    4: Element('uint8', 'u1', 7), 5: Element('int16', 'i2', 7), 6: Element('int8', 'i1', 7),
    7: Element(STRING, field=8), 8: Element('complex64', 'c8', 9), 9: Element('int64', 'i8', 10),
    10: Element('bool', 'b1', 11), 11: Element('int8', 'i1', 7), 12: Element('uint8', 'u1', 7),
    13: Element('int32', 'i4', 7), 14: Element(_BFLOAT16, 'u2', 13), 15: Element('int16', 'i2', 7),
    16: Element('uint16', 'u2', 7), 17: Element('uint16', 'u2', 7),
    18: Element('complex128', 'c16', 12), 19: Element('float16', 'f2', 13),
    22: Element('uint32', 'u4', 16), 23: Element('uint64', 'u8', 17)}

_RAW_FIELDS = (5, 6, 9, 12)  # Fields whose numbers have the layout of memory.


def array_of_bytes(data: bytes | memoryview, element: Element, shape: tuple[int, ...],
                   order: str = '<') -> np.ndarray:
    """An array from its bytes: a view of them, or a float32 copy for bfloat16.

    Args:
        data: The bytes, a memoryview.
        element: The :class:`Element`.
        shape: The shape.
        order: The byte order, ``'<'`` or ``'>'``.

    Raises:
        ValueError: The number of bytes does not match the shape.
    """
    dtype = np.dtype(order + element.code)
    if math.prod(shape) * dtype.itemsize != len(data):
        raise ValueError(f'{len(data)} bytes for a {element.name} array of the shape {shape}')
    return _finished(np.frombuffer(data, dtype), element, shape)


def array_of_field(data: bytes | memoryview, element: Element, shape: tuple[int, ...]) -> np.ndarray:
    """An array from a packed field of a TensorProto, in which integers are varints.

    Args:
        data: The content of the field that :class:`Element` names, a memoryview.
        element: The :class:`Element`.
        shape: The shape.

    Raises:
        ValueError: The number of values does not match the shape.
    """
    if element.field in _RAW_FIELDS:
        return array_of_bytes(data, element, shape)
    values = _varints(np.frombuffer(data, np.uint8))
    if math.prod(shape) != len(values):
        raise ValueError(f'{len(values)} numbers for an array of the shape {shape}')
    if element.name == 'float16':
        return values.astype(np.uint16).view(np.float16).reshape(shape)
    return _finished(values.astype(element.code), element, shape)


def _finished(values: np.ndarray, element: Element, shape: tuple[int, ...]) -> np.ndarray:
    if element.name == _BFLOAT16:
        values = (values.astype(np.uint32) << 16).view(np.float32)
    return values.reshape(shape)


def _varints(data: np.ndarray) -> np.ndarray:
    """Varints of one to ten bytes, as uint64; negative numbers are in two's complement."""
    ends = np.flatnonzero(data < 128)
    if len(data) and (not len(ends) or ends[-1] != len(data) - 1):
        raise ValueError('a number that does not end')
    starts = np.concatenate([[0], ends + 1])[:-1].astype(np.intp)
    lengths = ends - starts + 1
    if lengths.max(initial=0) > 10:
        raise ValueError('a number of more than ten bytes')
    values = np.zeros(len(ends), np.uint64)
    for place in range(lengths.max(initial=0)):
        inside = lengths > place
        values[inside] |= (data[starts[inside] + place] & np.uint64(127)) << np.uint64(7 * place)
    return values
