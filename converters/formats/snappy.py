"""Decompresses Snappy blocks (its format_description.txt), which TensorFlow's tables may contain.

The input is small: the index of a checkpoint. Weights are never compressed.
"""


def unpack(data: bytes, most: int) -> bytes:
    """Decompresses data.

    Args:
        data: The compressed bytes.
        most: Maximum number of decompressed bytes.

    Raises:
        ValueError: The data are damaged, or larger than that.
    """
    size, at = _varint(data)
    if size > most:
        raise ValueError(f'they decompress to {size} bytes, which is more than {most}')
    result = bytearray()
    while at < len(data):
        tag, at = data[at], at + 1
        if tag & 3 == 0:
            length, at = _literal_length(data, tag, at)
            _check(len(data) - at >= length, 'a literal is truncated')
            result += data[at:at + length]
            at += length
        else:
            length, offset, at = _copy(data, tag, at)
            _repeat(result, length, offset)
        _check(len(result) <= size, f'they decompress to more than {size} bytes')
    _check(len(result) == size, f'they decompress to {len(result)} bytes, expected {size}')
    return bytes(result)


def _varint(data):
    size = 0
    for at, byte in enumerate(data[:5]):
        size |= (byte & 127) << 7 * at
        if byte < 128:
            return size, at + 1
    raise ValueError('their size does not end')


def _literal_length(data, tag, at):
    length = tag >> 2
    extra = max(length - 59, 0)
    _check(len(data) - at >= extra, 'the length of a literal is truncated')
    if extra:
        length = int.from_bytes(data[at:at + extra], 'little')
    return length + 1, at + extra


def _copy(data, tag, at):
    """Length and offset of a back-reference, and where its description ends."""
    size = {1: 1, 2: 2, 3: 4}[tag & 3]
    _check(len(data) - at >= size, 'a copy is truncated')
    offset = int.from_bytes(data[at:at + size], 'little')
    if size == 1:
        return (tag >> 2 & 7) + 4, (tag >> 5) << 8 | offset, at + 1
    return (tag >> 2) + 1, offset, at + size


def _repeat(result, length, offset):
    _check(0 < offset <= len(result), f'a copy starts {offset} bytes before byte {len(result)}')
    begin = len(result) - offset
    piece = result[begin:begin + length]
    result += (piece * (length // len(piece) + 1))[:length]  # A copy may overlap its own output.


def _check(condition, problem):
    if not condition:
        raise ValueError(problem)
