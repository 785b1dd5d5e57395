"""TensorFlow's record files and the tf.train.Example in each record, read without TensorFlow.

A record is its length (8 bytes), a checksum of that, the data, and a checksum of the data; see
tensorflow/core/lib/io/record_writer.h and tensorflow/core/example/example.proto.
"""

import functools
import glob
import os
import pathlib
import re
import struct
from collections.abc import Iterator
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from chainer_seg.checksums import masked_crc32c
from chainer_seg.errors import DatasetError

_HEAD, _CHECKSUM = struct.Struct('<QI'), struct.Struct('<I')
_SHARD = re.compile(r'(.*)-(\d{5})-of-(\d{5})$')


def find_shards(pattern: str | os.PathLike) -> list[pathlib.Path]:
    """The record files that ``pattern`` names, sorted.

    Args:
        pattern: A file; a pattern such as ``coco_train.record-*``; or what all names begin with.

    Raises:
        chainer_seg.errors.DatasetError: There are none, or some of a numbered set are missing.
    """
    pattern = str(pattern)
    if pathlib.Path(pattern).is_file():
        return [pathlib.Path(pattern)]
    found = sorted(pathlib.Path(name) for name in
                   glob.glob(pattern) or glob.glob(f'{glob.escape(pattern)}-*-of-*'))
    found = [path for path in found if path.is_file()]
    if not found:
        raise DatasetError(f'There are no TFRecord files {pattern}; check the path.')
    totals: dict[tuple[str, int], list[pathlib.Path]] = {}
    for path in found:
        if match := _SHARD.match(str(path)):
            totals.setdefault((match[1], int(match[3])), []).append(path)
    for (name, total), paths in totals.items():
        if len(paths) < total:
            raise DatasetError(f'Only {len(paths)} of the {total} TFRecord files {name}-* are there; '
                               f'fetch the others, too.')
    return found


def scan_records(path: pathlib.Path) -> Iterator[tuple[int, bytes]]:
    """Goes through a record file: gives the place and the data (bytes) of each record.

    Raises:
        chainer_seg.errors.DatasetError: The file cannot be read, or a record is damaged or cut short.
    """
    with _opened(path) as file:
        size = path.stat().st_size
        place = number = 0
        while place < size:
            data = _read(file, path, f'record {number}', size - place)
            yield place, data
            place, number = file.tell(), number + 1


def read_record(path: pathlib.Path, place: int) -> bytes:
    """The data (bytes) of the record at a place that :func:`scan_records` gave; it raises the same."""
    with _opened(path) as file:
        file.seek(place)
        return _read(file, path, f'the record at byte {place}', path.stat().st_size - place)


def parse_example(data: bytes) -> dict[str, list[Any]]:
    """The features of a serialised tf.train.Example: a dict from names to lists.

    Returns:
        dict: Lists of bytes, float or int.

    Raises:
        ValueError: The data are no Example.
    """
    try:
        message = _example_class().FromString(data)
    except DecodeError as error:
        raise ValueError('it is no tf.train.Example') from error
    return {entry.key: [*entry.value.bytes_list.value, *entry.value.float_list.value,
                        *entry.value.int64_list.value] for entry in message.features.feature}


def _opened(path):
    try:
        return open(path, 'rb')
    except OSError as error:
        raise DatasetError(f'The TFRecord file {path} cannot be read: {error.strerror}.') from error


def _read(file, path, which, left):
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        raise _fault(path, which, 'is cut short')
    length, checksum = _HEAD.unpack(head)
    if masked_crc32c(head[:8]) != checksum:
        raise _fault(path, which, 'is damaged: the checksum of its length is wrong')
    if length > left - _HEAD.size - _CHECKSUM.size:
        raise _fault(path, which, 'is cut short')
    data = file.read(length)
    if _CHECKSUM.unpack(file.read(_CHECKSUM.size))[0] != masked_crc32c(data):
        raise _fault(path, which, 'is damaged: the checksum of its data is wrong')
    return data


def _fault(path, which, reason):
    return DatasetError(f'In the TFRecord file {path} {which} {reason}; fetch or make the file again.')


@functools.cache
def _example_class():
    """The message class; built here, for no package but TensorFlow's own brings it."""
    kinds = descriptor_pb2.FieldDescriptorProto
    file = descriptor_pb2.FileDescriptorProto(
        name='example.proto', package='tensorflow', syntax='proto3')

    def add(message, *fields):
        made = file.message_type.add(name=message)
        for number, (name, kind, repeated) in enumerate(fields, 1):
            reference = isinstance(kind, str)
            made.field.add(
                name=name, number=number,
                label=kinds.LABEL_REPEATED if repeated else kinds.LABEL_OPTIONAL,
                type=kinds.TYPE_MESSAGE if reference else kind,
                type_name=f'.tensorflow.{kind}' if reference else None)

    add('BytesList', ('value', kinds.TYPE_BYTES, True))
    add('FloatList', ('value', kinds.TYPE_FLOAT, True))
    add('Int64List', ('value', kinds.TYPE_INT64, True))
    add('Feature', ('bytes_list', 'BytesList', False), ('float_list', 'FloatList', False),
        ('int64_list', 'Int64List', False))
    # A map is stored as a list of pairs.
    add('Entry', ('key', kinds.TYPE_STRING, False), ('value', 'Feature', False))
    add('Features', ('feature', 'Entry', True))
    add('Example', ('features', 'Features', False))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName('tensorflow.Example'))
