"""Archives and other files of parts, damaged in a part: what holds the parts together is right again."""

import io
import json
import re
import sqlite3
import struct
import zipfile
import zlib

import msgspec
import numpy as np

from tests.datasets.record_files import record
from tests.fuzz.mutation import NUMBERS, WIDTHS, change_bytes, change_json, inflate

_DTYPES = ('|O', '<U9', '<f8', '>i4', '|V8', '<c16', '?', 'x', '<M8[s]', '<U99999999')
_SHAPES = ('()', '(-1,)', '(1000000000,)', '(99999999999,)', '(2, 2)', '(1.5,)', '(True,)', '[3]', '3',
           '((),)')


def change_npy(data, rng, others=()):
    """A .npy file: its numbers, or the shape, type and order that its header tells."""
    length = struct.unpack_from('<H', data, 8)[0]
    header, content = data[10:10 + length], data[10 + length:]
    if content[:1] == b'{' and rng.random() < 0.8:  # A text as an array of bytes.
        return npy_of(np.frombuffer(change_json(content, rng), np.uint8))
    action = rng.random()
    if action < 0.35:
        return data[:10 + length] + _other_number(content, rng)
    if action < 0.5:
        return npy_of(_other_array(array_of(data), rng))
    if action < 0.6:
        header = inflate(header, rng, ())
    elif action < 0.75:
        header = re.sub(rb"'descr': '[^']*'", f"'descr': '{rng.choice(_DTYPES)}'".encode(), header)
    elif action < 0.9:
        header = re.sub(rb"'shape': \([^)]*\)", f"'shape': {rng.choice(_SHAPES)}".encode(), header)
    else:
        header = change_bytes(header, rng)
    return data[:8] + struct.pack('<H', len(header)) + header + content


