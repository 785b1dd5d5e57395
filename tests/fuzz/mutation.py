"""Makes a damaged file of a good one, the same one for the same random numbers.

The kinds of damage: what disks and networks do (bits, cuts, doubled and lost parts), what other programs
do (values of other types, sizes and names, other encodings), and what somebody does on purpose (lengths
that lie, entries of archives changed and their checksums made right again).
"""

import io
import json
import re
import struct
import zipfile
import zlib

import numpy as np

from tests.datasets.record_files import record

_NUMBERS = (
    0,
    1,
    2,
    7,
    127,
    128,
    255,
    256,
    65535,
    65536,
    10**6,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**32,
    10**12,
    2**63 - 1,
    2**63,
    2**64 - 1,
    10**30,
    10**400,
    -1,
    -2,
    -(2**31),
    -(2**63),
)
_FLOATS = (
    0.0,
    -0.0,
    0.5,
    1.5,
    1e-300,
    1e9,
    1e38,
    1e39,
    1e300,
    -1e300,
    float('nan'),
    float('inf'),
    float('-inf'),
)
_TEXTS = (
    '',
    ' ',
    '0',
    '-1',
    '1e999',
    'NaN',
    'a',
    '..',
    '.',
    '/',
    '/etc/passwd',
    '../../x',
    'a/b',
    'a\\b',
    'C:\\x',
    'con',
    '\0',
    'a\0b',
    '\n',
    '\ud800',
    '\u202e',
    'é',
    '漢字',
    '🙂',
    'a' * 300,
    'x' * 100_000,
    '%s%n',
    '{}',
    '#',
    '*',
)
_WIDTHS = ((1, 'B'), (2, 'H'), (4, 'I'), (8, 'Q'))
_DIGITS = re.compile(rb'-?\d+(?:\.\d+)?')


def mutated(data, kind, rng, others=()):
    """Another version of ``data``.

    Args:
        data: The bytes of a good file.
        kind: What it is: a key of :data:`KINDS`.
        rng: A ``random.Random``.
        others: Other good files, of which parts may be taken.
    """
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        change = _change_bytes if rng.random() < 0.2 else KINDS[kind]
        try:
            data = change(data, rng, others)
        except Exception:  # The change before left something that no parser of ours knows.
            data = _change_bytes(data, rng, others)
    return data


# Bytes


def _change_bytes(data, rng, others=()):
    return rng.choice(_BYTE_CHANGES)(data, rng, others)


def _place(data, rng):
    # Headers are where most is decided.
    return rng.randrange(min(len(data), 64) if rng.random() < 0.3 else len(data)) if data else 0


def _flip(data, rng, others):
    data = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        if data:
            data[_place(data, rng)] ^= 1 << rng.randrange(8)
    return bytes(data)


def _overwrite(data, rng, others):
    size, code = rng.choice(_WIDTHS)
    at = _place(data, rng)
    value = rng.choice(_NUMBERS) % 256**size
    return data[:at] + struct.pack(rng.choice('<>') + code, value) + data[at + size :]


def _cut(data, rng, others):
    return data[: _place(data, rng)]


def _lose(data, rng, others):
    at = _place(data, rng)
    return data[:at] + data[at + rng.choice((1, 2, 4, 8, 100, 1000)) :]


def _double(data, rng, others):
    at, length = _place(data, rng), rng.choice((1, 4, 16, 256, 4096))
    return data[:at] + data[at : at + length] * rng.choice((2, 2, 3, 50)) + data[at + length :]


def _insert(data, rng, others):
    at = _place(data, rng)
    return data[:at] + rng.randbytes(rng.choice((1, 4, 30, 500))) + data[at:]


def _splice(data, rng, others):
    other = rng.choice(others) if others else data
    return data[: _place(data, rng)] + other[_place(other, rng) :]


def _inflate(data, rng, others):
    """Another number where one is written in digits."""
    found = list(_DIGITS.finditer(data[:200_000]))
    if not found:
        return _overwrite(data, rng, others)
    match = rng.choice(found)
    number = rng.choice(_FLOATS) if rng.random() < 0.3 else rng.choice(_NUMBERS)
    return data[: match.start()] + str(number).encode() + data[match.end() :]


_BYTE_CHANGES = (
    _flip,
    _flip,
    _overwrite,
    _overwrite,
    _cut,
    _lose,
    _double,
    _insert,
    _splice,
    _inflate,
    _inflate,
)


# JSON


