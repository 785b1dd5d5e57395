"""The content of a Torch7 file in memory: tables, objects, tensors, storages, functions.

Numbers are floats, booleans are bools, nil is None. Strings are str with one character for each
byte (Latin-1), as Lua's strings are bytes; :func:`readable` gives the text of one in UTF-8.
"""

import collections.abc
import dataclasses
import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

# The element types of a storage in a file; Long has 4 bytes where `long` had (Windows, 32 bit).
ELEMENTS = {'Byte': '<u1', 'Char': '<i1', 'Short': '<i2', 'Int': '<i4', 'Long': '<i8',
            'Float': '<f4', 'Double': '<f8', 'Half': '<f2'}

_TYPE = re.compile(rf'torch\.(Cuda|Cl)?({"|".join(ELEMENTS)})?(Tensor|Storage)')
_BOOLEAN_SLOTS = {True: object(), False: object()}
_BOOLEANS = {slot: value for value, slot in _BOOLEAN_SLOTS.items()}


def element_of(class_name: str) -> tuple[str, str] | None:
    """Splits a class name into its element and its kind.

    Returns:
        Such as ('Float', 'Tensor') for ``torch.FloatTensor`` and ``torch.CudaTensor``, ('Long',
        'Storage') for ``torch.LongStorage``; None for any other class.
    """
    match = _TYPE.fullmatch(class_name)
    if match is None or not (match[1] or match[2]):
        return None
    return match[2] or 'Float', match[3]


def readable(text: str) -> str:
    """A string of a file for display: its bytes decoded as UTF-8, with invalid ones replaced.

    Text with characters beyond Latin-1, from other formats, is already decoded.
    """
    try:
        return text.encode('latin-1').decode('utf-8', 'replace')
    except UnicodeEncodeError:
        return text.encode('utf-8', 'replace').decode('utf-8')


class Table(collections.abc.MutableMapping):
    """A Lua table: a mapping in the order of the file, equal only to itself, and hashable.

    Unlike in a dict, the keys ``true`` and 1 are different, as in Lua.
    """

    __slots__ = ('_slots',)
    __eq__ = object.__eq__
    __hash__ = object.__hash__

    def __init__(self, items: Mapping | Iterable[tuple] = ()) -> None:
        self._slots: dict[Any, Any] = {}
        self.update(items)

    def __getitem__(self, key: Any) -> Any:
        return self._slots[_slot(key)]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._slots[_slot(key)] = value

    def __delitem__(self, key: Any) -> None:
        del self._slots[_slot(key)]

    def __iter__(self) -> Iterator:
        return (_BOOLEANS.get(slot, slot) for slot in self._slots)

    def __contains__(self, key: object) -> bool:
        return _slot(key) in self._slots

    def __len__(self) -> int:
        return len(self._slots)

    def __repr__(self) -> str:
        return f'<Lua table of {len(self)}>'

    def sequence(self) -> list:
        """The values under 1, 2, 3, ... as a list, up to the first number without one."""
        values: list[Any] = []
        while len(values) + 1 in self._slots:
            values.append(self._slots[len(values) + 1])
        return values


@dataclasses.dataclass(eq=False, slots=True)
class Object:
    """An object of a Torch class that has no reader of its own.

    ``fields`` is the content that the class wrote, nearly always a :class:`Table`; for ``tds.Hash`` and
    ``tds.Vec`` it is a table of their items. ``version`` is the number in the object's header;
    None in very old files, which have no header.
    """

    class_name: str
    fields: Any = None
    version: float | None = 1

    def __getitem__(self, name: object) -> Any:
        return self.fields[name]

    def get(self, name: object, default: object = None) -> Any:
        """A field, or ``default`` if there is none."""
        return self.fields.get(name, default) if isinstance(self.fields, Table) else default

    def __repr__(self) -> str:
        return f'<{self.class_name}>'


@dataclasses.dataclass(eq=False, slots=True, repr=False)
class Storage:
    """The elements that tensors are views of: ``values``, one-dimensional."""

    class_name: str
    values: np.ndarray
    version: float | None = 1

    def __repr__(self) -> str:
        return f'<{self.class_name} of {len(self.values)}>'


@dataclasses.dataclass(eq=False, slots=True, repr=False)
class Tensor:
    """A view of a storage.

    ``shape`` and ``strides`` count elements; ``offset`` is the index of the first element, from 0.
    ``array`` is the NumPy view: no copy is made, and tensors of one storage share its memory.
    """

    class_name: str
    storage: Storage | None = None
    offset: int = 0
    shape: tuple = ()
    strides: tuple = ()
    array: np.ndarray = dataclasses.field(default_factory=lambda: np.empty(0))
    version: float | None = 1

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        array = self.array if dtype is None else self.array.astype(dtype, copy=False)
        return array.copy() if copy else array

    def __repr__(self) -> str:
        return f'<{self.class_name} {"x".join(map(str, self.shape)) or "empty"}>'


@dataclasses.dataclass(eq=False, slots=True, repr=False)
class Function:
    """A Lua function: its dumped code and the values it closes over. Nothing ever runs it.

    ``tag`` is the type number of its encoding: 8, or the older 7 and 6.
    """

    code: bytes
    upvalues: object = None
    tag: int = 8

    def __repr__(self) -> str:
        return f'<Lua function, {len(self.code)} bytes>'


def run(task: Generator[Any, Any, Any]) -> Any:
    """Runs a generator that yields generators and receives their results, without recursion.

    Files can be nested deeper than Python's stack allows.
    """
    waiting, result = [task], None
    while waiting:
        try:
            waiting.append(waiting[-1].send(result))
            result = None
        except StopIteration as end:
            waiting.pop()
            result = end.value
    return result


def _slot(key: object) -> object:
    return _BOOLEAN_SLOTS[key] if isinstance(key, bool) else key
