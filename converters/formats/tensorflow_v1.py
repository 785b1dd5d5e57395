"""Reads TensorFlow checkpoints of version 1: one table of slices (util/saved_tensor_slice.proto)."""

import collections
import typing
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from chainer_seg.errors import WeightFileError
from converters.formats.protobuf_wire import COUNTED
from converters.formats.sorted_table import SortedTable
from converters.formats.tensorflow_messages import Extents, check_version, extents_of, parse, shape_of
from converters.formats.tensorflow_slices import Part, joined, place_of
from converters.formats.tensorflow_values import ELEMENTS, STRING, Element, array_of_field

_DATA = 2  # A field of a SavedTensorSlices; the other is the list of variables.


class _Meta(typing.NamedTuple):
    """The type and shape of a variable."""

    element: Element
    shape: tuple[int, ...]


def read_tables(tables: Sequence[SortedTable]) -> dict[str, np.ndarray | list[bytes]]:
    """The variables of a checkpoint.

    Args:
        tables: A :class:`~converters.formats.sorted_table.SortedTable` for each file; a sharded
            checkpoint has several, and a variable may be split over all of them.

    Returns:
        A dict of names and arrays, read-only views of the mapped files for float32 and float64;
        strings are lists of ``bytes``.
    """
    metas: dict[str, _Meta] = {}
    parts: dict[str, list[Part]] = collections.defaultdict(list)
    for table in tables:
        for key, value, at in table:
            if key:
                _add_slice(table, value, at, metas, parts)
            else:
                metas.update(_read_meta(table, value, at))
    return {name: _join(tables[0], name, meta, parts[name]) for name, meta in metas.items()}


def _read_meta(table: SortedTable, value: memoryview, begin: int) -> dict[str, _Meta]:
    meta = parse(table.wire, 'SavedTensorSlices', value, begin).meta
    check_version(table.wire, meta.versions)
    return dict(_variable(table, each, begin) for each in meta.tensor)


def _variable(table: SortedTable, message: Any, begin: int) -> tuple[str, _Meta]:
    name = text(message.name)
    if message.type not in ELEMENTS:
        table.fail('a type of numbers', f'{name[:80]!r} is of type {message.type}', begin)
    return name, _Meta(ELEMENTS[message.type], shape_of(table.wire, message.shape, begin))


def _add_slice(table: SortedTable, value: memoryview, begin: int, metas: dict[str, _Meta],
               parts: dict[str, list[Part]]) -> None:
    for outer, content, at in _counted(table, value, begin):
        if outer != _DATA:
            continue
        name, data, place = '', None, at
        extents: Extents = ()
        for number, inside, inside_at in _counted(table, content, at):
            if number == 1:
                name = text(inside)
            elif number == 2:
                extents = extents_of(
                    table.wire, parse(table.wire, 'TensorSliceProto', inside, inside_at), inside_at)
            elif number == 3:
                data, place = inside, inside_at
        if name not in metas or data is None:
            table.fail('a slice of a variable', f'it is of {name[:80]!r}, which is not listed', at)
        parts[name].append(_read_slice(table, metas[name], extents, data, place))


def _read_slice(table: SortedTable, meta: _Meta, extents: Extents, data: memoryview, begin: int) -> Part:
    """The values of a slice; their message states neither type nor shape."""
    found = [(inside, kind) for number, kind, inside, _, _ in table.wire.fields(data, begin)
             if number == meta.element.field]
    try:
        starts, shape = place_of(extents, meta.shape)
        if meta.element.name == STRING:
            return Part(starts, [bytes(inside) for inside, _ in found])
        if any(kind != COUNTED for _, kind in found):
            raise ValueError('numbers that are not packed')
        content = found[0][0] if len(found) == 1 else memoryview(b''.join(part for part, _ in found))
        return Part(starts, array_of_field(content, meta.element, shape))
    except ValueError as error:
        return table.fail(f'a {meta.element.name} variable of the shape {meta.shape}',
                          f'there are {error}', begin)


def _join(table: SortedTable, name: str, meta: _Meta, parts: list[Part]) -> np.ndarray | list[bytes]:
    if meta.element.name == STRING:
        return [value for part in parts for value in part.values]
    try:
        return joined(parts, meta.shape)
    except ValueError as error:
        raise WeightFileError(f'{table.path} is damaged, or shards of it are missing: {name[:80]!r} '
                              f'has {error}.') from error


def _counted(table: SortedTable, message: memoryview, begin: int) -> Iterator[tuple[int, memoryview, int]]:
    """Fields that are messages or text: number, content and position."""
    for number, kind, inside, _, at in table.wire.fields(message, begin):
        if kind == COUNTED:
            yield number, inside, at


def text(content: bytes | memoryview) -> str:
    """A name in a file as text."""
    return str(content, 'utf-8', 'replace')
