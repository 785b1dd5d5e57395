"""Writes Torch7's .t7 files, binary and ASCII, for torch.load and torch7.read.

For tests and the tutorial; training saves models in this package's own format.
"""

import math
import os
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

from chainer_seg.files import atomic_write
from converters.formats.torch7 import (
    BOOLEAN, NIL, NUMBER, OBJECT, OLDEST_FUNCTION, STRING, TABLE, TDS_HASH, TDS_VEC)
from converters.formats.torch7_values import (
    ELEMENTS, Function, Object, Storage, Table, Tensor, element_of, run)

_ELEMENT_OF_DTYPE = {np.dtype(dtype): element for element, dtype in ELEMENTS.items()}


def write(path: str | os.PathLike, value: object, ascii: bool = False, long_size: int = 8) -> None:
    """Writes a value as a .t7 file, atomically.

    Args:
        path: The file.
        value: None, a bool, number or str (one character for each byte), a mapping, a list or tuple
            (a table from 1), a NumPy array (a tensor; views of one array share its storage), or any
            of :mod:`converters.formats.torch7_values`. One Python object becomes one Torch object, however
            often it occurs; cycles are allowed.
        ascii: Whether to write text.
        long_size: Bytes of a long in a binary file, 8 or 4.

    Raises:
        TypeError: Torch has no equivalent of the value.
        chainer_seg.errors.DiskFullError: There is no room or no permission.
    """
    with atomic_write(path) as temporary, open(temporary, 'wb') as file:
        sink = _Ascii(file) if ascii else _Binary(file, long_size)
        run(_Writer(sink).value(value))


class _Binary:
    """Little-endian numbers of fixed sizes."""

    def __init__(self, file: BinaryIO, long_size: int) -> None:
        self.file, self.long_size = file, long_size

    def integer(self, value: int) -> None:
        self.file.write(value.to_bytes(4, 'little', signed=True))

    def longs(self, values: Iterable[int]) -> None:
        for value in values:
            self.file.write(int(value).to_bytes(self.long_size, 'little', signed=True))

    def number(self, value: float) -> None:
        self.file.write(np.array(value, '<f8').tobytes())

    def text(self, value: bytes) -> None:
        self.integer(len(value))
        self.file.write(value)

    def values(self, element: str, values: np.ndarray) -> None:
        dtype = f'<i{self.long_size}' if element == 'Long' else ELEMENTS[element]
        np.ascontiguousarray(values, dtype).tofile(self.file)


