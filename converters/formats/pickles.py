"""Takes pickles of protocols 0 to 5 apart without unpickling them.

Numbers are read by Python's pickletools; its readers of text and bytes are not used, because they would copy
the weights, and decode the strings of Python 2 as ASCII.

A pickle is a program for a small stack machine. Python's own machine imports and calls whatever the
program names; this one makes numbers, strings, lists, tuples and dicts, and knows nothing but the few
names that it is given. Any other name is refused, and nothing in a file is ever looked up or run.
"""

import mmap
import os
import pickle
import pickletools
from collections.abc import Callable, Mapping
from typing import IO, Any, NoReturn, cast

from chainer_seg.errors import WeightFileError, shortened
from converters.formats.pickle_opcodes import ACTIONS, MARK
from converters.formats.pickle_values import Admitted, UnreadError

# Weight files have about fifty opcodes per array; a file with more than this could exhaust the memory, in
# which an opcode of one byte can take a hundred.
_MOST_OPCODES = 2_000_000
_LONGEST_LINE = 4096  # Maximum bytes of a number or name in text form.
_LONGEST_NUMBER = 64  # Maximum bytes of a number in binary form.

_NUMBERS: dict[int, Callable[[Any], Any]] = {opcode.code.encode('latin-1')[0]: opcode.arg.reader
            for opcode in pickletools.opcodes if opcode.arg}


class Machine:
    """Runs the pickles in some bytes, one after the other.

    Args:
        data: The bytes: ``bytes``, an ``mmap``, or a read-only memoryview of one.
        path: The file, for messages.
        admitted: Stand-ins by full names, such as ``'collections.OrderedDict'``: functions of plain
            arguments, or a :class:`~converters.formats.pickle_values.Name`.
        persistent: Function of the persistent ids in the pickle; by default they are refused.
        remedy: What the user can do about a refused name.
        at: Where the pickle begins.

    Long byte strings are memoryviews of ``data``, short ones are Latin-1 text.
    """

    def __init__(self, data: bytes | mmap.mmap | memoryview, path: str | os.PathLike,
                 admitted: Mapping[str, Admitted], persistent: Callable[[object], object] | None = None,
                 remedy: str = '', at: int = 0) -> None:
        self.data, self.path, self.at = memoryview(data), path, at
        self.admitted, self.persistent, self.remedy = admitted, persistent, remedy
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self._start = at

    def load(self) -> Any:
        """The value of the pickle at ``at``, which then is the byte after it.

        Raises:
            chainer_seg.errors.WeightFileError: The pickle is damaged, or asks for a name that is not
                admitted.
        """
        self.stack, self.memo = [], {}
        for _ in range(_MOST_OPCODES):
            self._start = self.at
            opcode = self.take(1, 'an opcode')[0]
            if opcode == pickle.STOP[0]:
                return self._last()
            action = ACTIONS.get(opcode)
            if action is None:
                self.fail('an opcode of a pickle', f'there is {bytes([opcode])!r}')
            try:
                action(self, opcode)
            except UnreadError as error:
                raise WeightFileError(f'{self.path} cannot be read: at byte {self._start} it has '
                                      f'{shortened(str(error))}, which are not supported.') from error
            except (TypeError, ValueError, OverflowError, LookupError) as error:
                self.fail('a valid opcode', f'{error}')
        self.fail('the end of the pickle', f'it has more than {_MOST_OPCODES} opcodes')

    def load_last(self) -> Any:
        """As :meth:`load`, for the last pickle of a file."""
        value = self.load()
        if self.at != len(self.data):
            self.fail('the end of the file', f'{len(self.data) - self.at} bytes follow', self.at)
        return value

    def fail(self, expected: str, found: object, at: int | None = None) -> NoReturn:
        """Raises an error: the file is damaged, by default at the byte where the opcode begins."""
        at = self._start if at is None else at
        raise WeightFileError(f'{self.path} is damaged or truncated: at byte {at} {expected} was '
                              f'expected, but {found}.')

    def refuse(self, what: str) -> NoReturn:
        """Raises an error: the file requests something that no weight file needs."""
        raise WeightFileError(f'{self.path} is refused: at byte {self._start} it requests {what}, '
                              f'which is not needed to store weights; nothing in it was run{self.remedy}.')

    def _last(self) -> Any:
        if len(self.stack) != 1:
            self.fail('the end of the pickle later', f'{len(self.stack)} values are left over')
        return self.pop()

    # Reading.

    def take(self, count: int, what: str) -> memoryview:
        """The next bytes; ``what`` names them in messages."""
        left = len(self.data) - self.at
        if not 0 <= count <= left:
            self.fail(what, f'it has {count} bytes and the file has {left} left')
        self.at += count
        return self.data[self.at - count:self.at]

    def number(self, opcode: int) -> Any:
        """The argument of an opcode that has a number."""
        return _NUMBERS[opcode](cast(IO[bytes], self))

    def read(self, count: int) -> bytes:
        """The next bytes of a number, for pickletools."""
        if count > _LONGEST_NUMBER:
            self.fail('a number', f'it has {count} bytes')
        return bytes(self.take(count, 'a number'))

    def readline(self) -> bytes:
        """The next line with its line feed, for pickletools."""
        return self.line() + b'\n'

    def line(self, longest: int = _LONGEST_LINE) -> bytes:
        """The bytes up to the next line feed, which must follow within ``longest`` bytes."""
        size, end = _LONGEST_LINE, -1
        while end < 0:
            start = bytes(self.data[self.at:self.at + size])
            end = start.find(b'\n')
            if end < 0 and size >= min(longest, len(self.data) - self.at):
                self.fail('a line of text', 'its end is missing')
            size *= 8
        self.at += end + 1
        return start[:end]

    def text_line(self) -> bytes:
        """As :meth:`line`, but of any length: protocol 0 writes all bytes of an array on one line."""
        return self.line(len(self.data))

    def counted(self, size: int, what: str) -> memoryview:
        """Bytes with a length prefix of ``size`` bytes."""
        return self.take(int.from_bytes(self.take(size, 'a number'), 'little'), what)

    # The stack.

    def pop(self) -> Any:
        """Pops the value at the top."""
        if not self.stack or self.stack[-1] is MARK:
            self.fail('a value before it', 'there is none')
        return self.stack.pop()

    def pop_to_mark(self) -> list:
        """Pops all values down to the last mark, and the mark."""
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is MARK:
                values = self.stack[place + 1:]
                del self.stack[place:]
                return values
        return self.fail('a mark before it', 'there is none')

    def top(self, kind: type) -> Any:
        """The value at the top, which must be of type ``kind``, without popping it."""
        value = self.stack[-1] if self.stack else None
        if not isinstance(value, kind):
            self.fail(f'a {kind.__name__} before it', f'there is a {type(value).__name__}')
        return value