def change_json(data, rng, others=()):
    value = change_value(json.loads(data), rng)
    return encode_json(value, rng)


def encode_json(value, rng):
    text = json.dumps(value, ensure_ascii=rng.random() < 0.8)
    if rng.random() < 0.01:
        return codecs_of(text, rng)
    return text.encode('utf-8', 'surrogatepass')


def codecs_of(text, rng):
    """The text in an encoding that other programs write."""
    return text.encode(rng.choice(('utf-8-sig', 'utf-16', 'utf-32', 'gb18030', 'utf-16-be')), 'replace')


def change_value(value, rng):
    """A JSON value with one place in it changed: another value, another type, lost, doubled or moved."""
    places = []
    _collect(value, places)
    if not places or rng.random() < 0.01:
        return odd_value(value, rng)
    # First a name, then one of its places, so that rare fields of long lists have their turn.
    names = sorted({str(key) if isinstance(holder, dict) else '' for holder, key in places})
    name = rng.choice(names)
    holder, key = rng.choice(
        [(h, k) for h, k in places if (str(k) if isinstance(h, dict) else '') == name]
    )
    action = rng.random()
    if action < 0.1:
        del holder[key]
    elif action < 0.15:
        other, other_key = rng.choice(places)
        holder[key] = other[other_key] if not isinstance(other[other_key], (dict, list)) else None
    elif action < 0.2 and isinstance(holder, list):
        holder[key:key] = [holder[key]] * rng.choice((1, 2, 300))
    elif action < 0.25 and isinstance(holder, dict):
        holder[rng.choice(('id', 'x', *map(str, holder)))] = holder.pop(key)
    else:
        holder[key] = odd_value(holder[key], rng)
    return value


def odd_value(value, rng):
    """Something else in the place of ``value``, mostly of its own kind."""
    choice = rng.random()
    if choice < 0.35 and isinstance(value, (int, float)):
        if rng.random() < 0.5:
            return rng.choice(
                (value + 1, value - 1, -value, value * 2, value * 10**6, float(value), str(value))
            )
        return rng.choice(_FLOATS if isinstance(value, float) else _NUMBERS)
    if choice < 0.35 and isinstance(value, str) and value:
        at = rng.randrange(len(value))
        return rng.choice(
            (
                value[:at],
                value[at:],
                value * 2,
                value[:at] + chr(rng.randrange(1, 0xD800)) + value[at + 1 :],
                value.upper(),
                value + ' ',
            )
        )
    if choice < 0.35 and isinstance(value, list):
        return rng.choice(
            (value[:1], value[:-1], value * 2, [value], [], dict(enumerate(map(str, value))))
        )
    if choice < 0.37:
        return _nested(rng)
    return rng.choice(
        (
            None,
            True,
            False,
            [],
            {},
            [[]],
            [None],
            {'a': 1},
            rng.choice(_NUMBERS),
            rng.choice(_FLOATS),
            rng.choice(_TEXTS),
            [rng.choice(_NUMBERS)] * rng.choice((1, 4, 5, 1000)),
            [rng.choice(_FLOATS)] * 6,
            [[rng.choice(_NUMBERS)]],
        )
    )


def _nested(rng):
    value = 1
    for _ in range(rng.choice((3, 50, 500, 900))):
        value = [value] if rng.random() < 0.5 else {'a': value}
    return value


