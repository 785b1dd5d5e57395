"""The actions of the opcodes of a pickle: functions of the machine that runs it (pickletools)."""

import codecs
import collections
import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING

from chainer_seg.errors import WeightFileError
from converters.formats.pickle_values import Unfinished, plain_key

if TYPE_CHECKING:
    from converters.formats.pickles import Machine

Action = Callable[['Machine', int], None]  # Its arguments are the machine and the opcode.
ACTIONS: dict[int, Action] = {}
MARK = object()  # A marker on the stack; opcodes that need a value refuse it.


def on(*opcodes: bytes) -> Callable[[Action], Action]:
    """Registers a function as the action of opcodes."""
    def register(action: Action) -> Action:
        ACTIONS.update((opcode[0], action) for opcode in opcodes)
        return action
    return register


# Numbers and text.

@on(pickle.NONE, pickle.NEWTRUE, pickle.NEWFALSE)
def _constant(machine: 'Machine', opcode: int) -> None:
    machine.stack.append({pickle.NEWTRUE[0]: True, pickle.NEWFALSE[0]: False}.get(opcode))


@on(pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG1, pickle.LONG4, pickle.INT, pickle.LONG,
    pickle.BINFLOAT, pickle.FLOAT)
def _number(machine: 'Machine', opcode: int) -> None:
    machine.stack.append(machine.number(opcode))


@on(pickle.SHORT_BINSTRING)
def _short_string(machine: 'Machine', opcode: int) -> None:
    machine.stack.append(str(machine.counted(1, 'a string'), 'latin-1'))


@on(pickle.BINSTRING, pickle.SHORT_BINBYTES, pickle.BINBYTES, pickle.BINBYTES8, pickle.BYTEARRAY8)
def _bytes(machine: 'Machine', opcode: int) -> None:
    sizes = {pickle.SHORT_BINBYTES[0]: 1, pickle.BINBYTES8[0]: 8, pickle.BYTEARRAY8[0]: 8}
    machine.stack.append(machine.counted(sizes.get(opcode, 4), 'a string'))


@on(pickle.STRING)
def _string_text(machine: 'Machine', opcode: int) -> None:
    line = machine.text_line()
    if len(line) < 2 or line[:1] not in (b"'", b'"') or line[:1] != line[-1:]:
        machine.fail('a quoted string', 'there is none')
    machine.stack.append(codecs.escape_decode(line[1:-1])[0].decode('latin-1'))


@on(pickle.BINUNICODE, pickle.SHORT_BINUNICODE, pickle.BINUNICODE8)
def _text(machine: 'Machine', opcode: int) -> None:
    size = {pickle.SHORT_BINUNICODE[0]: 1, pickle.BINUNICODE8[0]: 8}.get(opcode, 4)
    machine.stack.append(str(machine.counted(size, 'a text'), 'utf-8', 'surrogatepass'))


@on(pickle.UNICODE)
def _text_line(machine: 'Machine', opcode: int) -> None:
    machine.stack.append(str(machine.text_line(), 'raw-unicode-escape'))


# Containers.

@on(pickle.EMPTY_DICT, pickle.EMPTY_LIST, pickle.EMPTY_TUPLE)
def _empty(machine: 'Machine', opcode: int) -> None:
    kind = {pickle.EMPTY_DICT[0]: dict, pickle.EMPTY_LIST[0]: list}.get(opcode, tuple)
    machine.stack.append(kind())


@on(pickle.TUPLE, pickle.LIST)
def _sequence(machine: 'Machine', opcode: int) -> None:
    values = machine.pop_to_mark()
    machine.stack.append(values if opcode == pickle.LIST[0] else tuple(values))


@on(pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3)
def _short_tuple(machine: 'Machine', opcode: int) -> None:
    values = [machine.pop() for _ in range(opcode - pickle.TUPLE1[0] + 1)]
    machine.stack.append(tuple(reversed(values)))


@on(pickle.DICT)
def _dict(machine: 'Machine', opcode: int) -> None:
    values = machine.pop_to_mark()
    result: dict = {}
    _fill(machine, result, values)
    machine.stack.append(result)


@on(pickle.SETITEM)
def _set_item(machine: 'Machine', opcode: int) -> None:
    value, key = machine.pop(), machine.pop()
    _fill(machine, machine.top(dict), [key, value])


@on(pickle.SETITEMS)
def _set_items(machine: 'Machine', opcode: int) -> None:
    values = machine.pop_to_mark()
    _fill(machine, machine.top(dict), values)


@on(pickle.APPEND)
def _append(machine: 'Machine', opcode: int) -> None:
    value = machine.pop()
    machine.top(list).append(value)


@on(pickle.APPENDS, pickle.ADDITEMS)
def _extend(machine: 'Machine', opcode: int) -> None:
    values = machine.pop_to_mark()
    machine.top(list).extend(values)


@on(pickle.EMPTY_SET)
def _set(machine: 'Machine', opcode: int) -> None:
    """Sets are lists here, so that nothing in a file is ever hashed."""
    machine.stack.append([])


@on(pickle.FROZENSET)
def _frozen_set(machine: 'Machine', opcode: int) -> None:
    machine.stack.append(machine.pop_to_mark())


def _fill(machine: 'Machine', target: dict, values: list) -> None:
    if len(values) % 2:
        machine.fail('keys and values in pairs', f'there are {len(values)}')
    for key, value in zip(values[::2], values[1::2]):
        target[plain_key(key)] = value


