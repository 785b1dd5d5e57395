"""Takes pickles of protocols 0 to 5 apart without unpickling them (opcodes of Python's pickletools).

A pickle is a program for a small stack machine. Python's own machine imports and calls whatever the
program names; this one makes numbers, strings, lists, tuples and dicts, and knows nothing but the few
names that it is given. Any other name is refused, and nothing in a file is ever looked up or run.
"""

import mmap
import os
import pickle
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from chainer_seg.errors import WeightFileError, shortened
from converters.formats.pickle_opcodes import ACTIONS, MARK
from converters.formats.pickle_values import Admitted, UnreadError

# Weight files have some fifty opcodes for an array; a file with more than this was made to exhaust
# the memory, in which an opcode of one byte can take a hundred.
_MOST_OPCODES = 2_000_000
_LONGEST_LINE = 4096  # Bytes of a number or a name that is written as text.


class Machine:
    """Runs one pickle after the other of some bytes.

    Args:
        data: The bytes: ``bytes``, an ``mmap``, or a read-only memoryview of one.
        path: The file, for messages.
        admitted: Mapping of full names, such as ``'collections.OrderedDict'``, to what stands for
            them: a function of plain arguments, or a :class:`~converters.formats.pickle_values.Name`.
        persistent: Function of the persistent ids in the pickle; by default they are refused.
        remedy: What a user can do about a name that is refused.
        at: Where the pickle begins.

    Long strings of bytes are memoryviews on ``data``, short ones are Latin-1 text.
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
        """The value of the pickle that begins here; ``at`` is then the byte behind it.

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
                                      f'{shortened(str(error))}, which are not read.') from error
            except (TypeError, ValueError, OverflowError, LookupError) as error:
                self.fail('what makes sense', f'{error}')
        self.fail('the end of the pickle', f'it has more than {_MOST_OPCODES} opcodes')

    def load_last(self) -> Any:
        """As :meth:`load`, of a pickle behind which nothing may follow."""
        value = self.load()
        if self.at != len(self.data):
            self.fail('the end of the file', f'{len(self.data) - self.at} bytes follow', self.at)
        return value

    def fail(self, expected: str, found: object, at: int | None = None) -> NoReturn:
        """Says that the file is damaged, at the byte where the opcode begins unless told otherwise."""
        at = self._start if at is None else at
        raise WeightFileError(f'{self.path} is damaged or cut short: at byte {at} {expected} was '
                              f'expected, but {found}.')

    def refuse(self, what: str) -> NoReturn:
        """Says that the file asks for what no such file needs."""
        raise WeightFileError(f'{self.path} is refused: at byte {self._start} it asks for {what}, which '
                              f'is not needed to store weights; nothing in it was run{self.remedy}.')

    def _last(self):
        if len(self.stack) != 1:
            self.fail('the end of the pickle later', f'{len(self.stack)} values are left over')
        return self.pop()

    # Reading.

    def take(self, count: int, what: str) -> memoryview:
        """The next bytes, which ``what`` names in messages."""
        left = len(self.data) - self.at
        if not 0 <= count <= left:
            self.fail(what, f'it has {count} bytes and the file has {left} left')
        self.at += count
        return self.data[self.at - count:self.at]

    def integer(self, size: int, signed: bool = False) -> int:
        """A number of so many bytes."""
        return int.from_bytes(self.take(size, 'a number'), 'little', signed=signed)

    def line(self, longest: int = _LONGEST_LINE) -> bytes:
        """The bytes up to the next line feed, which is found within so many."""
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
        """As :meth:`line`, but of any length: protocol 0 writes all bytes of an array in one."""
        return self.line(len(self.data))

    def counted(self, size: int, what: str) -> memoryview:
        """Bytes behind their number."""
        return self.take(self.integer(size), what)

    # The stack.

    def pop(self) -> Any:
        """Takes the value at the top."""
        if not self.stack or self.stack[-1] is MARK:
            self.fail('a value before it', 'there is none')
        return self.stack.pop()

    def pop_to_mark(self) -> list:
        """Takes all values down to the last mark, and the mark."""
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is MARK:
                values = self.stack[place + 1:]
                del self.stack[place:]
                return values
        return self.fail('a mark before it', 'there is none')

    def top(self, kind: type) -> Any:
        """The value at the top, which must be of a kind and stays there."""
        value = self.stack[-1] if self.stack else None
        if not isinstance(value, kind):
            self.fail(f'a {kind.__name__} before it', f'there is a {type(value).__name__}')
        return value
