"""Reads Torch7's .t7 files, binary and ASCII (torch's File.lua, Tensor.c and Storage.c).

The file is memory-mapped: tensors of a binary file are views of the map, so a tree takes almost no memory
until its values are used. Functions are kept as bytes and never run.
"""

import mmap
import os
import re
from collections.abc import Generator
from typing import Any

import numpy as np

from chainer_seg.errors import WeightFileError, quoted
from converters.formats.mapped_file import map_file
from converters.formats.torch7_sources import Ascii, Binary
from converters.formats.torch7_values import (
    ELEMENTS, Function, Object, Storage, Table, Tensor, element_of, run)
from converters.formats.windows import window

NIL, NUMBER, STRING, TABLE, OBJECT, BOOLEAN = range(6)
OLDEST_FUNCTION, OLD_FUNCTION, FUNCTION = 6, 7, 8
TDS_HASH, TDS_VEC = 'tds.Hash', 'tds.Vec'  # Structures outside Lua's memory.

_DEEPEST = 5000  # Levels; Torch itself recurses and gives up earlier.
_MOST_DIMENSIONS = 32  # The limit of NumPy 1.
_VERSION = re.compile(r'V (\d{1,9})')


def recognise(data: bytes | mmap.mmap | memoryview) -> bool:
    """Whether the bytes of a file look like a .t7 file."""
    if _is_ascii(data):
        return True
    size = len(data)
    if size < 4 or data[0] > FUNCTION or any(data[1:4]):
        return False
    return data[0] != NIL or size == 4


def read(path: str | os.PathLike) -> object:
    """Reads a .t7 file.

    Args:
        path: The file; binary with 8- or 4-byte longs, or ASCII, as detected from its bytes.

    Returns:
        Its object: float, bool, str, None, or a :class:`~converters.formats.torch7_values.Table`,
        ``Object``, ``Tensor``, ``Storage`` or ``Function``. Objects that are referenced twice are one
        Python object, including cycles. Arrays are read-only views of the mapped file.

    Raises:
        chainer_seg.errors.WeightFileError: The file is missing, empty, not a .t7 file, truncated, or
            inconsistent; the error states the byte offset and what was expected there.
    """
    data = map_file(path)
    if not recognise(data):
        raise WeightFileError(f'{path} is not a Torch7 file: at byte 0 a type number from 0 to 8 '
                              f'was expected, but the file starts with {data[:8]!r}.')
    if _is_ascii(data):
        return _Reader(Ascii(data, path)).read()
    usual, small = Binary(data, path, long_size=8), Binary(data, path, long_size=4)
    try:
        return _Reader(usual).read()
    except WeightFileError as error:
        if not usual.has_longs:
            raise
        try:
            return _Reader(small).read()
        except WeightFileError:
            if small.at <= usual.at:
                raise error from None
            raise


def _is_ascii(data: bytes | mmap.mmap | memoryview) -> bool:
    return re.match(rb'[0-8](\n|\Z)', data) is not None