class _Ascii:
    """The same numbers as text."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file

    def integer(self, value: int) -> None:
        self.file.write(b'%d\n' % value)

    def longs(self, values: Iterable[int]) -> None:
        if values:
            self.file.write(' '.join(map(str, values)).encode() + b'\n')

    def number(self, value: float) -> None:
        self.file.write(_decimal(value, 17).encode() + b'\n')

    def text(self, value: bytes) -> None:
        self.integer(len(value))
        self._line(value)

    def values(self, element: str, values: np.ndarray) -> None:
        if values.itemsize == 1:
            self._line(values.tobytes())
        elif values.dtype.kind == 'i':
            self._line(' '.join(map(str, values.tolist())).encode())
        else:
            digits = 17 if element == 'Double' else 9
            self._line(' '.join(_decimal(value, digits) for value in values.tolist()).encode())

    def _line(self, value: bytes) -> None:
        if value:  # Torch writes no line feed after empty data.
            self.file.write(value + b'\n')


class _Writer:
    """Decomposes values, and numbers those that can be referenced."""

    def __init__(self, sink: _Ascii | _Binary) -> None:
        self.sink = sink
        self.indices: dict[int, int] = {}
        self.kept: list[Any] = []  # Keeps written objects alive, so that their ids are not reused.
        self.storages: dict[int, Storage] = {}

    def value(self, value: Any) -> Generator:
        """Writes one value; yields for each value inside it (see :func:`run`)."""
        sink = self.sink
        if value is None:
            sink.integer(NIL)
        elif isinstance(value, (bool, np.bool_)):
            sink.integer(BOOLEAN)
            sink.integer(int(value))
        elif isinstance(value, (int, float, np.integer, np.floating)):
            sink.integer(NUMBER)
            sink.number(float(value))
        elif isinstance(value, (str, bytes)):
            sink.integer(STRING)
            sink.text(value.encode('latin-1') if isinstance(value, str) else value)
        else:
            yield self._shared(value)

    def _shared(self, value: Any) -> Generator:
        tag, write = self._way_of(value)
        self.sink.integer(tag)
        if tag != OLDEST_FUNCTION:
            known = id(value) in self.indices
            self.sink.integer(self.indices.setdefault(id(value), len(self.indices) + 1))
            if known:
                return
        self.kept.append(value)
        inside = write(value)
        if inside is not None:
            yield inside

    def _way_of(self, value: Any) -> tuple[int, Callable[[Any], Any]]:
        if isinstance(value, (Table, dict)):
            return TABLE, self._table
        if isinstance(value, (list, tuple)):
            return TABLE, self._sequence
        if isinstance(value, Function):
            return value.tag, self._function
        for kind, write in ((Object, self._object), (Storage, self._storage),
                            (Tensor, self._tensor), (np.ndarray, self._array)):
            if isinstance(value, kind):
                return OBJECT, write
        raise TypeError(f'Torch has no equivalent of a {type(value).__name__}')

    def _table(self, table: Mapping) -> Generator:
        self.sink.integer(len(table))
        for key, value in table.items():
            yield self.value(key)
            yield self.value(value)

    def _sequence(self, values: Sequence) -> Generator:
        yield from self._table(dict(enumerate(values, start=1)))

    def _function(self, function: Function) -> Generator:
        self.sink.text(function.code)
        yield self.value(function.upvalues)

    def _object(self, value: Any) -> Generator:
        self._header(value)
        if value.class_name not in (TDS_HASH, TDS_VEC):
            yield self.value(value.fields)
            return
        self.sink.longs((len(value.fields),))
        for key, inside in value.fields.items():
            if value.class_name == TDS_HASH:
                yield self.value(key)
            yield self.value(inside)

    def _storage(self, storage: Storage) -> None:
        element, _ = element_of(storage.class_name) or ('', '')
        self._header(storage)
        self.sink.longs((len(storage.values),))
        self.sink.values(element, storage.values)

    def _tensor(self, tensor: Tensor) -> Generator:
        self._header(tensor)
        self.sink.integer(len(tensor.shape))
        self.sink.longs(tensor.shape)
        self.sink.longs(tensor.strides)
        self.sink.longs((tensor.offset + 1,))
        yield self.value(tensor.storage)

    def _array(self, array: np.ndarray) -> Generator:
        yield from self._tensor(self._tensor_of(array))

    def _tensor_of(self, array: np.ndarray) -> Tensor:
        """A tensor that is a view of the storage of the array's owner."""
        element = _ELEMENT_OF_DTYPE.get(array.dtype.newbyteorder('<'))
        if element is None:
            raise TypeError(f'Torch has no tensor of {array.dtype}')
        owner = array
        while isinstance(owner.base, np.ndarray) and owner.base.dtype == array.dtype:
            owner = owner.base
        steps = [stride // array.itemsize for stride in array.strides]
        if not owner.flags.c_contiguous or min(steps, default=0) < 0:
            owner = array = np.array(array, order='C')
            steps = [stride // array.itemsize for stride in array.strides]
        name = f'torch.{element}Tensor'
        if array.size == 0:
            return Tensor(name)
        storage = self._storage_of(owner, f'torch.{element}Storage')
        distance = array.__array_interface__['data'][0] - owner.__array_interface__['data'][0]
        if array.ndim == 0:  # Torch has no zero-dimensional tensors.
            return Tensor(name, storage, distance // array.itemsize, (1,), (1,))
        return Tensor(name, storage, distance // array.itemsize, array.shape, tuple(steps))

    def _storage_of(self, owner: np.ndarray, class_name: str) -> Storage:
        self.kept.append(owner)
        return self.storages.setdefault(id(owner), Storage(class_name, owner.reshape(-1)))

    def _header(self, value: Any) -> None:
        """The version, which the oldest files lack, and the class."""
        if value.version is not None:
            self.sink.text(b'V %d' % value.version)
        self.sink.text(value.class_name.encode('latin-1'))


def _decimal(value: float, digits: int) -> str:
    """A number as C's %.<digits>g writes it, the sign of a NaN included."""
    if math.isnan(value):
        return '-nan' if math.copysign(1, value) < 0 else 'nan'
    return f'{value:.{digits}g}'
