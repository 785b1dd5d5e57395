"""Reads Torch7's .t7 files, binary and ASCII (torch/File.lua, Tensor.c, Storage.c, DiskFile.c).

The file is mapped, not read: the tensors of a binary file are views on the map, so that a tree
costs next to nothing until its values are used. Functions are kept as bytes and never run.
"""

import math
import mmap
import pathlib
import re

import numpy as np

from chainer_seg.errors import WeightFileError
from converters.formats.torch7_values import (
    ELEMENTS, Function, Object, Storage, Table, Tensor, element_of, run)

NIL, NUMBER, STRING, TABLE, OBJECT, BOOLEAN = range(6)
OLDEST_FUNCTION, OLD_FUNCTION, FUNCTION = 6, 7, 8

_DEEPEST = 5000  # Levels; Torch itself recurses and gives up earlier.
_MOST_DIMENSIONS = 32  # What every NumPy can hold.
_VERSION = re.compile(r'V (\d{1,9})')
_INTEGER = re.compile(rb'[ \n]*([+-]?\d{1,20})(?=[ \n])')
_NUMBER = re.compile(rb'[ \n]*([^\s]{1,400})(?=[ \n])')
_CHUNK = 1 << 16  # Bytes of ASCII numbers that are taken apart at once.


def recognise(start):
    """Whether the first bytes of a file (16 or more, or the whole file) may begin a .t7 file."""
    return _is_ascii(start) or (
        len(start) >= 4 and start[0] <= FUNCTION and not any(start[1:4]))


def read(path):
    """Reads a .t7 file.

    Args:
        path: The file; binary with 8- or 4-byte longs, or ASCII: its bytes tell.

    Returns:
        Its object: float, bool, str, None, or a :class:`~converters.formats.torch7_values.Table`,
        ``Object``, ``Tensor``, ``Storage`` or ``Function``. What the file refers to twice is one
        Python object, cycles included. Arrays are read-only views on the mapped file.

    Raises:
        chainer_seg.errors.WeightFileError: The file is missing, empty, no .t7 file, cut short, or
            says something impossible; with the byte offset and what was expected there.
    """
    data = _map(path)
    start = data[:16]
    if not recognise(start):
        raise WeightFileError(f'{path} is not a Torch7 file: at byte 0 a type number from 0 to 8 '
                              f'was expected, but the file starts with {start[:8]!r}.')
    if _is_ascii(start):
        return _Reader(_Ascii(data, path)).read()
    usual, small = _Binary(data, path, long_size=8), _Binary(data, path, long_size=4)
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


def _is_ascii(start):
    return re.match(rb'[0-8](\n|\Z)', start) is not None


def _map(path):
    path = pathlib.Path(path)
    if path.is_dir():
        raise WeightFileError(f'{path} is a folder; name a file in it.')
    try:
        with open(path, 'rb') as file:
            if path.stat().st_size == 0:
                raise WeightFileError(f'{path} is an empty file; copy or download it again.')
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise WeightFileError(f'{path} cannot be read: {error.strerror or error}.') from error


class _Source:
    """The bytes of a file and how far they have been read."""

    def __init__(self, data, path):
        self.data, self.path, self.at = data, path, 0

    @property
    def left(self):
        return len(self.data) - self.at

    def fail(self, expected, found, at=None):
        """Raises the one kind of error of this module."""
        at = self.at if at is None else at
        raise WeightFileError(f'{self.path} is damaged or cut short: at byte {at} {expected} was '
                              f'expected, but {found}.')

    def length(self, what):
        """A count that cannot be negative."""
        at, length = self.at, self.integer(f'the length of {what}')
        if length < 0:
            self.fail(f'the length of {what}', f'there is {length}', at)
        return length

    def bytes(self, what):
        """A length and so many bytes, as a view."""
        at, count = self.at, self.length(what)
        if count > self.left:
            self.fail(what, f'its length is {count} and the file has {self.left} bytes left', at)
        return self.raw(count)

    def text(self, what):
        """A string, one character for each byte."""
        return str(self.bytes(what), 'latin-1')


