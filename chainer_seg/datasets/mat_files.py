"""Reads structures of numbers from MATLAB files of format 5, the format of SBD; every length is checked.

The layout is that of "MAT-File Format" (The MathWorks), chapter 1. scipy.io.loadmat trusts the lengths
in a damaged file and crashes the process.
"""

import math
import os
import pathlib
import struct
import zlib
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

MAX_BYTES = 128 * 2 ** 20  # of a file and of what it unpacks to; SBD's largest unpacks to 2 MiB

_MATRIX, _COMPRESSED, _INT8, _INT32, _UINT32 = 14, 15, 1, 5, 6
_STRUCT, _NUMERIC = 2, range(6, 16)  # classes of arrays; numeric ones are double to uint64
_STORED = {1: 'i1', 2: 'u1', 3: 'i2', 4: 'u2', 5: 'i4', 6: 'u4', 7: 'f4', 9: 'f8', 12: 'i8', 13: 'u8'}
_HEADER_LENGTH = 128


class MatFileError(ValueError):
    """Why a file cannot be read, as the end of a sentence."""


class _Element(NamedTuple):
    kind: int
    data: memoryview


def read_struct(path: str | os.PathLike, variable: str, fields: tuple[str, ...]
                ) -> dict[str, npt.NDArray]:
    """Some fields of a MATLAB structure.

    Args:
        path: A file of format 5, compressed (format 7) or not.
        variable: The name of the structure, which has one element.
        fields: Names of fields that are real numeric arrays; others are not read.

    Returns:
        Each field in its stored dtype, which may be smaller than that of its class.

    Raises:
        MatFileError: The file is damaged, has another format, or has no such structure or field.
        OSError: It cannot be opened.
    """
    if os.path.getsize(path) > MAX_BYTES:
        raise MatFileError(f'it is larger than {MAX_BYTES >> 20} MiB')
    data = pathlib.Path(path).read_bytes()
    return _Reader(_byte_order(data)).read(memoryview(data)[_HEADER_LENGTH:], variable, fields)


def _byte_order(data: bytes) -> str:
    """The byte order of a file of format 5 in the notation of :mod:`struct`: '<' or '>'."""
    if data.startswith(b'\x89HDF') or data.startswith(b'MATLAB 7.3') or data[512:516] == b'\x89HDF':
        raise MatFileError("it has MATLAB's format 7.3, which is HDF5; save it with '-v7' in MATLAB")
    if len(data) >= 20 and 0 in data[:4]:
        raise MatFileError("it does not have MATLAB's format 5; if it has format 4, save it with '-v7' in "
                           "MATLAB")
    order = {b'IM': '<', b'MI': '>'}.get(data[126:128])
    if order is None or struct.unpack(f'{order}H', data[124:126]) != (0x0100,):
        raise MatFileError("it has no header of MATLAB's format 5")
    return order


