"""Takes pickles of protocols 0 to 5 apart without unpickling them (opcodes of Python's pickletools).

A pickle is a program for a small stack machine. Python's own machine imports and calls whatever the
program names; this one makes numbers, strings, lists, tuples and dicts, and knows nothing but the few
names that it is given. Any other name is refused, and nothing in a file is ever looked up or run.
"""

import codecs
import collections
import pickle
import struct

from chainer_seg.errors import WeightFileError

# Weight files have some fifty opcodes for an array; a file with more than this was made to exhaust
# the memory, in which an opcode of one byte can take a hundred.
_MOST_OPCODES = 2_000_000
_LONGEST_LINE = 4096  # Bytes of a number or a name that is written as text.
_LONGEST_INTEGER = 64  # Bytes.

_ACTIONS = {}
_MARK = object()


class Name:
    """Something that a pickle may refer to but that is not called, such as a class of storages."""

    def __init__(self, name, value=None):
        self.name, self.value = name, value

    def __repr__(self):
        return f'<{self.name}>'


class Unfinished:
    """What a pickle has asked for and not yet described: its state follows later.

    Args:
        finish: Function of the state that returns the finished value.
    """

    def __init__(self, finish):
        self.finish = finish
        self.finished, self.value = False, None


def ordered_dict(items=()):
    """What stands for ``collections.OrderedDict``."""
    result = collections.OrderedDict()
    for key, value in items:
        result[plain_key(key)] = value
    return result


def plain_key(key):
    """A key of a dict, which must be text or a number.

    Nested tuples and huge numbers can be made to take forever as keys.
    """
    if not isinstance(key, (str, float, type(None))) and not (
            isinstance(key, int) and key.bit_length() < 64):
        raise TypeError(f'a key of a dict is a {type(key).__name__}')
    return key


def _on(*opcodes):
    """Makes a method the action of opcodes."""
    def register(method):
        _ACTIONS.update((opcode[0], method) for opcode in opcodes)
        return method
    return register


