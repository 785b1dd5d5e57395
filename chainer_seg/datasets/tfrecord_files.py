"""Reads TensorFlow's record files and the tf.train.Example in each record without TensorFlow.

A record is its length (8 bytes), a checksum of that, the data, and a checksum of the data; see
tensorflow/core/lib/io/record_writer.h and tensorflow/core/example/example.proto.
"""

import glob
import os
import pathlib
import re
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

from google.protobuf.message import DecodeError

from chainer_seg.checksums import masked_crc32c
from chainer_seg.errors import DatasetError
from chainer_seg.protobuf_messages import message_classes

_HEAD, _CHECKSUM = struct.Struct('<QI'), struct.Struct('<I')
_SHARD = re.compile(r'(.*)-(\d{5})-of-(\d{5})$')

_Example = message_classes({
    'BytesList': ['repeated bytes value = 1'],
    'FloatList': ['repeated float value = 1'],
    'Int64List': ['repeated int64 value = 1'],
    'Feature': ['BytesList bytes_list = 1', 'FloatList float_list = 2', 'Int64List int64_list = 3'],
    'Entry': ['string key = 1', 'Feature value = 2'],
    'Features': ['repeated Entry feature = 1'],
    'Example': ['Features features = 1'],
})['Example']


def find_shards(pattern: str | os.PathLike) -> list[pathlib.Path]:
    """The record files that match ``pattern``, sorted.

    Args:
        pattern: A file; a pattern such as ``coco_train.record-*``; or the common start of all names.

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
            raise DatasetError(f'Only {len(paths)} of the {total} TFRecord files {name}-* exist; '
                               f'download the others, too.')
    return found


def scan_records(path: pathlib.Path) -> Iterator[tuple[int, bytes]]:
    """Yields the place (in bytes) and the data of each record of a file.

    Raises:
        chainer_seg.errors.DatasetError: The file cannot be read, or a record is damaged or truncated.
    """
    with _opened(path) as file:
        size = path.stat().st_size
        place = number = 0
        while place < size:
            data = _read(file, path, f'record {number}', size - place)
            yield place, data
            place, number = file.tell(), number + 1


def read_record(path: pathlib.Path, place: int) -> bytes:
    """The data of the record at a place from :func:`scan_records`; raises the same errors."""
    with _opened(path) as file:
        file.seek(place)
        return _read(file, path, f'the record at byte {place}', path.stat().st_size - place)


def parse_example(data: bytes) -> dict[str, list[Any]]:
    """The features of a serialised tf.train.Example: lists of bytes, float or int by name.

    Raises:
        ValueError: The data are not an Example.
    """
    try:
        message = _Example.FromString(data)
    except DecodeError as error:
        raise ValueError('it is not a tf.train.Example') from error
    return {entry.key: [*entry.value.bytes_list.value, *entry.value.float_list.value,
                        *entry.value.int64_list.value] for entry in message.features.feature}


def _opened(path: pathlib.Path) -> BinaryIO:
    try:
        return open(path, 'rb')
    except OSError as error:
        raise DatasetError(f'The TFRecord file {path} cannot be read: {error.strerror}.') from error


def _read(file: BinaryIO, path: pathlib.Path, which: str, left: int) -> bytes:
    head = file.read(_HEAD.size)
    if len(head) < _HEAD.size:
        raise _fault(path, which, 'is truncated')
    length, checksum = _HEAD.unpack(head)
    if masked_crc32c(head[:8]) != checksum:
        raise _fault(path, which, 'is damaged: the checksum of its length is wrong')
    if length > left - _HEAD.size - _CHECKSUM.size:
        raise _fault(path, which, 'is truncated')
    data = file.read(length)
    if _CHECKSUM.unpack(file.read(_CHECKSUM.size))[0] != masked_crc32c(data):
        raise _fault(path, which, 'is damaged: the checksum of its data is wrong')
    return data


def _fault(path: pathlib.Path, which: str, reason: str) -> DatasetError:
    return DatasetError(f'{which[0].upper()}{which[1:]} of the TFRecord file {path} {reason}; download or '
                        f'create the file again.')
