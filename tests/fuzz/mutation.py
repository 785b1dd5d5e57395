"""Bytes, JSON, TOML and other text, damaged."""

import json
import re
import struct


NUMBERS = (0, 1, 2, 7, 127, 128, 255, 256, 65535, 65536, 10 ** 6, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1,
            2 ** 32, 10 ** 12, 2 ** 63 - 1, 2 ** 63, 2 ** 64 - 1, 10 ** 30, 10 ** 400, -1, -2,
            -2 ** 31, -2 ** 63)
_FLOATS = (0.0, -0.0, 0.5, 1.5, 1e-300, 1e9, 1e38, 1e39, 1e300, -1e300, float('nan'), float('inf'),
           float('-inf'))
_TEXTS = ('', ' ', '0', '-1', '1e999', 'NaN', 'a', '..', '.', '/', '/etc/passwd', '../../x', 'a/b',
          'a\\b', 'C:\\x', 'con', '\0', 'a\0b', '\n', '\ud800', '\u202e', 'é', '漢字', '🙂', 'a' * 300,
          'x' * 100_000, '%s%n', '{}', '#', '*')
WIDTHS = ((1, 'B'), (2, 'H'), (4, 'I'), (8, 'Q'))
_DIGITS = re.compile(rb'-?\d+(?:\.\d+)?')


# Bytes

def change_bytes(data, rng, others=()):
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
    size, code = rng.choice(WIDTHS)
    at = _place(data, rng)
    value = rng.choice(NUMBERS) % 256**size
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


def inflate(data, rng, others):
    """Another number where one is written in digits."""
    found = list(_DIGITS.finditer(data[:200_000]))
    if not found:
        return _overwrite(data, rng, others)
    match = rng.choice(found)
    number = rng.choice(_FLOATS) if rng.random() < 0.3 else rng.choice(NUMBERS)
    return data[: match.start()] + str(number).encode() + data[match.end() :]


_BYTE_CHANGES = (_flip, _flip, _overwrite, _overwrite, _cut, _lose, _double, _insert, _splice,
                 inflate, inflate)


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
            return rng.choice((value + 1, value - 1, -value, value * 2, value * 10 ** 6, float(value),
                               str(value)))
        return rng.choice(_FLOATS if isinstance(value, float) else NUMBERS)
    if choice < 0.35 and isinstance(value, str) and value:
        at = rng.randrange(len(value))
        other = chr(rng.randrange(1, 0xD800))
        return rng.choice((value[:at], value[at:], value * 2, value[:at] + other + value[at + 1:],
                           value.upper(), value + ' '))
    if choice < 0.35 and isinstance(value, list):
        return rng.choice((value[:1], value[:-1], value * 2, [value], [],
                           dict(enumerate(map(str, value)))))
    if choice < 0.37:
        return _nested(rng)
    number = rng.choice(NUMBERS)
    return rng.choice((None, True, False, [], {}, [[]], [None], {'a': 1}, number, rng.choice(_FLOATS),
                       rng.choice(_TEXTS), [number] * rng.choice((1, 4, 5, 1000)),
                       [rng.choice(_FLOATS)] * 6, [[number]]))


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
        words[rng.randrange(len(words))] = rng.choice((*_TEXTS, str(rng.choice(NUMBERS)), 'x' * 5000))
        lines[number] = ' '.join(words)
    elif action < 0.6:
        lines[number : number + 1] = [lines[number]] * rng.choice((0, 2, 1000))
    elif action < 0.7:
        lines[number] += rng.choice((' ', '\r', '\t1', ' -1', ' 1 1', '\ufeff'))
    elif action < 0.8:
        return codecs_of('\n'.join(lines), rng)
    else:
        return change_bytes(data, rng, others)
    return '\n'.join(lines).encode('utf-8', 'surrogatepass')