class Machine:
    """Runs one pickle after the other of some bytes.

    Args:
        data: The bytes: ``bytes``, an ``mmap``, or a read-only memoryview of one.
        path: The file, for messages.
        admitted: Mapping of full names, such as ``'collections.OrderedDict'``, to what stands for
            them: a function of plain arguments, or a :class:`Name`.
        persistent: Function of the persistent ids in the pickle; by default they are refused.
        remedy: What a user can do about a name that is refused.
        at: Where the pickle begins.

    Long strings of bytes are memoryviews on ``data``, short ones are Latin-1 text.
    """

    def __init__(self, data, path, admitted, persistent=None, remedy='', at=0):
        self.data, self.path, self.at = memoryview(data), path, at
        self.admitted, self.persistent, self.remedy = admitted, persistent, remedy
        self.stack, self.memo, self._start = [], {}, at

    def load(self):
        """The value of the pickle that begins here; ``at`` is then the byte behind it.

        Raises:
            chainer_seg.errors.WeightFileError: The pickle is damaged, or asks for a name that is not
                admitted.
        """
        self.stack, self.memo = [], {}
        for _ in range(_MOST_OPCODES):
            self._start = self.at
            opcode = self._take(1, 'an opcode')[0]
            if opcode == pickle.STOP[0]:
                return self._last()
            action = _ACTIONS.get(opcode)
            if action is None:
                self.fail('an opcode of a pickle', f'there is {bytes([opcode])!r}')
            try:
                action(self, opcode)
            except (TypeError, ValueError, OverflowError, LookupError) as error:
                self.fail('what makes sense', f'{error}')
        self.fail('the end of the pickle', f'it has more than {_MOST_OPCODES} opcodes')

    def load_last(self):
        """As :meth:`load`, of a pickle behind which nothing may follow."""
        value = self.load()
        if self.at != len(self.data):
            self.fail('the end of the file', f'{len(self.data) - self.at} bytes follow', self.at)
        return value

    def fail(self, expected, found, at=None):
        """Says that the file is damaged, at the byte where the opcode begins unless told otherwise."""
        at = self._start if at is None else at
        raise WeightFileError(f'{self.path} is damaged or cut short: at byte {at} {expected} was '
                              f'expected, but {found}.')

    def refuse(self, what):
        """Says that the file asks for what no such file needs."""
        raise WeightFileError(f'{self.path} is refused: at byte {self._start} it asks for {what}, which '
                              f'is not needed to store weights; nothing in it was run{self.remedy}.')

    def _last(self):
        if len(self.stack) != 1:
            self.fail('the end of the pickle later', f'{len(self.stack)} values are left over')
        return self._pop()

    # Reading.

    def _take(self, count, what):
        left = len(self.data) - self.at
        if not 0 <= count <= left:
            self.fail(what, f'it has {count} bytes and the file has {left} left')
        self.at += count
        return self.data[self.at - count:self.at]

    def _integer(self, size, signed=False):
        return int.from_bytes(self._take(size, 'a number'), 'little', signed=signed)

    def _line(self):
        start = bytes(self.data[self.at:self.at + _LONGEST_LINE])
        end = start.find(b'\n')
        if end < 0:
            self.fail('a line of text', 'its end is missing')
        self.at += end + 1
        return start[:end]

    def _counted(self, size, what):
        """Bytes behind their number."""
        return self._take(self._integer(size), what)

    # The stack. A mark is a value of its own, so nothing that needs a value may take it.

    def _pop(self):
        if not self.stack or self.stack[-1] is _MARK:
            self.fail('a value before it', 'there is none')
        return self.stack.pop()

    def _pop_to_mark(self):
        for place in range(len(self.stack) - 1, -1, -1):
            if self.stack[place] is _MARK:
                values = self.stack[place + 1:]
                del self.stack[place:]
                return values
        return self.fail('a mark before it', 'there is none')

    def _top(self, kind):
        value = self.stack[-1] if self.stack else None
        if not isinstance(value, kind):
            self.fail(f'a {kind.__name__} before it', f'there is a {type(value).__name__}')
        return value

    # Numbers and text.

    @_on(pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE)
    def _constant(self, opcode):
        self.stack.append({pickle.NEWTRUE[0]: True, pickle.NEWFALSE[0]: False}.get(opcode))

    @_on(pickle.BININT, pickle.BININT1, pickle.BININT2)
    def _short_integer(self, opcode):
        size = {pickle.BININT1[0]: 1, pickle.BININT2[0]: 2}.get(opcode, 4)
        self.stack.append(self._integer(size, signed=size == 4))

    @_on(pickle.LONG1, pickle.LONG4)
    def _long_integer(self, opcode):
        size = self._integer(1 if opcode == pickle.LONG1[0] else 4)
        if size > _LONGEST_INTEGER:
            self.fail('a number', f'it has {size} bytes')
        self.stack.append(self._integer(size, signed=True))

    @_on(pickle.INT, pickle.LONG)
    def _integer_text(self, opcode):
        line = self._line()
        if opcode == pickle.INT[0] and line in (b'00', b'01'):
            self.stack.append(line == b'01')
        else:
            self.stack.append(int(line.removesuffix(b'L')))

    @_on(pickle.BINFLOAT)
    def _float(self, opcode):
        self.stack.append(struct.unpack('>d', self._take(8, 'a number'))[0])

    @_on(pickle.FLOAT)
    def _float_text(self, opcode):
        self.stack.append(float(self._line()))

    @_on(pickle.SHORT_BINSTRING)
    def _short_string(self, opcode):
        self.stack.append(str(self._counted(1, 'a string'), 'latin-1'))

    @_on(pickle.BINSTRING, pickle.BINBYTES)
    def _bytes(self, opcode):
        self.stack.append(self._counted(4, 'a string'))

    @_on(pickle.SHORT_BINBYTES)
    def _short_bytes(self, opcode):
        self.stack.append(self._counted(1, 'a string'))

    @_on(pickle.BINBYTES8, pickle.BYTEARRAY8)
    def _long_bytes(self, opcode):
        self.stack.append(self._counted(8, 'a string'))

    @_on(pickle.STRING)
    def _string_text(self, opcode):
        line = self._line()
        if len(line) < 2 or line[:1] not in (b"'", b'"') or line[:1] != line[-1:]:
            self.fail('a quoted string', 'there is none')
        self.stack.append(codecs.escape_decode(line[1:-1])[0].decode('latin-1'))

    @_on(pickle.BINUNICODE, pickle.SHORT_BINUNICODE, pickle.BINUNICODE8)
    def _text(self, opcode):
        size = {pickle.SHORT_BINUNICODE[0]: 1, pickle.BINUNICODE8[0]: 8}.get(opcode, 4)
        self.stack.append(str(self._counted(size, 'a text'), 'utf-8', 'surrogatepass'))

    @_on(pickle.UNICODE)
    def _text_line(self, opcode):
        self.stack.append(str(self._line(), 'raw-unicode-escape'))

    # Containers.

    @_on(pickle.EMPTY_DICT, pickle.EMPTY_LIST, pickle.EMPTY_TUPLE)
    def _empty(self, opcode):
        kind = {pickle.EMPTY_DICT[0]: dict, pickle.EMPTY_LIST[0]: list}.get(opcode, tuple)
        self.stack.append(kind())

    @_on(pickle.TUPLE, pickle.LIST)
    def _sequence(self, opcode):
        values = self._pop_to_mark()
        self.stack.append(values if opcode == pickle.LIST[0] else tuple(values))

    @_on(pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3)
    def _short_tuple(self, opcode):
        values = [self._pop() for _ in range(opcode - pickle.TUPLE1[0] + 1)]
        self.stack.append(tuple(reversed(values)))

    @_on(pickle.DICT)
    def _dict(self, opcode):
        values, result = self._pop_to_mark(), {}
        self._fill(result, values)
        self.stack.append(result)

    @_on(pickle.SETITEM)
    def _set_item(self, opcode):
        value, key = self._pop(), self._pop()
        self._fill(self._top(dict), [key, value])

    @_on(pickle.SETITEMS)
    def _set_items(self, opcode):
        values = self._pop_to_mark()
        self._fill(self._top(dict), values)

    @_on(pickle.APPEND)
    def _append(self, opcode):
        value = self._pop()
        self._top(list).append(value)

    @_on(pickle.APPENDS)
    def _extend(self, opcode):
        values = self._pop_to_mark()
        self._top(list).extend(values)

    def _fill(self, target, values):
        if len(values) % 2:
            self.fail('keys and values in pairs', f'there are {len(values)}')
        for key, value in zip(values[::2], values[1::2]):
            target[plain_key(key)] = value

    # The memo and the stack itself.

    @_on(pickle.BINPUT, pickle.LONG_BINPUT)
    def _put(self, opcode):
        self._remember(self._integer(1 if opcode == pickle.BINPUT[0] else 4))

    @_on(pickle.PUT)
    def _put_text(self, opcode):
        self._remember(int(self._line()))

    @_on(pickle.MEMOIZE)
    def _memoize(self, opcode):
        self._remember(len(self.memo))

    @_on(pickle.BINGET, pickle.LONG_BINGET)
    def _get(self, opcode):
        self._recall(self._integer(1 if opcode == pickle.BINGET[0] else 4))

    @_on(pickle.GET)
    def _get_text(self, opcode):
        self._recall(int(self._line()))

    def _remember(self, index):
        value = self._pop()
        self.stack.append(value)
        self.memo[index] = value

    def _recall(self, index):
        if index not in self.memo:
            self.fail('a value from the memo', f'nothing is in its place {index}')
        value = self.memo[index]
        if isinstance(value, Unfinished) and value.finished:
            value = value.value
        self.stack.append(value)

    @_on(pickle.MARK)
    def _mark(self, opcode):
        self.stack.append(_MARK)

    @_on(pickle.POP)
    def _drop(self, opcode):
        if not self.stack:
            self.fail('a value before it', 'there is none')
        self.stack.pop()

    @_on(pickle.POP_MARK)
    def _drop_to_mark(self, opcode):
        self._pop_to_mark()

    @_on(pickle.DUP)
    def _duplicate(self, opcode):
        value = self._pop()
        self.stack += [value, value]

    # The frame of a pickle.

    @_on(pickle.PROTO)
    def _protocol(self, opcode):
        protocol = self._integer(1)
        if protocol > pickle.HIGHEST_PROTOCOL:
            raise WeightFileError(f'{self.path} is a pickle of protocol {protocol}, which is not known; '
                                  f'save it with protocol {pickle.HIGHEST_PROTOCOL} or less.')

    @_on(pickle.FRAME)
    def _frame(self, opcode):
        self._integer(8)

    # Names, and what they make.

    @_on(pickle.GLOBAL)
    def _global(self, opcode):
        self._push_global(self._line(), self._line())

    @_on(pickle.STACK_GLOBAL)
    def _stack_global(self, opcode):
        name, module = self._pop(), self._pop()
        if not isinstance(name, str) or not isinstance(module, str):
            self.fail('the text of a name', f'there is a {type(name).__name__}')
        self._push_global(module.encode('utf-8', 'replace'), name.encode('utf-8', 'replace'))

    @_on(pickle.REDUCE, pickle.NEWOBJ)
    def _reduce(self, opcode):
        arguments, function = self._pop(), self._pop()
        self._call(function, arguments)

    @_on(pickle.NEWOBJ_EX)
    def _new_object(self, opcode):
        keywords, arguments, function = self._pop(), self._pop(), self._pop()
        if keywords:
            self.refuse('an object with named arguments')
        self._call(function, arguments)

    @_on(pickle.INST)
    def _instance(self, opcode):
        self._push_global(self._line(), self._line())
        function = self._pop()
        self._call(function, tuple(self._pop_to_mark()))

    @_on(pickle.OBJ)
    def _object(self, opcode):
        function, *arguments = self._pop_to_mark() or [None]
        self._call(function, tuple(arguments))

    @_on(pickle.BUILD)
    def _build(self, opcode):
        state, target = self._pop(), self._pop()
        if isinstance(target, Unfinished) and not target.finished:
            target.value, target.finished = target.finish(state), True
            target = target.value
        elif not isinstance(target, collections.OrderedDict):  # Its attributes are of no interest.
            self.refuse(f'a state for a {type(target).__name__}')
        self.stack.append(target)

    @_on(pickle.PERSID)
    def _persistent_text(self, opcode):
        self._push_persistent(str(self._line(), 'latin-1'))

    @_on(pickle.BINPERSID)
    def _persistent(self, opcode):
        self._push_persistent(self._pop())

    @_on(pickle.EXT1, pickle.EXT2, pickle.EXT4)
    def _extension(self, opcode):
        self.refuse("an entry of Python's extension registry")

    def _push_global(self, module, name):
        full_name = f'{module.decode("utf-8", "replace")}.{name.decode("utf-8", "replace")}'
        if full_name not in self.admitted:
            self.refuse(full_name if full_name.isprintable() else repr(full_name))
        self.stack.append(self.admitted[full_name])

    def _call(self, function, arguments):
        """Calls what stands for an admitted name; no other function is ever on the stack."""
        if not callable(function) or not isinstance(arguments, tuple):
            self.refuse(f'a call of a {type(function).__name__}')
        self.stack.append(function(*arguments))

    def _push_persistent(self, value):
        if self.persistent is None:
            self.refuse('an object that lies outside the pickle')
        self.stack.append(self.persistent(value))