# The memo and the stack itself.

@on(pickle.BINPUT, pickle.LONG_BINPUT, pickle.PUT)
def _put(machine: 'Machine', opcode: int) -> None:
    _remember(machine, machine.number(opcode))


@on(pickle.MEMOIZE)
def _memoize(machine: 'Machine', opcode: int) -> None:
    _remember(machine, len(machine.memo))


@on(pickle.BINGET, pickle.LONG_BINGET, pickle.GET)
def _get(machine: 'Machine', opcode: int) -> None:
    index = machine.number(opcode)
    if index not in machine.memo:
        machine.fail('a value from the memo', f'nothing is in its place {index}')
    value = machine.memo[index]
    if isinstance(value, Unfinished) and value.finished:
        value = value.value
    machine.stack.append(value)


def _remember(machine: 'Machine', index: int) -> None:
    value = machine.pop()
    machine.stack.append(value)
    machine.memo[index] = value


@on(pickle.MARK)
def _mark(machine: 'Machine', opcode: int) -> None:
    machine.stack.append(MARK)


@on(pickle.POP)
def _drop(machine: 'Machine', opcode: int) -> None:
    if not machine.stack:
        machine.fail('a value before it', 'there is none')
    machine.stack.pop()


@on(pickle.POP_MARK)
def _drop_to_mark(machine: 'Machine', opcode: int) -> None:
    machine.pop_to_mark()


@on(pickle.DUP)
def _duplicate(machine: 'Machine', opcode: int) -> None:
    value = machine.pop()
    machine.stack += [value, value]


# The frame of a pickle.

@on(pickle.PROTO)
def _protocol(machine: 'Machine', opcode: int) -> None:
    protocol = machine.number(opcode)
    if protocol > pickle.HIGHEST_PROTOCOL:
        raise WeightFileError(f'{machine.path} is a pickle of protocol {protocol}, which is unknown; '
                              f'save it with protocol {pickle.HIGHEST_PROTOCOL} or lower.')


@on(pickle.FRAME)
def _frame(machine: 'Machine', opcode: int) -> None:
    machine.number(opcode)


# Names, and what they make.

@on(pickle.GLOBAL)
def _global(machine: 'Machine', opcode: int) -> None:
    _push_global(machine, machine.line(), machine.line())


@on(pickle.STACK_GLOBAL)
def _stack_global(machine: 'Machine', opcode: int) -> None:
    name, module = machine.pop(), machine.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        machine.fail('the text of a name', f'there is a {type(name).__name__}')
    _push_global(machine, module.encode('utf-8', 'replace'), name.encode('utf-8', 'replace'))


@on(pickle.REDUCE, pickle.NEWOBJ)
def _reduce(machine: 'Machine', opcode: int) -> None:
    arguments, function = machine.pop(), machine.pop()
    _call(machine, function, arguments)


@on(pickle.NEWOBJ_EX)
def _new_object(machine: 'Machine', opcode: int) -> None:
    keywords, arguments, function = machine.pop(), machine.pop(), machine.pop()
    if keywords:
        machine.refuse('an object with named arguments')
    _call(machine, function, arguments)


@on(pickle.INST)
def _instance(machine: 'Machine', opcode: int) -> None:
    _push_global(machine, machine.line(), machine.line())
    function = machine.pop()
    _call(machine, function, tuple(machine.pop_to_mark()))


@on(pickle.OBJ)
def _object(machine: 'Machine', opcode: int) -> None:
    function, *arguments = machine.pop_to_mark() or [None]
    _call(machine, function, tuple(arguments))


@on(pickle.BUILD)
def _build(machine: 'Machine', opcode: int) -> None:
    state, target = machine.pop(), machine.pop()
    if isinstance(target, Unfinished) and not target.finished:
        target.value, target.finished = target.finish(state), True
        target = target.value
    elif not isinstance(target, collections.OrderedDict):  # Its attributes are of no interest.
        machine.refuse(f'a state for a {type(target).__name__}')
    machine.stack.append(target)


@on(pickle.PERSID)
def _persistent_text(machine: 'Machine', opcode: int) -> None:
    _push_persistent(machine, str(machine.line(), 'latin-1'))


@on(pickle.BINPERSID)
def _persistent(machine: 'Machine', opcode: int) -> None:
    _push_persistent(machine, machine.pop())


@on(pickle.EXT1, pickle.EXT2, pickle.EXT4)
def _extension(machine: 'Machine', opcode: int) -> None:
    machine.refuse("an entry of Python's extension registry")


def _push_global(machine: 'Machine', module: bytes, name: bytes) -> None:
    full_name = f'{module.decode("utf-8", "replace")}.{name.decode("utf-8", "replace")}'
    if full_name not in machine.admitted:
        machine.refuse(full_name if full_name.isprintable() else repr(full_name))
    machine.stack.append(machine.admitted[full_name])


def _call(machine: 'Machine', function: object, arguments: object) -> None:
    """Calls the stand-in for an admitted name; no other function is ever on the stack."""
    if not callable(function) or not isinstance(arguments, tuple):
        machine.refuse(f'a call of a {type(function).__name__}')
    machine.stack.append(function(*arguments))


def _push_persistent(machine: 'Machine', value: object) -> None:
    if machine.persistent is None:
        machine.refuse('an object that lies outside the pickle')
    machine.stack.append(machine.persistent(value))
