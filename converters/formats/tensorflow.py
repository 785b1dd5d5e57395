"""Reads TensorFlow checkpoints of both versions (util/tensor_slice_writer.h, tensor_bundle.h there)."""

import mmap
import os
import re

import numpy as np

from converters.formats.mapped_file import map_file
from converters.formats.sorted_table import SortedTable
from converters.formats.tensorflow_files import shards_of
from converters.formats.tensorflow_v1 import read_tables
from converters.formats.tensorflow_v2 import read_bundle

_LIST = b'\x0a'  # The first byte of the first value in version 1, a list of the variables.
_START = re.compile(rb'\0\0[\x80-\xff]{0,4}[\0-\x7f][\x08\x0a]')  # An empty key, then a message.


def recognise(data: bytes | mmap.mmap | memoryview) -> bool:
    """Whether the bytes of a file look likegin a table whose first key is empty."""
    return _START.match(data) is not None


def read(path: str | os.PathLike) -> dict[str, np.ndarray | list[bytes]]:
    """Reads a checkpoint, of ``tf.train.Saver`` or any other writer.

    Args:
        path: The file of a version 1 checkpoint, or the index (.index) of a version 2 checkpoint; for its
            other files see :func:`converters.formats.locate`.

    Returns:
        A dict of the variables' names, such as ``conv1/weights``, and their arrays, in the order of
        the file; convolutions are (height, width, inputs, outputs). Floating-point arrays are
        read-only views of the mapped files that may be unaligned; slices are joined into new arrays,
        and bfloat16 becomes float32. Strings are lists of ``bytes``.

    Raises:
        chainer_seg.errors.WeightFileError: A file is missing, damaged, truncated, or not a checkpoint.
    """
    tables = [SortedTable(memoryview(map_file(shard)), shard) for shard in shards_of(path)]
    key, value, _ = next(iter(tables[0]), (b'', b'', 0))
    if not key and value[:1] == _LIST:
        return read_tables(tables)
    return read_bundle(tables[0])
