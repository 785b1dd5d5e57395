"""The two encodings of numbers in a .t7 file: little-endian bytes, and text (DiskFile.c)."""

import abc
import mmap
import os
import re
from typing import NoReturn

import numpy as np

from chainer_seg.errors import WeightFileError
from converters.formats.torch7_values import ELEMENTS

_INTEGER = re.compile(rb'[ \n]*([+-]?\d{1,20})(?=[ \n])')
_NUMBER = re.compile(rb'[ \n]*([^\s]{1,400})(?=[ \n])')
_CHUNK = 1 << 16  # Bytes of ASCII numbers that are parsed at once.


class _Source(abc.ABC):
    """The bytes of a file, and the current position."""

    def __init__(self, data: mmap.mmap, path: str | os.PathLike) -> None:
        self.data, self.path, self.at = data, path, 0

    @property
    def left(self) -> int:
        return len(self.data) - self.at

    def fail(self, expected: str, found: object, at: int | None = None) -> NoReturn:
        """Raises an error: the file is damaged, by default at the current position."""
        at = self.at if at is None else at
        raise WeightFileError(f'{self.path} is damaged or truncated: at byte {at} {expected} was '
                              f'expected, but {found}.')

    @abc.abstractmethod
    def integer(self, what: str) -> int:
        """A number of Torch's type int."""

    @abc.abstractmethod
    def raw(self, count: int) -> memoryview:
        """The next bytes as they are."""

    def length(self, what: str) -> int:
        """A count that cannot be negative."""
        at, length = self.at, self.integer(f'the length of {what}')
        if length < 0:
            self.fail(f'the length of {what}', f'there is {length}', at)
        return length

    def bytes(self, what: str) -> memoryview:
        """Length-prefixed bytes, as a view."""
        at, count = self.at, self.length(what)
        if count > self.left:
            self.fail(what, f'its length is {count} and the file has {self.left} bytes left', at)
        return self.raw(count)

    def text(self, what: str) -> str:
        """A string, one character for each byte."""
        return str(self.bytes(what), 'latin-1')


class Binary(_Source):
    """Little-endian numbers of fixed sizes."""

    def __init__(self, data: mmap.mmap, path: str | os.PathLike, long_size: int) -> None:
        super().__init__(data, path)
        self.view = memoryview(data)
        self.long_size, self.has_longs = long_size, False

    def integer(self, what: str) -> int:
        return int.from_bytes(self._take(4, what), 'little', signed=True)

    def long(self, what: str) -> int:
        self.has_longs = True
        return int.from_bytes(self._take(self.long_size, what), 'little', signed=True)

    def longs(self, count: int, what: str) -> tuple[int, ...]:
        return tuple(self.long(what) for _ in range(count))

    def number(self, what: str) -> float:
        return float(np.frombuffer(self._take(8, what), '<f8')[0])

    def raw(self, count: int) -> memoryview:
        return self._take(count, 'bytes')

    def values(self, element: str, count: int) -> np.ndarray:
        dtype = np.dtype(ELEMENTS[element])
        if element == 'Long':
            self.has_longs, dtype = True, np.dtype(f'<i{self.long_size}')
        if count > self.left // dtype.itemsize:
            self.fail(f'a storage of {count} {element} values',
                      f'the file has {self.left} bytes left')
        return np.frombuffer(self._take(count * dtype.itemsize, 'values'), dtype)

    def at_end(self) -> bool:
        return self.left == 0

    def _take(self, count: int, what: str) -> memoryview:
        if count > self.left:
            self.fail(what, 'the file ends')
        self.at += count
        return self.view[self.at - count:self.at]


class Ascii(_Source):
    """The same numbers as text; every value, and every list of values, ends with a line feed.

    The last line feed is required: without it, a number may have been truncated.
    """

    def __init__(self, data: mmap.mmap, path: str | os.PathLike) -> None:
        super().__init__(data, path)
        self.view = memoryview(data)

    def integer(self, what: str) -> int:
        return int(self._token(_INTEGER, what))

    long = integer

    def longs(self, count: int, what: str) -> tuple[int, ...]:
        return tuple(self.integer(what) for _ in range(count))

    def number(self, what: str) -> float:
        at, token = self.at, self._token(_NUMBER, what)
        try:
            return float(token)
        except ValueError:
            self.fail(what, f'there is {token[:24]!r}', at)

    def raw(self, count: int) -> memoryview:
        self.at += count
        taken = self.view[self.at - count:self.at]
        if count:
            self._line_feed('bytes')
        return taken

    def values(self, element: str, count: int) -> np.ndarray:
        dtype = np.dtype(ELEMENTS[element])
        if dtype.itemsize == 1:  # Bytes and chars are stored unchanged in an ASCII file.
            if count > self.left:
                self.fail(f'a storage of {count} {element} values',
                          f'the file has {self.left} bytes left')
            return np.frombuffer(self.raw(count), dtype)
        return self._list(element, dtype, count) if count else np.empty(0, dtype)

    def at_end(self) -> bool:
        return not self.view[self.at:].tobytes().strip() if self.left < 8 else False

    def _list(self, element: str, dtype: np.dtype, count: int) -> np.ndarray:
        """A line of numbers; they are counted before memory is allocated."""
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
                self.fail(what, 'one of them is not such a number')
            filled += len(tokens)
            self.at = min(stop + 1, end)
        if filled != count:
            self.fail(what, f'there are {filled}')
        self._line_feed(what)
        values.flags.writeable = False
        return values

    def _token(self, pattern: re.Pattern, what: str) -> bytes:
        match = pattern.match(self.data, self.at)
        if match is None:
            near = bytes(self.view[self.at:self.at + 24])
            self.fail(what, f'there is {near!r}' if near else 'the file ends')
        self.at = match.end()
        if self.data[self.at] == ord('\n'):
            self.at += 1
        return match[1]

    def _line_feed(self, what: str) -> None:
        if self.data[self.at:self.at + 1] != b'\n':
            self.fail(f'a line feed after {what}', 'there is none')
        self.at += 1
