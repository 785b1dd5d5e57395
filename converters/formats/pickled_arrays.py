"""NumPy arrays and scalars in pickles: the stand-ins for the names that NumPy writes."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from converters.formats.pickle_values import Admitted, Name, Unfinished, UnreadError

NDARRAY = Name('numpy.ndarray')
OBJECTS = Name('numpy.dtype(object)')  # Not a NumPy dtype, so no array can have it.

_OBJECTS = ('O', 'O4', 'O8')
_ELEMENTS = ('b1', 'i1', 'i2', 'i4', 'i8', 'u1', 'u2', 'u4', 'u8', 'f2', 'f4', 'f8', 'c8', 'c16')
_MOST_DIMENSIONS = 32  # The limit of NumPy 1.
_MOST_REPETITION = 16  # Maximum elements of arrays per byte of the file.


class Budget:
    """The number of elements that all arrays of a file may have together.

    Arrays can repeat a few bytes of their file arbitrarily often; a model built from them would need the
    memory.

    Args:
        size: Bytes of the file.
    """

    def __init__(self, size: int) -> None:
        self.left = _MOST_REPETITION * size

    def spend(self, shape: object) -> None:
        """Checks the shape of an array and deducts its elements.

        Raises:
            ValueError: The shape is invalid, or the file is too small for so many elements.
        """
        if not isinstance(shape, tuple) or len(shape) > _MOST_DIMENSIONS or not all(
                type(side) is int and side >= 0 for side in shape):
            raise ValueError('an array has an impossible shape')
        self.left -= math.prod(shape)
        if self.left < 0:
            raise ValueError('the arrays have more elements than the file has bytes for')


def numpy_names(budget: Budget) -> dict[str, Admitted]:
    """The names that NumPy writes into pickles, and their stand-ins.

    Args:
        budget: The :class:`Budget` of the file.

    Returns:
        A mapping for :class:`~converters.formats.pickles.Machine`. Arrays are read-only views of the bytes
        of the pickle and may be unaligned; scalars are NumPy scalars, arrays of objects are lists.
    """
    def array(data: object, dtype: object, shape: Any, order: str) -> np.ndarray:
        budget.spend(shape)
        return _array(data, dtype, shape, order)

    def from_buffer(data: object, dtype: object, shape: Any, order: str,
                    axes: Sequence[int] | None = None) -> np.ndarray:
        if order == 'K' and axes is not None:  # Axes in another order, since NumPy 2.1.
            return array(data, dtype, shape, 'C').transpose(axes)
        return array(data, dtype, shape, order)

    def reconstruct(kind: object, shape: object, code: object) -> Unfinished:
        if kind is not NDARRAY:
            raise UnreadError('arrays of a subclass of NumPy\'s')
        return Unfinished(finish)

    def finish(state: Any) -> Any:
        shape, dtype, fortran, data = state[-4:]  # A version stands before them in newer files.
        if dtype is OBJECTS:
            return _objects(data, shape)
        return array(data, dtype, shape, 'F' if fortran else 'C')

    def scalar(dtype: object, data: object) -> Any:
        return array(data, dtype, (), 'C')[()]

    names: dict[str, Admitted] = {
        'numpy.ndarray': NDARRAY, 'numpy.dtype': _dtype, '_codecs.encode': _encode,
        '__builtin__.bytes': _no_bytes}
    for module in ('numpy.core', 'numpy._core'):
        names |= {f'{module}.multiarray._reconstruct': reconstruct,
                  f'{module}.multiarray.scalar': scalar, f'{module}.numeric._frombuffer': from_buffer}
    return names


def _dtype(code: Any, align: object = False, copy: object = True) -> Unfinished:
    code = code if isinstance(code, str) else str(code, 'ascii')
    if code in _OBJECTS:
        return Unfinished(lambda state: OBJECTS)
    if code not in _ELEMENTS:
        raise UnreadError(f'arrays of the type {code!r}')
    return Unfinished(lambda state: np.dtype(code).newbyteorder(_byte_order(state[1])))


def _byte_order(mark: Any) -> str:
    mark = mark if isinstance(mark, str) else str(mark, 'ascii')
    if mark not in ('<', '>', '|', '='):
        raise ValueError('a dtype has no order of bytes')
    return '<' if mark in ('|', '=') else mark


def _encode(text: object, encoding: object) -> bytes:
    """How Python 3 writes bytes in protocol 2, except for none at all."""
    if not isinstance(text, str) or encoding not in ('latin1', 'latin-1'):
        raise ValueError('bytes are written in an encoding other than Latin-1')
    return text.encode('latin-1')


def _no_bytes() -> bytes:
    return b''


def _objects(values: object, shape: object) -> Any:
    """The values of an array of objects: a list, or the only one of an array without dimensions."""
    if not isinstance(values, list) or shape not in ((), (len(values),)):
        raise TypeError('an array of objects has no list of them')
    if shape == () and len(values) != 1:
        raise ValueError(f'an array of one object has {len(values)}')
    return values if shape else values[0]


def _array(data: object, dtype: object, shape: Any, order: str) -> np.ndarray:
    if not isinstance(dtype, np.dtype):
        raise TypeError('an array has no dtype')
    data = data.encode('latin-1') if isinstance(data, str) else data
    if not isinstance(data, (bytes, memoryview)):
        raise TypeError(f'the values of an array are a {type(data).__name__}')
    if order not in ('C', 'F') or len(data) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f'an array of {math.prod(shape)} {dtype} has {len(data)} bytes')
    return np.ndarray(shape, dtype, data, order='F' if order == 'F' else 'C')