class _Reader:
    def __init__(self, order: str) -> None:
        self._order = order
        self._left = MAX_BYTES  # remaining bytes that may be unpacked

    def read(self, content: memoryview, variable: str, fields: tuple[str, ...]) -> dict[str, npt.NDArray]:
        while len(content):
            element, content = self._next(content, packed=True)
            if element.kind == _COMPRESSED:
                element, _ = self._next(self._unpacked(element.data))
            if element.kind != _MATRIX:
                raise MatFileError(f'it has data of kind {element.kind} instead of an array')
            kind, shape, name, rest = self._head(element.data)
            if name == variable:
                if kind != _STRUCT or math.prod(shape) != 1:
                    raise MatFileError(f'its {variable} is not one structure')
                return self._fields(rest, fields)
        raise MatFileError(f'it has no structure {variable}')

    def _next(self, content: memoryview, packed: bool = False) -> tuple[_Element, memoryview]:
        """The first element of ``content``, and the rest."""
        if len(content) < 8:
            raise MatFileError('it ends too early')
        first, length = struct.unpack(f'{self._order}II', content[:8])
        if first >> 16:  # a small element: its length in two bytes, its data in the tag
            kind, length, start, end = first & 0xFFFF, first >> 16, 4, 8
            if length > 4:
                raise MatFileError(f'a small element in it claims {length} bytes')
        else:
            kind, start = first, 8
            # Compressed elements are not padded to multiples of eight bytes.
            end = start + (length if packed and kind == _COMPRESSED else -(-length // 8) * 8)
        if start + length > len(content):
            raise MatFileError('it ends too early')
        return _Element(kind, content[start:start + length]), content[end:]

    def _unpacked(self, data: memoryview) -> memoryview:
        unpacker = zlib.decompressobj()
        try:
            content = unpacker.decompress(data, self._left + 1)
        except zlib.error:
            raise MatFileError('its compressed data are damaged') from None
        self._left -= len(content)
        if self._left < 0:
            raise MatFileError(f'it unpacks to more than {MAX_BYTES >> 20} MiB')
        if not unpacker.eof:
            raise MatFileError('its compressed data end too early')
        return memoryview(content)

    def _head(self, data: memoryview) -> tuple[int, tuple[int, ...], str, memoryview]:
        """The class, shape and name of an array, and the rest of its data."""
        flags, data = self._next(data)
        shape, data = self._next(data)
        name, data = self._next(data)
        if (flags.kind, len(flags.data)) != (_UINT32, 8) or shape.kind != _INT32 or name.kind != _INT8:
            raise MatFileError('an array in it has no header')
        sides = self._numbers(shape).tolist()
        if not 2 <= len(sides) <= 32 or min(sides) < 0:
            raise MatFileError('an array in it has an invalid shape')
        kind = int(self._numbers(flags)[0])
        if kind & 0x0800:
            raise MatFileError('an array in it has complex numbers')
        return kind & 0xFF, tuple(sides), bytes(name.data).decode('latin-1'), data

    def _fields(self, data: memoryview, wanted: tuple[str, ...]) -> dict[str, npt.NDArray]:
        length, data = self._next(data)
        names, data = self._next(data)
        if (length.kind, len(length.data)) != (_INT32, 4) or names.kind != _INT8:
            raise MatFileError('its structure has no field names')
        [size] = self._numbers(length).tolist()
        if not 1 <= size <= 64 or len(names.data) % size:
            raise MatFileError('its structure has no field names')
        texts = [bytes(names.data[at:at + size]).split(b'\0')[0].decode('latin-1')
                 for at in range(0, len(names.data), size)]
        missing = [name for name in wanted if name not in texts]
        if missing:
            raise MatFileError(f'its structure has no {missing[0]}')
        found: dict[str, npt.NDArray] = {}
        for text in texts:
            element, data = self._next(data)
            if element.kind != _MATRIX:
                raise MatFileError(f'its field {len(found)} is not an array')
            if text in wanted and text not in found:
                found[text] = self._array(element.data, text)
            if len(found) == len(wanted):
                break
        return found

    def _array(self, data: memoryview, field: str) -> npt.NDArray:
        if not len(data):
            return np.zeros((0, 0))
        kind, shape, _, data = self._head(data)
        if kind not in _NUMERIC:
            raise MatFileError(f'its {field} is not an array of numbers')
        values = self._numbers(self._next(data)[0])
        if len(values) != math.prod(shape):
            raise MatFileError(f'its {field} has {len(values)} numbers but the shape '
                               f'{"x".join(map(str, shape))}')
        return values.astype(values.dtype.newbyteorder('=')).reshape(shape, order='F')

    def _numbers(self, element: _Element) -> npt.NDArray:
        if element.kind not in _STORED:
            raise MatFileError(f'it has numbers of the unknown kind {element.kind}')
        dtype = np.dtype(self._order + _STORED[element.kind])
        if len(element.data) % dtype.itemsize:
            raise MatFileError('an array in it ends within a number')
        return np.frombuffer(element.data, dtype)