class _Binary(_Source):
    """Little-endian numbers of fixed sizes."""

    def __init__(self, data, path, long_size):
        super().__init__(data, path)
        self.view = memoryview(data)
        self.long_size, self.has_longs = long_size, False

    def integer(self, what):
        return int.from_bytes(self._take(4, what), 'little', signed=True)

    def long(self, what):
        self.has_longs = True
        return int.from_bytes(self._take(self.long_size, what), 'little', signed=True)

    def longs(self, count, what):
        return tuple(self.long(what) for _ in range(count))

    def number(self, what):
        return float(np.frombuffer(self._take(8, what), '<f8')[0])

    def raw(self, count):
        return self._take(count, 'bytes')

    def values(self, element, count):
        dtype = np.dtype(ELEMENTS[element])
        if element == 'Long':
            self.has_longs, dtype = True, np.dtype(f'<i{self.long_size}')
        if count > self.left // dtype.itemsize:
            self.fail(f'a storage of {count} {element} values',
                      f'the file has {self.left} bytes left')
        return np.frombuffer(self._take(count * dtype.itemsize, 'values'), dtype)

    def at_end(self):
        return self.left == 0

    def _take(self, count, what):
        if count > self.left:
            self.fail(what, 'the file ends')
        self.at += count
        return self.view[self.at - count:self.at]


class _Ascii(_Source):
    """The same numbers as text; every value, and every list of values, ends with a line feed.

    The last line feed is asked for: without it a number may have been cut short.
    """

    def __init__(self, data, path):
        super().__init__(data, path)
        self.view = memoryview(data)

    def integer(self, what):
        return int(self._token(_INTEGER, what))

    long = integer

    def longs(self, count, what):
        return tuple(self.integer(what) for _ in range(count))

    def number(self, what):
        at, token = self.at, self._token(_NUMBER, what)
        try:
            return float(token)
        except ValueError:
            self.fail(what, f'there is {token[:24]!r}', at)

    def raw(self, count):
        self.at += count
        taken = self.view[self.at - count:self.at]
        if count:
            self._line_feed('bytes')
        return taken

    def values(self, element, count):
        dtype = np.dtype(ELEMENTS[element])
        if dtype.itemsize == 1:  # Bytes and chars stand in an ASCII file as they are.
            if count > self.left:
                self.fail(f'a storage of {count} {element} values',
                          f'the file has {self.left} bytes left')
            return np.frombuffer(self.raw(count), dtype)
        return self._list(element, dtype, count) if count else np.empty(0, dtype)

    def at_end(self):
        return not self.view[self.at:].tobytes().strip() if self.left < 8 else False

    def _list(self, element, dtype, count):
        """A line of numbers; it is counted before memory is taken for it."""
        what = f'a line of {count} {element} values'
        end = self.data.find(b'\n', self.at)
        if end < 0:
            self.fail(what, 'the file ends')
        found = np.count_nonzero(np.frombuffer(self.view[self.at:end], np.uint8) == ord(' ')) + 1
        if found != count:
            self.fail(what, f'there are {found}')
        values, filled = np.empty(count, dtype), 0
        while self.at < end:
            stop = self.data.rfind(b' ', self.at, self.at + _CHUNK) if end - self.at > _CHUNK else end
            stop = end if stop < 0 else stop
            tokens = bytes(self.view[self.at:stop]).split()
            try:
                values[filled:filled + len(tokens)] = np.array(tokens).astype(dtype)
            except (ValueError, OverflowError):
                self.fail(what, 'one of them is no number of that kind')
            filled += len(tokens)
            self.at = min(stop + 1, end)
        if filled != count:
            self.fail(what, f'there are {filled}')
        self._line_feed(what)
        values.flags.writeable = False
        return values

    def _token(self, pattern, what):
        match = pattern.match(self.data, self.at)
        if match is None:
            near = bytes(self.view[self.at:self.at + 24])
            self.fail(what, f'there is {near!r}' if near else 'the file ends')
        self.at = match.end()
        if self.data[self.at] == ord('\n'):
            self.at += 1
        return match[1]

    def _line_feed(self, what):
        if self.data[self.at:self.at + 1] != b'\n':
            self.fail(f'a line feed after {what}', 'there is none')
        self.at += 1


