"""Reads the .npy files of caffe-tensorflow ("kaffe"), dicts of layers pickled by ``numpy.save``.

NumPy would unpickle arbitrary objects; this reader creates only arrays, dicts and lists.
"""

import ast
import mmap
import os
from typing import Any

from chainer_seg.errors import WeightFileError
from converters.formats.mapped_file import map_file
from converters.formats.pickled_arrays import Budget, numpy_names
from converters.formats.pickles import Machine

_MAGIC = b'\x93NUMPY'
_VERSION_END = len(_MAGIC) + 2
_SIZES = {b'\1\0': 2, b'\2\0': 4, b'\3\0': 4}  # Bytes of the header length, by version.
_LONGEST_HEADER = 10_000  # Bytes, as in NumPy.
_OBJECTS = ('O', '|O', '|O4', '|O8')


def recognise(data: bytes | mmap.mmap | memoryview) -> bool:
    """Whether the bytes of a file are those of an .npy file."""
    return data[:len(_MAGIC)] == _MAGIC


def read(path: str | os.PathLike) -> dict[str, Any]:
    """Reads a file of layers.

    Args:
        path: The file, written by Python 2 or 3.

    Returns:
        A dict: the name of a layer maps to a dict of its arrays, ``'weights'`` of a convolution
        (height, width, inputs, outputs). They are read-only views of the mapped file that need not be
        aligned.

    Raises:
        chainer_seg.errors.WeightFileError: The file is missing, damaged, asks to create anything but
            arrays, or holds no dict.
    """
    data = memoryview(map_file(path))
    begin = _begin_of_pickle(data, path)
    tree = Machine(data, path, numpy_names(Budget(len(data))), at=begin).load_last()
    if not isinstance(tree, dict) or not tree:
        raise WeightFileError(f'{path} contains a {type(tree).__name__}, expected a dict of layers; '
                              f'choose a file that caffe-tensorflow saved.')
    return tree


def _begin_of_pickle(data: memoryview, path: str | os.PathLike) -> int:
    """Where the pickle begins, after a header that must declare objects (numpy.lib.format)."""
    size = _SIZES.get(bytes(data[len(_MAGIC):_VERSION_END]), 0)
    begin = _VERSION_END + size
    end = begin + int.from_bytes(data[_VERSION_END:begin], 'little')
    header = _parsed(bytes(data[begin:end])) if end <= min(len(data), _LONGEST_HEADER) else None
    if not size or not isinstance(header, dict) or not header.keys() >= {'descr', 'shape'}:
        raise WeightFileError(f'{path} is damaged or truncated: at byte 0 the header of an .npy file '
                              f'was expected, but it cannot be read.')
    if header['descr'] not in _OBJECTS:
        raise WeightFileError(f'{path} contains one array, {str(header["descr"])[:80]} of the shape '
                              f'{str(header["shape"])[:80]}, expected a dict of layers; choose a '
                              f'file that caffe-tensorflow has saved.')
    return end


def _parsed(header: bytes) -> Any:
    try:
        return ast.literal_eval(header.decode('latin-1').strip())
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
