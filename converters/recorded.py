"""Recorded outputs of another program: a .npz of plain arrays, checked before it takes memory."""

import math
import struct
import tokenize
import zipfile
import zlib

import numpy as np

from chainer_seg.errors import UserError, quoted, shortened
from chainer_seg.foreign_files import foreign_file

INPUT = 'input'  # The array that the outputs were computed from.

_MOST_BYTES = 2 << 30  # Of all arrays together, unpacked.
_MOST_INPUTS = 1 << 25  # Numbers of an input, some 11 million pixels.
_MOST_DIMENSIONS = 32  # What every NumPy can hold.
_MOST_ARRAYS = 10_000
_LONGEST_HEADER = 10_000  # Bytes, as in NumPy.
_LONGEST_DIRECTORY = 4 << 20
_DAMAGE = (zipfile.BadZipFile, zlib.error, ValueError, TypeError, EOFError, OSError, KeyError,
           struct.error, NotImplementedError, RuntimeError, OverflowError, SyntaxError,
           tokenize.TokenError, MemoryError, RecursionError)


def read_recorded(path) -> dict[str, np.ndarray]:
    """The arrays of a .npz file by their names, ``input`` among them.

    Args:
        path: The file: ``input`` (B, C, H, W), and any number of outputs, of integers or floating-point
            numbers that are all finite.

    Raises:
        chainer_seg.errors.UserError: It is missing, damaged, too large, or not of that form.
    """
    try:
        with open(path, 'rb') as file:
            _check_directory(file, path)
            with zipfile.ZipFile(file) as archive:
                arrays = _read_arrays(archive, path)
    except _DAMAGE as error:
        foreign = foreign_file(path)
        if foreign is not None:
            raise UserError(f'{path} {foreign}.') from error
        raise UserError(f'{path} cannot be read as a .npz of recorded outputs: '
                        f'{shortened(str(error)).rstrip(".")}.') from error
    _check_input(arrays, path)
    return arrays


def _check_directory(file, path):
    """Refuses an archive with a directory that is larger than any of recorded outputs."""
    file.seek(max(file.seek(0, 2) - (1 << 16), 0))
    end = file.read()
    at = end.rfind(b'PK\5\6')
    if at >= 0 and int.from_bytes(end[at + 12:at + 16], 'little') > _LONGEST_DIRECTORY:
        raise UserError(f'{path} has a directory of more than {_LONGEST_DIRECTORY >> 20} MB; record '
                        f'fewer outputs.')
    file.seek(0)


def _read_arrays(archive, path):
    entries, left = archive.infolist(), _MOST_BYTES
    if len(entries) > _MOST_ARRAYS:
        raise UserError(f'{path} has {len(entries)} arrays, and at most {_MOST_ARRAYS} can be compared.')
    arrays = {}
    for entry in entries:
        name = entry.filename.removesuffix('.npy')
        if name == entry.filename:
            raise UserError(f'{path} has the entry {quoted(name)}, which is no array of NumPy.')
        left -= entry.file_size
        if left < 0:
            raise UserError(f'{path} has arrays of more than {_MOST_BYTES >> 30} GB; record fewer or '
                            f'smaller outputs.')
        arrays[name] = _read_array(archive, entry, name, path)
    return arrays


def _read_array(archive, entry, name, path):
    with archive.open(entry) as file:
        version = np.lib.format.read_magic(file)
        read = {(1, 0): np.lib.format.read_array_header_1_0,
                (2, 0): np.lib.format.read_array_header_2_0}.get(version)
        if read is None:
            raise ValueError(f'the array {quoted(name)} is of version {version} of the format')
        shape, fortran, dtype = read(file, max_header_size=_LONGEST_HEADER)
        if dtype.kind not in 'fiu':
            raise UserError(f'{path} has an array {quoted(name)} of the type {quoted(str(dtype), 60)}, '
                            f'where numbers are needed.')
        size = math.prod(shape) * dtype.itemsize
        if len(shape) > _MOST_DIMENSIONS or min(shape, default=0) < 0 or size > entry.file_size:
            raise ValueError(f'the array {quoted(name)} says that it has the shape {quoted(shape, 60)}')
        content = file.read(size)
        if len(content) != size or file.read(1):
            raise ValueError(f'the array {quoted(name)} does not have the bytes of its shape')
    array = np.ndarray(shape, dtype, content, order='F' if fortran else 'C')
    if not np.isfinite(array).all():
        raise UserError(f'{path} has numbers in the array {quoted(name)} that are not finite; record it '
                        f'again.')
    return array


def _check_input(arrays, path):
    if INPUT not in arrays:
        raise UserError(f'{path} has no array named {INPUT}, the one that the outputs were computed '
                        f'from.')
    x = arrays[INPUT]
    if x.ndim != 4 or not 0 < x.size <= _MOST_INPUTS:
        raise UserError(f'{path} has an {INPUT} of the shape {quoted(x.shape, 60)}, where (images, '
                        f'channels, height, width) and at most {_MOST_INPUTS} numbers are needed.')
