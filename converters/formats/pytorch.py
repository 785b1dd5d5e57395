"""Reads PyTorch's .pth files without PyTorch: zip archives and the older stream (torch.serialization)."""

import mmap
import os
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from chainer_seg.errors import WeightFileError
from chainer_seg.foreign_files import foreign_file
from converters.formats.inert_names import inert_names
from converters.formats.mapped_file import map_file
from converters.formats.pickle_values import Admitted
from converters.formats.pickled_arrays import Budget, numpy_names
from converters.formats.pickles import Machine
from converters.formats.pytorch_tensors import Element, Storage, parse_id, tensor_names
from converters.formats.stored_zip import StoredZip

_ZIP = b'PK\3\4'
_MAGIC = 0x1950a86a20f9469cfc6c
# The pickled magic number at the start of the older stream, in any protocol.
_STREAM = re.compile(rb'(?:\x80[\2-\5](?:\x95.{8})?)?\x8a\x0a' + re.escape(_MAGIC.to_bytes(10, 'little'))
                     + rb'|L%dL?\n' % _MAGIC, re.S)
_PROTOCOL = 1001
_REMEDY = "; if you trust the file, load it with PyTorch and save the model's state_dict() alone"


def recognise(data: bytes | mmap.mmap | memoryview) -> bool:
    """Whether the bytes of a file look like those of a .pth file."""
    return data[:len(_ZIP)] == _ZIP or _STREAM.match(data) is not None


def read(path: str | os.PathLike) -> object:
    """Reads what ``torch.save`` wrote.

    Args:
        path: The file: a zip archive (since PyTorch 1.6), or the older stream.

    Returns:
        The saved object, usually a dict of names and arrays (a state_dict), possibly inside other dicts,
        lists and tuples. Arrays are read-only views of the mapped file, and share memory as they did;
        bfloat16 becomes float32.

    Raises:
        chainer_seg.errors.WeightFileError: The file is missing, damaged, or asks for anything but
            tensors to be made, as a model saved whole does.
    """
    data = memoryview(map_file(path))
    return _read_zip(data, path) if data[:4] == _ZIP else _read_stream(data, path)


def _read_zip(data: memoryview, path: str | os.PathLike) -> Any:
    archive = StoredZip(data, path)
    folders = [name.removesuffix('/data.pkl') for name in archive.entries
               if name.endswith('/data.pkl') and name.count('/') == 1]
    if len(folders) != 1:
        raise WeightFileError(f'{path} {_other_archive(archive, path)}.')
    folder, storages = folders[0], {}
    if f'{folder}/constants.pkl' in archive.entries:
        raise WeightFileError(f"{path} is a TorchScript program; save the model's state_dict() with "
                              f"torch.save.")
    order = _order(archive, folder)

    def storage(value: Any) -> tuple[Storage, Element]:
        key, element, count, _ = parse_id(value)
        if key not in storages:
            storages[key] = Storage(archive.read(f'{folder}/data/{key}'), order)
        needed = count * np.dtype(element.code).itemsize
        if needed != len(storages[key].data):
            raise ValueError(f'storage {key} has {len(storages[key].data)} bytes instead of {needed}')
        return storages[key], element

    pickle = archive.read(f'{folder}/data.pkl')
    machine = Machine(pickle, f'{path} ({folder}/data.pkl)', _names(Budget(len(data))), storage, _REMEDY)
    return machine.load_last()


def _names(budget: Budget) -> dict[str, Admitted]:
    """The stand-ins for the names in a checkpoint: of tensors, of arrays, and of plain objects."""
    return {**numpy_names(budget), **inert_names(), **tensor_names(budget)}


def _other_archive(archive: StoredZip, path: str | os.PathLike) -> str:
    """What a zip archive is if torch.save did not write it."""
    if 'chainer_seg.json.npy' in archive.entries:
        return 'is a model file of chainer_seg already; use it as it is'
    if archive.entries and all(name.endswith('.npy') for name in archive.entries):
        return 'is a .npz of NumPy arrays, which is not supported as a weight file; choose a .pth file'
    return foreign_file(path) or (
        'is a zip archive without the data.pkl of torch.save; choose a .pth file')


def _order(archive: StoredZip, folder: str) -> str:
    """The byte order; little-endian if the file does not state it."""
    name = f'{folder}/byteorder'
    order = bytes(archive.read(name)) if name in archive.entries else b'little'
    if order not in (b'little', b'big'):
        archive.fail(f'its entry byteorder is {order[:16]!r} instead of little or big')
    return '<' if order == b'little' else '>'


def _read_stream(data: memoryview, path: str | os.PathLike) -> Any:
    """Reads the older stream: five pickles, and then the storages, always little-endian.

    The fourth pickle, the object, precedes the storages of its tensors, and where it ends is known only
    after reading it. So it is read twice.
    """
    header = Machine(data, path, {})
    for expected, what in ((_MAGIC, 'the magic number of torch.save'),
                           (_PROTOCOL, f'version {_PROTOCOL} of its format')):
        if header.load() != expected:
            header.fail(what, 'there is another')
    header.load()  # Properties of the machine that wrote the file.
    begin, budget = header.at, Budget(len(data))
    elements = {}

    def note(value: Any) -> None:
        key, element, count, _ = parse_id(value)
        elements[key] = element, count

    names = _names(budget)
    skimmed = {name: _nothing if name.startswith('torch._utils.') else stands_for
               for name, stands_for in names.items()}
    skim = Machine(data, path, skimmed, note, _REMEDY, at=begin)
    skim.load()
    storages = _find_storages(Machine(data, path, {}, at=skim.at), elements)

    def storage(value: Any) -> tuple[Storage, Element]:
        key, element, _, view = parse_id(value)
        return _part(storages[key], element, view), element

    return Machine(data, path, names, storage, _REMEDY, at=begin).load()


def _nothing(*arguments: object) -> None:
    return None


def _find_storages(machine: Machine, elements: Mapping[str, Any]) -> dict[str, Storage]:
    """The storages after the object: a list of their keys, then their sizes and bytes in that order.

    Args:
        machine: Positioned after the object.
        elements: The element type and size of each storage by its key.
    """
    data, keys, storages = machine.data, machine.load(), {}
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys) or (
            sorted(keys) != sorted(elements)):
        machine.fail('the keys of the storages', 'there are others')
    at = machine.at
    for key in keys:
        element, count = elements[key]
        size = count * np.dtype(element.code).itemsize
        stored = int.from_bytes(data[at:at + 8], 'little')
        at += 8
        if stored != count or size > len(data) - at:
            machine.fail(f'a storage of {count} elements', f'its size is {stored} and the file has '
                         f'{max(len(data) - at, 0)} bytes left', at - 8)
        storages[key] = Storage(data[at:at + size], '<')
        at += size
    if at != len(data):
        machine.fail('the end of the file', f'{len(data) - at} bytes follow', at)
    return storages


def _part(storage: Storage, element: Element, view: Any) -> Storage:
    """A storage, or the part of it that old files treat as a storage of its own."""
    if view is None:
        return storage
    _, offset, count = view
    size = np.dtype(element.code).itemsize
    if min(offset, count) < 0 or (offset + count) * size > len(storage.data):
        raise ValueError('a storage reaches beyond the one that it is a part of')
    return Storage(storage.data[offset * size:(offset + count) * size], storage.order)