class _Reader:
    """Builds the objects of one source."""

    def __init__(self, source: Ascii | Binary) -> None:
        self.source = source
        self.seen: dict[int | None, Any] = {}
        self.depth = 0
        # The first object whose content is not a table, and its position.
        self.odd: tuple[str, int] | None = None

    def read(self) -> Any:
        try:
            value = run(self._value())
            if not self.source.at_end():
                self.source.fail('the end of the file', f'{self.source.left} bytes follow')
            return value
        except WeightFileError as error:
            if self.odd is None:
                raise
            name, at = self.odd
            raise WeightFileError(
                f'{self.source.path} cannot be read: at byte {at} there is an object of the class '
                f'{quoted(name, 60)}, which has an unsupported format of its own; save the file in Torch '
                f'without it.') from error

    def _value(self) -> Generator[Any, Any, Any]:
        """Reads one value; yields for each value inside it (see :func:`run`)."""
        source, at = self.source, self.source.at
        tag = source.integer('a type number')
        if tag == NIL:
            return None
        if tag == NUMBER:
            return source.number('a number')
        if tag == STRING:
            return source.text('a string')
        if tag == BOOLEAN:
            return self._boolean()
        if tag not in (TABLE, OBJECT, FUNCTION, OLD_FUNCTION, OLDEST_FUNCTION):
            source.fail('a type number from 0 to 8', f'there is {tag}', at)
        index = None if tag == OLDEST_FUNCTION else source.integer('the index of an object')
        if index in self.seen:
            return self.seen[index]
        self.depth += 1
        if self.depth > _DEEPEST:
            source.fail('an object', f'{_DEEPEST} others are open around it', at)
        if tag == TABLE:
            value = yield from self._table(index)
        elif tag == OBJECT:
            value = yield from self._object(index)
        else:
            value = yield from self._function(index, tag)
        self.depth -= 1
        return value

    def _boolean(self) -> bool:
        at, value = self.source.at, self.source.integer('a boolean')
        if value not in (0, 1):
            self.source.fail('a boolean, 0 or 1,', f'there is {value}', at)
        return value == 1

    def _table(self, index: int | None) -> Generator[Any, Any, Any]:
        table = self.seen[index] = Table()
        yield from self._pairs(table, self.source.length('a table'))
        return table

    def _pairs(self, table: Table, count: int) -> Generator[Any, Any, Any]:
        for _ in range(count):
            at = self.source.at
            key = yield self._value()
            if key is None:
                self.source.fail('the key of a table', 'there is nil', at)
            value = yield self._value()
            if value is not None:
                table[key] = value

    def _function(self, index: int | None, tag: int) -> Generator[Any, Any, Any]:
        function = Function(bytes(self.source.bytes('the code of a function')), tag=tag)
        if index is not None:
            self.seen[index] = function
        function.upvalues = yield self._value()
        return function

    def _object(self, index: int | None) -> Generator[Any, Any, Any]:
        name = self.source.text('the class of an object')
        version: int | None = None
        match = _VERSION.fullmatch(name)
        if match:
            version, name = int(match[1]), self.source.text('the class of an object')
        element, kind = element_of(name) or ('', '')
        if kind == 'Storage':
            at, count = self.source.at, self.source.long('the size of a storage')
            if count < 0:
                self.source.fail('the size of a storage', f'there is {count}', at)
            storage = self.seen[index] = Storage(name, self.source.values(element, count), version)
            return storage
        if kind == 'Tensor':
            return (yield from self._tensor(index, name, version))
        value = self.seen[index] = Object(name, version=version)
        if name in (TDS_HASH, TDS_VEC):
            value.fields = Table()
            yield from self._tds(value)
            return value
        if self.odd is None and self._tag_ahead() != TABLE:
            self.odd = name, self.source.at
        value.fields = yield self._value()
        return value

    def _tds(self, value: Any) -> Generator[Any, Any, Any]:
        """The payload of a tds.Hash, a long n and n pairs, or of a tds.Vec, a long n and n values."""
        at, count = self.source.at, self.source.long(f'the size of a {value.class_name}')
        if count < 0:
            self.source.fail(f'the size of a {value.class_name}', f'there is {count}', at)
        if value.class_name == TDS_HASH:
            yield from self._pairs(value.fields, count)
            return
        for number in range(1, count + 1):
            value.fields[number] = yield self._value()

    def _tag_ahead(self) -> int:
        """The type number of the next value; TABLE at the end of the file."""
        at = self.source.at
        try:
            return self.source.integer('a type number')
        except WeightFileError:
            return TABLE
        finally:
            self.source.at = at

    def _tensor(self, index: int | None, name: str, version: int | None) -> Generator[Any, Any, Any]:
        source, at = self.source, self.source.at
        tensor = self.seen[index] = Tensor(name, version=version)
        dimensions = source.integer('the number of dimensions of a tensor')
        if not 0 <= dimensions <= _MOST_DIMENSIONS:
            source.fail(f'0 to {_MOST_DIMENSIONS} dimensions of a tensor', f'there is {dimensions}', at)
        tensor.shape = source.longs(dimensions, 'the sizes of a tensor')
        tensor.strides = source.longs(dimensions, 'the strides of a tensor')
        tensor.offset = source.long('the storage offset of a tensor') - 1
        tensor.storage = yield self._value()
        problem = _problem(tensor)
        if problem:
            source.fail('a tensor within its storage', problem, at)
        try:
            tensor.array = _view(tensor)
        except ValueError as error:
            source.fail('a tensor within its storage', error, at)
        return tensor


def _problem(tensor: Tensor) -> str | None:
    """What is wrong with a tensor; None if nothing is."""
    storage = tensor.storage
    if storage is not None:
        if not isinstance(storage, Storage):
            return f'its storage is {storage!r}'
        if storage.class_name != tensor.class_name.replace('Tensor', 'Storage'):
            return f'a {tensor.class_name} lies in a {storage.class_name}'
    if 0 in tensor.shape:
        return f'its shape is {tensor.shape}'
    return None


def _view(tensor: Tensor) -> np.ndarray:
    if not tensor.shape:  # Torch's empty tensor.
        element, _ = element_of(tensor.class_name) or ('', '')
        return np.empty(0, ELEMENTS[element])
    values = np.empty(0) if tensor.storage is None else tensor.storage.values
    return window(values, tensor.offset, tensor.shape, tensor.strides)
