"""Reads TensorFlow's checkpoints of both kinds (util/tensor_slice_writer.h, tensor_bundle.h there)."""

import mmap
import os
import re

import numpy as np

from converters.formats.mapped_file import map_file
from converters.formats.sorted_table import SortedTable
from converters.formats.tensorflow_files import shards_of
from converters.formats.tensorflow_v1 import read_tables
from converters.formats.tensorflow_v2 import read_bundle

_LIST = b'\x0a'  # With it the first value of the first kind begins, a list of its variables.
_START = re.compile(rb'\0\0[\x80-\xff]{0,4}[\0-\x7f][\x08\x0a]')  # An empty key, then a message.


def recognise(data: bytes | mmap.mmap | memoryview) -> bool:
    """Whether the bytes of a file may begin a table whose first key is empty."""
    return _START.match(data) is not None


def read(path: str | os.PathLike) -> dict[str, np.ndarray | list[bytes]]:
    """Reads a checkpoint, of ``tf.train.Saver`` or any other writer.

    Args:
        path: The file of a checkpoint of the first kind, or the index (.index) of one of the second;
            for another file of it see :func:`converters.formats.locate`.

    Returns:
        A dict of the variables' names, such as ``conv1/weights``, and their arrays, in the order of
        the file; convolutions are (height, width, inputs, outputs). Floating-point arrays are
        read-only views on the mapped files that need not be aligned, but those saved in slices are
        joined, and bfloat16 becomes float32. Strings are lists of ``bytes``.

    Raises:
        chainer_seg.errors.WeightFileError: A file is missing, damaged, cut short, or no checkpoint.
    """
    tables = [SortedTable(memoryview(map_file(shard)), shard) for shard in shards_of(path)]
    key, value, _ = next(iter(tables[0]), (b'', b'', 0))
    if not key and value[:1] == _LIST:
        return read_tables(tables)
    return read_bundle(tables[0])
