"""Sorted tables of keys and values: TensorFlow's variant of LevelDB's (doc/table_format.md there)."""

import os
import struct
from collections.abc import Iterator
from typing import NoReturn

import cramjam
import numpy as np

from chainer_seg.checksums import masked_crc32c
from chainer_seg.errors import WeightFileError
from converters.formats.mapped_file import forget
from converters.formats.protobuf_wire import Wire

MAGIC = bytes.fromhex('57fb808b247547db')
_FOOTER = 48  # Bytes: two handles of blocks, zeros, and the magic.
_TRAILER = struct.Struct('<BI')  # The compression of a block, and its checksum.
_PLAIN, _SNAPPY = 0, 1
_MOST_UNPACKED = 64 << 20  # Maximum bytes of all decompressed blocks; an index has a few hundred kB.
_MOST_KEYS = 64 << 20  # Maximum bytes of all keys, which are delta-encoded.


class SortedTable:
    """The keys and values of one file.

    Args:
        data: A memoryview of the mapped file.
        path: The file.

    Raises:
        chainer_seg.errors.WeightFileError: The file is not a table, or its end is missing.
    """

    def __init__(self, data: memoryview, path: str | os.PathLike) -> None:
        self.data, self.path, self.wire = data, path, Wire(path)
        at = len(data) - _FOOTER
        if at < 0 or data[-len(MAGIC):] != MAGIC:
            raise WeightFileError(
                f'{path} is damaged or truncated: at byte {max(at, 0)} the end of a table of TensorFlow '
                f'was expected, but the file ends otherwise.')
        self._footer = at

    def __iter__(self) -> Iterator[tuple[bytes, memoryview, int]]:
        """Yields each key, its value, and the file position of the value (or of its compressed block).

        Keys are ``bytes``, values memoryviews: of the mapped file if the block is not compressed.
        """
        self._left = len(self.data)  # Bytes left for blocks, because genuine ones do not overlap.
        self._unpacked, self._keys = _MOST_UNPACKED, _MOST_KEYS
        last = None
        _, footer = self._handle(self.data[self._footer:], 0, self._footer)
        (offset, size), _ = self._handle(self.data[self._footer:], footer, self._footer)
        for _, handle, begin in self._block(offset, size):
            (offset, size), _ = self._handle(handle, 0, begin)
            for key, value, begin in self._block(offset, size):
                if last is not None and key <= last:
                    self.fail('a key after the previous one', 'the keys are not in order', begin)
                last = key
                yield key, value, begin

    def fail(self, expected: str, found: object, at: int) -> NoReturn:
        """Raises an error: the file is damaged."""
        self.wire.fail(expected, found, at)

    def _handle(self, message: memoryview, at: int, begin: int) -> tuple[tuple[int, ...], int]:
        """The position and length of a block, and where its handle ends."""
        offset, at = self.wire.varint(message, at, begin)
        size, at = self.wire.varint(message, at, begin)
        return (offset, size), at

    def _block(self, offset: int, size: int) -> Iterator[tuple[bytes, memoryview, int]]:
        """The keys, values and positions in a block."""
        content, is_file = self._content(offset, size)
        restarts = int.from_bytes(content[-4:], 'little') if len(content) >= 4 else -1
        end = len(content) - 4 * (restarts + 1)
        if restarts < 0 or end < 0:
            self.fail('a block of keys and values', f'it has {len(content)} bytes', offset)
        key, at = b'', 0
        while at < end:
            start = at
            shared, at = self.wire.varint(content, at, offset)
            added, at = self.wire.varint(content, at, offset)
            length, at = self.wire.varint(content, at, offset)
            if shared > len(key) or added + length > end - at:
                self.fail('a key and its value', f'they have {shared}, {added} and {length} bytes',
                          offset + start if is_file else offset)
            key = key[:shared] + bytes(content[at:at + added])
            self._keys -= len(key)
            if self._keys < 0:
                self.fail('shorter keys', f'they have more than {_MOST_KEYS} bytes', offset)
            at += added + length
            yield key, content[at - length:at], offset + at - length if is_file else offset

    def _content(self, offset: int, size: int) -> tuple[memoryview, bool]:
        """The verified bytes of a block, and whether they are a part of the file."""
        self._left -= size
        end = offset + size + _TRAILER.size
        if end > self._footer or self._left < 0:
            self.fail(f'a block of {size} bytes', f'the file has {len(self.data)} bytes in all',
                      offset)
        packing, checksum = _TRAILER.unpack(self.data[end - _TRAILER.size:end])
        if checksum_of(self.data[offset:end - 4]) != checksum:
            self.fail(f'a block of {size} bytes', 'its checksum is wrong', offset)
        content = self.data[offset:offset + size]
        if packing == _PLAIN:
            return content, True
        if packing != _SNAPPY:
            raise WeightFileError(f'{self.path} cannot be read: its block at byte {offset} has the '
                                  f'compression {packing}, expected none (0) or Snappy (1).')
        return self._decompressed(content, offset), False

    def _decompressed(self, content: memoryview, offset: int) -> memoryview:
        """The content of a block that is compressed with Snappy."""
        try:
            size = cramjam.snappy.decompress_raw_len(content)
            if size > self._unpacked:
                self.fail(f'at most {self._unpacked} bytes of Snappy', f'there are {size}', offset)
            self._unpacked -= size
            return memoryview(cramjam.snappy.decompress_raw(content))
        except cramjam.DecompressionError as error:
            self.fail('a block compressed with Snappy', f'{error}', offset)


def checksum_of(data: memoryview) -> int:
    """TensorFlow's checksum of a memoryview; pages of a mapped file are released again."""
    values = np.frombuffer(data, np.uint8)
    checksum = masked_crc32c(values)
    forget(values)
    return checksum
