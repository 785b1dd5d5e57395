"""Writes Caffe networks with weights (.caffemodel), the format that :mod:`converters.formats.caffe` reads.

Weights are written directly from their arrays, everything else by the protobuf library.
"""

import os
from collections.abc import Iterable, Sequence

import numpy as np
from chainer.links.caffe.protobuf3 import caffe_pb2

from converters.formats.caffe import BLOBS, FLOATS, LAYER, SHAPE
from converters.formats.protobuf_wire import COUNTED


def write_layers(path: str | os.PathLike, name: str,
                 layers: Iterable[tuple[caffe_pb2.LayerParameter, Sequence[np.ndarray]]]) -> None:
    """Writes a network.

    Args:
        path: The file.
        name: The network's name.
        layers: Pairs of a LayerParameter without blobs and the list of its arrays, float32.
    """
    with open(path, 'wb') as file:
        file.write(caffe_pb2.NetParameter(name=name).SerializeToString())
        for layer, arrays in layers:
            parts = [layer.SerializeToString()]
            for array in arrays:
                parts += _blob(array)
            file.write(_head(LAYER, sum(map(len, parts))))
            file.writelines(parts)


def _blob(array: np.ndarray) -> list[bytes | memoryview]:
    """The field of a blob in a layer, in parts; the last one is the memory of the array."""
    numbers = np.ascontiguousarray(array, '<f4').data.cast('B')
    shape = caffe_pb2.BlobShape(dim=array.shape).SerializeToString()
    head = _head(SHAPE, len(shape)) + shape + _head(FLOATS, len(numbers))
    return [_head(BLOBS[LAYER], len(head) + len(numbers)) + head, numbers]


def _head(field: int, size: int) -> bytes:
    """The beginning of a field whose content has ``size`` bytes."""
    return _varint(field << 3 | COUNTED) + _varint(size)


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes(parts + bytes([value]))

