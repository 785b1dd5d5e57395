"""Zip archives with uncompressed entries, read as views of the mapped file (APPNOTE 4.3)."""

import os
import struct
import zipfile
import zlib
from typing import BinaryIO, NoReturn

from chainer_seg.errors import WeightFileError

_LOCAL_HEADER = struct.Struct('<4s5H3L2H')  # Its last two fields are the lengths of name and extra.
_LONGEST_READ = 4 << 20  # Maximum bytes of an archive's directory: 40,000 entries and more.


class StoredZip:
    """The entries of an archive.

    Args:
        data: A memoryview of the mapped file.
        path: The file.

    Raises:
        chainer_seg.errors.WeightFileError: The directory at the end of the archive is missing or damaged.
    """

    def __init__(self, data: memoryview, path: str | os.PathLike) -> None:
        self.data, self.path = data, path
        self._left = len(data)  # Bytes left for entries, because genuine ones do not overlap.
        try:
            with open(path, 'rb') as file, zipfile.ZipFile(_Limited(file)) as archive:
                self.entries = {entry.filename: entry for entry in archive.infolist()}
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error,
                OSError) as error:
            raise WeightFileError(f'{path} is damaged or truncated: the directory of a zip archive was '
                                  f'expected at its end, but: {str(error).rstrip(".")}.') from error

    def read(self, name: str) -> memoryview:
        """The bytes of an entry as a memoryview, after verifying their checksum."""
        entry = self.entries.get(name)
        if entry is None:
            self.fail(f'it has no entry {name}')
        if entry.compress_type != zipfile.ZIP_STORED or entry.flag_bits & 1:
            raise WeightFileError(f'{self.path} cannot be read: its entry {name} is compressed or '
                                  f'encrypted, as torch.save never does; load it with PyTorch and save '
                                  f'it again.')
        start = self._start(entry)
        content = self.data[start:start + entry.file_size]
        self._left -= entry.file_size
        if len(content) != entry.file_size or self._left < 0:
            self.fail(f'its entry {name} at byte {start} should have {entry.file_size} bytes, but they '
                      f'are not all there')
        if zlib.crc32(content) != entry.CRC:
            self.fail(f'its entry {name} at byte {start} has a wrong checksum')
        return content

    def fail(self, problem: str) -> NoReturn:
        """Raises an error: the archive is damaged."""
        raise WeightFileError(f'{self.path} is damaged or was not written by torch.save: {problem}.')

    def _start(self, entry: zipfile.ZipInfo) -> int:
        """The first byte of an entry's content, behind its own header."""
        at = entry.header_offset
        header = self.data[at:at + _LOCAL_HEADER.size] if at >= 0 else b''
        if len(header) < _LOCAL_HEADER.size or header[:4] != b'PK\3\4':
            self.fail(f'at byte {at} the header of its entry {entry.filename} was expected')
        *_, name, extra = _LOCAL_HEADER.unpack(header)
        return at + _LOCAL_HEADER.size + name + extra


class _Limited:
    """A file that refuses large reads, so that a directory cannot exhaust the memory."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self._read = file.read

    def read(self, count: int = -1) -> bytes:
        content = self._read(min(count, _LONGEST_READ + 1) if count >= 0 else _LONGEST_READ + 1)
        if len(content) > _LONGEST_READ:
            raise zipfile.BadZipFile(f'it is longer than {_LONGEST_READ} bytes')
        return content