def _collect(value, places, depth=0):
    if depth > 100:
        return
    keys = (
        value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        places.append((value, key))
        _collect(value[key], places, depth + 1)


def change_json_lines(data, rng, others=()):
    lines = data.split(b'\n')
    number = rng.randrange(len(lines))
    if rng.random() < 0.2:
        lines[number : number + 1] = [lines[number]] * rng.choice((0, 2, 5))
    else:
        lines[number] = change_json(lines[number], rng)
    return b'\n'.join(lines)


# Other text

_TOML_VALUE = re.compile(r'(?<=[=,\[])\s*[^=,\[\]\n]+')


def change_toml(data, rng, others=()):
    text = data.decode()
    found = list(_TOML_VALUE.finditer(text))
    match = rng.choice(found)
    value = odd_value(rng.choice((1, 0.5, 'a', [1])), rng)
    written = (
        {float('inf'): 'inf', float('-inf'): '-inf'}.get(value) if isinstance(value, float) else None
    )
    if written is None:
        written = 'nan' if value != value else json.dumps(value).replace('null', '1979-05-27')
    return (text[: match.start()] + ' ' + written + text[match.end() :]).encode()


def change_text(data, rng, others=()):
    """Lines of words: lost, doubled, with other words and in other encodings."""
    lines = data.decode('utf-8', 'replace').split('\n')
    number = rng.randrange(len(lines))
    words = lines[number].split(' ')
    action = rng.random()
    if action < 0.5:
        words[rng.randrange(len(words))] = rng.choice((*_TEXTS, str(rng.choice(_NUMBERS)), 'x' * 5000))
        lines[number] = ' '.join(words)
    elif action < 0.6:
        lines[number : number + 1] = [lines[number]] * rng.choice((0, 2, 1000))
    elif action < 0.7:
        lines[number] += rng.choice((' ', '\r', '\t1', ' -1', ' 1 1', '\ufeff'))
    elif action < 0.8:
        return codecs_of('\n'.join(lines), rng)
    else:
        return _change_bytes(data, rng, others)
    return '\n'.join(lines).encode('utf-8', 'surrogatepass')


# Archives


def change_npy(data, rng, others=()):
    """A .npy file: its numbers, or the shape, type and order that its header tells."""
    length = struct.unpack_from('<H', data, 8)[0]
    header, content = data[10 : 10 + length].decode('latin-1').rstrip(), data[10 + length :]
    array = np.frombuffer(content, np.uint8)
    if array.size and content[:1] == b'{' and rng.random() < 0.8:  # A text as an array of bytes.
        return npy_of(np.frombuffer(change_json(content, rng), np.uint8))
    action = rng.random()
    if action < 0.35:
        numbers = bytearray(content)
        size, code = rng.choice(_WIDTHS)
        if len(numbers) >= size:
            at = rng.randrange(len(numbers) // size) * size
            struct.pack_into('<' + code, numbers, at, rng.choice(_NUMBERS) % 256**size)
        content = bytes(numbers)
    elif action < 0.5:
        value = array_of(data)
        return npy_of(
            rng.choice(
                (
                    value.ravel()[:-1],
                    value.reshape(-1),
                    value[None],
                    value.astype('f8'),
                    value.astype('i8'),
                    value.astype('u1'),
                    value.astype('>f4'),
                    value.astype('U4'),
                    value.astype('c8'),
                    np.array(3),
                    value.T,
                    np.concatenate([value.ravel()] * 2),
                    np.full_like(value, 1),
                    value.astype('?'),
                )
            )
        )
    else:
        header = rng.choice(
            (
                lambda: _inflate(header.encode('latin-1'), rng, ()).decode('latin-1'),
                lambda: re.sub(
                    r"'descr': '[^']*'",
                    f"'descr': '{rng.choice(('|O', '<U9', '<f8', '>i4', '|V8', '<c16', '?', 'x', '<M8[s]', '<U99999999'))}'",
                    header,
                ),
                lambda: re.sub(
                    r"'shape': \([^)]*\)",
                    f"'shape': {rng.choice(('()', '(-1,)', '(10**9,)', '(99999999999,)', '(2, 2)', '(1.5,)', '(True,)', '[3]', '3', '((),)'))}",
                    header,
                ),
                lambda: header.replace('False', rng.choice(('True', '1', 'None'))),
                lambda: _change_bytes(header.encode('latin-1'), rng).decode('latin-1'),
            )
        )()
    text = header.encode('latin-1', 'replace') + b'\n'
    return data[:8] + struct.pack('<H', len(text) % 65536) + text + content


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
    return _change_bytes(content, rng)


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
    messages[number] = _change_bytes(messages[number], rng, others)
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
        chunk[1] = zlib.compress(_change_bytes(zlib.decompress(chunk[1]), rng))
    elif action < 0.8:
        chunk[1] = _change_bytes(chunk[1], rng)
    elif action < 0.9:
        chunks.insert(1, [b'zTXt', b'a\0\0' + zlib.compress(bytes(rng.choice((10, 10**7))))])
    else:
        chunks.insert(rng.randrange(len(chunks)), list(rng.choice(chunks)))
    return data[:8] + b''.join(
        struct.pack('>I', len(content)) + kind + content + struct.pack('>I', zlib.crc32(kind + content))
        for kind, content in chunks
    )


KINDS = {
    'bytes': _change_bytes,
    'json': change_json,
    'json lines': change_json_lines,
    'toml': change_toml,
    'text': change_text,
    'npy': change_npy,
    'zip': change_zip,
    'packed': change_packed,
    'records': change_records,
    'png': change_png,
}
