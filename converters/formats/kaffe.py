"""Reads the .npy files of caffe-tensorflow ("kaffe"), dicts of layers that ``numpy.save`` pickled.

NumPy would unpickle whatever such a file asks for; here only arrays, dicts and lists are made.
"""

import io

import numpy as np

from chainer_seg.errors import WeightFileError
from converters.formats.mapped_file import map_file
from converters.formats.pickled_arrays import Budget, numpy_names
from converters.formats.pickles import Machine

_MAGIC = np.lib.format.MAGIC_PREFIX
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0,
            (3, 0): np.lib.format.read_array_header_2_0}  # The third differs in names of fields alone.
_LONGEST_HEADER = 20_000  # Bytes; NumPy itself takes at most 10,000.


def recognise(start):
    """Whether the first bytes of a file are those of an .npy file."""
    return start.startswith(_MAGIC)


def read(path):
    """Reads a file of layers.

    Args:
        path: The file, written by Python 2 or 3.

    Returns:
        A dict: the name of a layer maps to a dict of its arrays, ``'weights'`` of a convolution
        (height, width, inputs, outputs). They are read-only views on the mapped file that need not be
        aligned.

    Raises:
        chainer_seg.errors.WeightFileError: The file is missing, damaged, asks for anything but arrays
            to be made, or holds no dict.
    """
    data = memoryview(map_file(path))
    begin = _begin_of_pickle(data, path)
    tree = Machine(data, path, numpy_names(Budget(len(data))), at=begin).load_last()
    if not isinstance(tree, dict) or not tree:
        raise WeightFileError(f'{path} holds a {type(tree).__name__} where a dict of layers is needed; '
                              f'choose a file that caffe-tensorflow has saved.')
    return tree


def _begin_of_pickle(data, path):
    file = io.BytesIO(data[:_LONGEST_HEADER])
    try:
        version = np.lib.format.read_magic(file)
        shape, _, dtype = _HEADERS[version](file)
    except (ValueError, LookupError, TypeError, SyntaxError, EOFError, RecursionError,
            MemoryError) as error:
        raise WeightFileError(f'{path} is damaged or cut short: at byte 0 the header of an .npy file '
                              f'was expected, but {" ".join(str(error).split())}.') from error
    if dtype != np.dtype(object):
        raise WeightFileError(f'{path} holds one array, {dtype} of the shape {shape}, where a dict of '
                              f'layers is needed; choose a file that caffe-tensorflow has saved.')
    return file.tell()