class _Reader:
    """Puts the objects of one source together."""

    def __init__(self, source):
        self.source = source
        self.seen = {}
        self.depth = 0

    def read(self):
        value = run(self._value())
        if not self.source.at_end():
            self.source.fail('the end of the file', f'{self.source.left} bytes follow')
        return value

    def _value(self):
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

    def _boolean(self):
        at, value = self.source.at, self.source.integer('a boolean')
        if value not in (0, 1):
            self.source.fail('a boolean, 0 or 1,', f'there is {value}', at)
        return value == 1

    def _table(self, index):
        table = self.seen[index] = Table()
        for _ in range(self.source.length('a table')):
            at = self.source.at
            key = yield self._value()
            if key is None:
                self.source.fail('the key of a table', 'there is nil', at)
            value = yield self._value()
            if value is not None:
                table[key] = value
        return table

    def _function(self, index, tag):
        function = Function(bytes(self.source.bytes('the code of a function')), tag=tag)
        if index is not None:
            self.seen[index] = function
        function.upvalues = yield self._value()
        return function

    def _object(self, index):
        name, version = self.source.text('the class of an object'), None
        match = _VERSION.fullmatch(name)
        if match:
            version, name = int(match[1]), self.source.text('the class of an object')
        element, kind = element_of(name) or (None, None)
        if kind == 'Storage':
            at, count = self.source.at, self.source.long('the size of a storage')
            if count < 0:
                self.source.fail('the size of a storage', f'there is {count}', at)
            value = Storage(name, self.source.values(element, count), version)
            self.seen[index] = value
            return value
        if kind == 'Tensor':
            return (yield from self._tensor(index, name, version))
        value = self.seen[index] = Object(name, version=version)
        value.fields = yield self._value()
        return value

    def _tensor(self, index, name, version):
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
        tensor.array = _view(tensor)
        return tensor


def _problem(tensor):
    """What is impossible about a tensor; None where all is well."""
    storage = tensor.storage
    if storage is not None:
        if not isinstance(storage, Storage):
            return f'its storage is {storage!r}'
        if storage.class_name != tensor.class_name.replace('Tensor', 'Storage'):
            return f'a {tensor.class_name} lies in a {storage.class_name}'
    if min(tensor.shape, default=1) < 1 or min(tensor.strides, default=0) < 0 or tensor.offset < 0:
        return (f'its shape is {tensor.shape}, its strides are {tensor.strides} and its offset is '
                f'{tensor.offset}')
    if math.prod(tensor.shape) > np.iinfo(np.intp).max // 8:
        return f'its shape is {tensor.shape}, which no array can have'
    if not tensor.shape:  # What Torch has in place of an empty tensor.
        return None
    available = 0 if storage is None else len(storage.values)
    needed = tensor.offset + 1 + sum(
        (size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides))
    if needed > available:
        return f'it reaches to element {needed} of a storage of {available}'
    return None


def _view(tensor):
    if not tensor.shape:
        element, _ = element_of(tensor.class_name)
        return np.empty(0, ELEMENTS[element])
    values = tensor.storage.values
    strides = [stride * values.itemsize if size > 1 else 0
               for size, stride in zip(tensor.shape, tensor.strides)]
    return np.ndarray(
        tensor.shape, values.dtype, values, tensor.offset * values.itemsize, strides)