def _other_number(content, rng):
    size, code = rng.choice(WIDTHS)
    numbers = bytearray(content)
    at = rng.randrange(len(numbers) // size) * size
    struct.pack_into('<' + code, numbers, at, rng.choice(NUMBERS) % 256 ** size)
    return bytes(numbers)


def _other_array(value, rng):
    """An array of another shape or type."""
    return rng.choice((
        value.ravel()[:-1], value.reshape(-1), value[None], value.astype('f8'), value.astype('i8'),
        value.astype('u1'), value.astype('>f4'), value.astype('U4'), value.astype('c8'), np.array(3),
        value.T, np.concatenate([value.ravel()] * 2), np.full_like(value, 1), value.astype('?')))


def array_of(data):
    """The array of a .npy file, without belief in its header."""
    file = io.BytesIO(data)
    np.lib.format.read_magic(file)
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    return np.frombuffer(data[file.tell() :], dtype).reshape(shape)


def npy_of(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def change_zip(data, rng, others=()):
    """An archive with an entry changed, lost, renamed or doubled; its checksums are right."""
    entries = unpacked(data)
    name = rng.choice(sorted(entries))
    action = rng.random()
    if action < 0.8:
        entries[name] = change_entry(name, entries[name], rng)
    elif action < 0.87:
        del entries[name]
    elif action < 0.93:
        entries[
            rng.choice((*entries, 'x', name + '.npy', '../x.npy', '\0.npy', 'a' * 3000 + '.npy'))
        ] = entries.pop(name)
    else:
        entries[name + rng.choice(('x', '.npy', '/'))] = entries[name]
    method = zipfile.ZIP_DEFLATED if rng.random() < 0.1 else zipfile.ZIP_STORED
    return packed(entries, method)


def unpacked(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(entries, method=zipfile.ZIP_STORED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, 'w', method) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def change_entry(name, content, rng):
    if name.endswith('.npy') and content[:6] == b'\x93NUMPY':
        return change_npy(content, rng)
    if name.endswith('.json'):
        return change_json(content, rng)
    return change_bytes(content, rng)


def change_packed(data, rng, others=()):
    """A packed data set of which the checksums of images and codes are right, too."""
    entries = unpacked(change_zip(data, rng, others))
    starts = array_of(entries['index/code_starts.npy'])
    codes, bounds = entries['index/codes'], starts[array_of(entries['index/object_starts.npy'])].tolist()
    sums = [zlib.crc32(codes[start:end]) for start, end in zip(bounds[:-1], bounds[1:])]
    entries['index/code_checksums.npy'] = npy_of(np.array(sums, np.uint32))
    return packed(entries)


def change_records(data, rng, others=()):
    """A TFRecord file with a changed message; its checksums are right."""
    messages, at = [], 0
    while at < len(data):
        length = struct.unpack_from('<Q', data, at)[0]
        messages.append(data[at + 12 : at + 12 + length])
        at += 16 + length
    number = rng.randrange(len(messages))
    messages[number] = change_bytes(messages[number], rng, others)
    return b''.join(map(record, messages))


def change_png(data, rng, others=()):
    """A PNG file with a changed chunk; its checksums are right."""
    chunks, at = [], 8
    while at < len(data):
        length = struct.unpack_from('>I', data, at)[0]
        chunks.append([data[at + 4 : at + 8], data[at + 8 : at + 8 + length]])
        at += 12 + length
    chunk = rng.choice(chunks)
    action = rng.random()
    if chunk[0] == b'IDAT' and action < 0.5:
        chunk[1] = zlib.compress(change_bytes(zlib.decompress(chunk[1]), rng))
    elif action < 0.8:
        chunk[1] = change_bytes(chunk[1], rng)
    elif action < 0.9:
        chunks.insert(1, [b'zTXt', b'a\0\0' + zlib.compress(bytes(rng.choice((10, 10**7))))])
    else:
        chunks.insert(rng.randrange(len(chunks)), list(rng.choice(chunks)))
    return data[:8] + b''.join(
        struct.pack('>I', len(content)) + kind + content + struct.pack('>I', zlib.crc32(kind + content))
        for kind, content in chunks
    )


_WRITE_AHEAD = slice(18, 20)  # bytes of the header of a SQLite file; in memory there is no such log
_STATEMENTS = (
    'CREATE TABLE more (a)', 'DROP TABLE results', 'DELETE FROM settings', 'DROP TABLE settings',
    "INSERT INTO results VALUES (-1, x'00')", 'INSERT INTO results VALUES (9223372036854775807, 1.5)',
    'CREATE TRIGGER t AFTER INSERT ON results BEGIN DELETE FROM results; END',
    "UPDATE results SET value = 'text'", "UPDATE settings SET value = x'ff'", 'PRAGMA user_version = 9')


def change_sqlite(data, rng, others=()):
    """A file of results: a row, a setting or a table."""
    database = sqlite3.connect(':memory:', isolation_level=None)
    database.deserialize(_with(data, b'\1\1'))
    if rng.random() < 0.2:
        database.execute(rng.choice(_STATEMENTS))
    elif rng.random() < 0.2:
        name, value = rng.choice(database.execute('SELECT * FROM settings').fetchall())
        database.execute('UPDATE settings SET value = ? WHERE name = ?',
                         (change_json(value.encode(), rng).decode(), name))
    else:
        number, value = rng.choice(database.execute('SELECT * FROM results').fetchall())
        value = zlib.decompress(value)
        value = change_bytes(value, rng) if rng.random() < 0.3 else _other_row(value, rng)
        database.execute('UPDATE results SET value = ? WHERE number = ?', (zlib.compress(value), number))
    return _with(database.serialize(), data[_WRITE_AHEAD])


def _with(data, version):
    return data[:_WRITE_AHEAD.start] + version + data[_WRITE_AHEAD.stop:]


def _other_row(value, rng):
    """A row of which something has another value or type."""
    row = msgspec.msgpack.decode(value)
    if isinstance(row, dict):
        row[rng.choice(sorted(row))] = rng.choice((*NUMBERS, 'text', b'bytes', None, []))
    else:
        row = json.loads(change_json(json.dumps(row).encode(), rng))
    return msgspec.msgpack.encode(row)
