"""A small writer of TensorFlow's checkpoints, apart from the readers: tables, and their messages."""

import struct

import google_crc32c
import numpy as np

from tests.converters.formats.test_caffe import field, varint

MAGIC = bytes.fromhex('57fb808b247547db')
FLOAT = 1  # In types.proto.


def masked(data):
    checksum = google_crc32c.value(data)
    return struct.pack('<I', ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def block(entries):
    """A block whose keys are written in full."""
    content = b''.join(b'\0' + varint(len(key)) + varint(len(value)) + key + value
                       for key, value in entries)
    return content + struct.pack('<2I', 0, 1)


def table(entries, per_block=2, pack=None):
    """The bytes of a sorted table; ``pack`` compresses a block."""
    data, index = b'', []
    for at in range(0, len(entries), per_block):
        chosen = entries[at:at + per_block]
        data, handle = _stored(data, block(chosen), pack)
        index.append((chosen[-1][0], handle))
    data, meta = _stored(data, block([]), None)
    data, handle = _stored(data, block(index), pack)
    return data + (meta + handle).ljust(40, b'\0') + MAGIC


def _stored(data, content, pack):
    stored = (pack(content) + b'\1') if pack else content + b'\0'
    handle = varint(len(data)) + varint(len(stored) - 1)
    return data + stored + masked(stored), handle


def shape_message(shape):
    return b''.join(field(2, field(1, side)) for side in shape)


def version_1(arrays):
    """A checkpoint of version 1 of float32 arrays by their names."""
    metas, entries = b'', []
    for name, array in sorted(arrays.items()):
        name, whole = name.encode(), field(1, b'') * array.ndim
        metas += field(1, field(1, name) + field(2, shape_message(array.shape)) + field(3, FLOAT)
                       + field(4, whole))
        values = field(5, np.asarray(array, '<f4').tobytes())
        entries.append((slice_key(name, array.ndim),
                        field(2, field(1, name) + field(2, whole) + field(3, values))))
    return table([(b'', field(1, metas + field(2, field(1, 1)))), *entries])


def slice_key(name, dimensions):
    """The key of a slice that has all of every side: 0, the name, the count, and pairs of 0 and -1."""
    count = b'\1' + bytes([dimensions]) if dimensions else b'\0'
    return b'\0' + name + b'\0\1' + count + b'\x80\x7f' * dimensions


def write_version_2(prefix, arrays, order='<', **options):
    """Writes the index and the data of a checkpoint of version 2 of float32 arrays."""
    data, entries = b'', []
    header = field(1, 1) + (field(2, 1) if order == '>' else b'') + field(3, field(1, 1))
    for name, array in sorted(arrays.items()):
        values = np.asarray(array, f'{order}f4').tobytes()
        entries.append((name.encode(), field(1, FLOAT) + field(2, shape_message(array.shape))
                        + field(4, len(data)) + field(5, len(values)) + b'\x35' + masked(values)))
        data += values
    prefix.with_name(prefix.name + '.index').write_bytes(table([(b'', header), *entries], **options))
    prefix.with_name(prefix.name + '.data-00000-of-00001').write_bytes(data)
