"""Reads TensorFlow checkpoints of version 2: an index and shards of data (tensor_bundle.proto)."""

import os
import struct
import typing
from typing import Any, NoReturn

import numpy as np

from chainer_seg.errors import WeightFileError
from converters.formats.mapped_file import map_file
from converters.formats.sorted_table import SortedTable, checksum_of
from converters.formats.tensorflow_messages import Extents, check_version, extents_of, parse, shape_of
from converters.formats.tensorflow_slices import Part, joined, place_of, slice_key
from converters.formats.tensorflow_v1 import text
from converters.formats.tensorflow_values import ELEMENTS, STRING, array_of_bytes

INDEX = '.index'  # The suffix of an index.

_MOST_SHARDS = 100_000  # Their numbers have five digits.
_SLICE = b'\0'  # The first byte of the keys of slices.
_CHECKSUM = struct.Struct('<I')


class _Entry(typing.NamedTuple):
    """The entry of a variable, or of a slice of one, in an index."""

    at: int  # Its position in the index.
    kind: int
    shape: tuple[int, ...]
    shard: int
    offset: int
    size: int
    checksum: int
    slices: list[Extents]


def read_bundle(table: SortedTable) -> dict[str, np.ndarray | list[bytes]]:
    """The variables of a checkpoint.

    Args:
        table: The :class:`~converters.formats.sorted_table.SortedTable` of its index.

    Returns:
        The arrays by name, read-only views of the mapped shards; slices are joined, and bfloat16 becomes
        float32. Strings are lists of ``bytes``, and values of types that NumPy lacks are the bytes of the
        file.
    """
    entries, count, order = {}, None, '<'
    for key, value, at in table:
        if not key:
            count, order = _read_header(table, value, at)
        else:
            entries[key] = _read_entry(table, value, at)
    if count is None:
        table.fail('the header of a checkpoint', 'there is none', 0)
    shards = _Shards(table.path, count, order)
    return {text(key): _variable(table, key, entry, entries, shards)
            for key, entry in entries.items() if not key.startswith(_SLICE)}


def _read_header(table: SortedTable, content: memoryview, begin: int) -> tuple[int, str]:
    """The number of shards and the byte order."""
    header = parse(table.wire, 'BundleHeaderProto', content, begin)
    check_version(table.wire, header.version)
    if not 0 < header.num_shards < _MOST_SHARDS:
        table.fail('the number of shards', f'it is {header.num_shards}', begin)
    return header.num_shards, '>' if header.endianness else '<'


def _read_entry(table: SortedTable, content: memoryview, begin: int) -> _Entry:
    entry = parse(table.wire, 'BundleEntryProto', content, begin)
    return _Entry(begin, entry.dtype, shape_of(table.wire, entry.shape, begin), entry.shard_id,
                  entry.offset, entry.size, entry.crc32c,
                  [extents_of(table.wire, each, begin) for each in entry.slices])


def _variable(table: SortedTable, key: bytes, entry: _Entry, entries: dict[bytes, _Entry],
              shards: '_Shards') -> Any:
    try:
        if not entry.slices:
            return shards.values(entry)
        parts = []
        for extents in entry.slices:
            found = entries.get(slice_key(key, extents))
            starts, sides = place_of(extents, entry.shape)
            if found is None or found.kind != entry.kind or found.shape != sides:
                raise ValueError(f'no slices from {starts} of the shape {sides}')
            parts.append(Part(starts, shards.values(found)))
        return joined(parts, entry.shape)
    except ValueError as error:
        return table.fail(f'a variable of the shape {entry.shape}, {text(key)[:80]!r}',
                          f'there are {error}', entry.at)


class _Shards:
    """The files with the values.

    Args:
        index: The index file; the shards are named after it.
        count: The number of shards.
        order: The byte order.
    """

    def __init__(self, index: str | os.PathLike, count: int, order: str) -> None:
        self.index, self.count, self.order = str(index), count, order
        self._data: dict[int, memoryview] = {}
        self._left: dict[int, int] = {}

    def values(self, entry: _Entry) -> Any:
        """The values of an entry, after verifying their checksum.

        Raises:
            ValueError: Their size is not that of their shape.
            chainer_seg.errors.WeightFileError: The shard is missing, cut short or damaged.
        """
        if entry.shard >= self.count:
            raise ValueError(f'only {self.count} shards and not shard {entry.shard}')
        data = self._bytes(entry)
        element = ELEMENTS.get(entry.kind)
        if element is None:
            return data
        if element.name == STRING:
            return self._strings(entry, data)
        if checksum_of(data) != entry.checksum:
            self._fail(entry, f'{entry.size} bytes of values', 'their checksum is wrong')
        return array_of_bytes(data, element, entry.shape, self.order)

    def _bytes(self, entry: _Entry) -> memoryview:
        if entry.shard not in self._data:
            data = memoryview(map_file(self._existing(entry.shard))) if entry.size else memoryview(b'')
            self._data[entry.shard], self._left[entry.shard] = data, len(data)
        data = self._data[entry.shard]
        self._left[entry.shard] -= entry.size  # Values of genuine files do not overlap.
        if entry.offset + entry.size > len(data) or self._left[entry.shard] < 0:
            self._fail(entry, f'{entry.size} bytes of values', f'the file has {len(data)} in all')
        return data[entry.offset:entry.offset + entry.size]

    def _strings(self, entry: _Entry, data: memoryview) -> list[bytes]:
        """Strings behind their lengths and the checksum of these."""
        lengths, at = [], 0
        for _ in range(int(np.prod(entry.shape))):
            length, at = _length(data, at)
            lengths.append(length)
        head = np.array(lengths, self.order + 'u4').tobytes()
        begin = at + _CHECKSUM.size
        if begin + sum(lengths) != len(data):
            raise ValueError(f'{len(data)} bytes for strings of {sum(lengths)}')
        if checksum_of(memoryview(head + bytes(data[at:]))) != entry.checksum:
            self._fail(entry, f'{entry.size} bytes of strings', 'their checksum is wrong')
        ends = begin + np.cumsum(lengths, dtype=np.int64)
        return [bytes(data[end - length:end]) for end, length in zip(ends, lengths)]

    def _path(self, shard: int) -> str:
        return f'{self.index.removesuffix(INDEX)}.data-{shard:05d}-of-{self.count:05d}'

    def _existing(self, shard: int) -> str:
        path = self._path(shard)
        try:
            open(path, 'rb').close()
        except FileNotFoundError as error:
            raise WeightFileError(
                f'{self.index} is the index of a checkpoint whose values lie in {path}, which is '
                f'missing; copy all files of the checkpoint into one folder.') from error
        return path

    def _fail(self, entry: _Entry, expected: str, found: str) -> NoReturn:
        raise WeightFileError(f'{self._path(entry.shard)} is damaged or truncated: at byte '
                              f'{entry.offset} {expected} were expected, but {found}.')


def _length(data: memoryview, at: int) -> tuple[int, ...]:
    """A number of one to five bytes, and where it ends."""
    value = 0
    for place, byte in enumerate(data[at:at + 5]):
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, at + place + 1
    raise ValueError('a length of a string that does not end')
