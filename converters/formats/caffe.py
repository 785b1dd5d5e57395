"""Reads Caffe networks: weights (.caffemodel, both generations of layers) and definitions (.prototxt).

The weights are views of the mapped file. The small parts, names and parameters of layers, are parsed by the
protobuf library with Chainer's Caffe messages (caffe.proto).
"""

import collections
import math
import mmap
import os
import re
from collections.abc import Sequence
from typing import Any, TypedDict

import numpy as np
from chainer.links.caffe.protobuf3 import caffe_pb2
from google.protobuf import json_format, message

from chainer_seg.errors import WeightFileError
from converters.formats import caffe_text
from converters.formats.mapped_file import map_file
from converters.formats.protobuf_wire import COUNTED, EIGHT_BYTES, FOUR_BYTES, VARINT, Wire
from converters.formats.tensorflow_values import Element, array_of_field

Layer = dict[str, Any]  # Type, bottom, top, blobs and parameters, as read() describes them.
Layers = dict[str, Layer]  # By their names, in the order of the file.


class Network(TypedDict):
    """A network of Caffe as :func:`read` returns it."""

    name: str
    layers: Layers


# Numbers of fields in caffe.proto: of a network, a layer of either generation, and a blob.
_OLD_LAYER, LAYER = 2, 100
BLOBS = {_OLD_LAYER: 6, LAYER: 7}
_MESSAGES = {_OLD_LAYER: caffe_pb2.V1LayerParameter, LAYER: caffe_pb2.LayerParameter}
_OLDEST = 1  # In a layer of the old generation: an even older layer.
_OLD_SIDES, FLOATS, SHAPE, _DOUBLES = (1, 2, 3, 4), 5, 7, 8
_DIFFERENCES = (6, 9, 11, 13)  # Gradients of training, in any encoding.

# Fields of NVIDIA's Caffe and of OpenCV's shrinkCaffeModel: 10 is the type of the bytes in 12; in NVIDIA's
# first versions it contains the numbers, the bits of each half as a varint.
_RAW_TYPE, _RAW = 10, 12
_RAW_DTYPES = {0: '<f8', 1: '<f4', 2: '<f2'}
_HALVES = Element('float16', 'f2', 13)
_SINGLE = {FOUR_BYTES: FLOATS, EIGHT_BYTES: _DOUBLES}  # Unpacked numbers.

# The possible first fields of a network: name, layers, inputs, force_backward, state, debug_info, layer.
_START = re.compile(rb'[\x0a\x12\x1a\x20\x22\x28\x32\x38\x42]|\xa2\x06')
_CONTROL = re.compile(rb'[\0-\x08\x0e-\x1f\x7f-\xff]')  # Bytes that do not occur in ASCII text.
_LONGEST_TEXT = 1 << 20  # Maximum bytes of the parameters of a layer.
_MOST_DIMENSIONS = 32  # The limit of NumPy 1.
_LONGEST_SIDE = 2 ** 31 - 1  # Caffe's.
_WITH_BIAS = {'Convolution': 'convolution_param', 'InnerProduct': 'inner_product_param'}

# Layer types of the old generation whose new names differ by more than case.
_TYPES = {'RELU': 'ReLU', 'LRN': 'LRN', 'MVN': 'MVN', 'BNLL': 'BNLL', 'TANH': 'TanH',
          'SOFTMAX_LOSS': 'SoftmaxWithLoss', 'HDF5_DATA': 'HDF5Data', 'HDF5_OUTPUT': 'HDF5Output'}


def recognise(data: bytes | mmap.mmap | memoryview) -> bool:
    """Whether a file, its bytes or a map of it, may be a network of Caffe or the definition of one."""
    return caffe_text.is_text(data) or (
        _START.match(data) is not None and _CONTROL.search(data, 1) is not None)


def read(path: str | os.PathLike) -> Network:
    """Reads a .caffemodel, or the layers of a .prototxt.

    Args:
        path: The file.

    Returns:
        A dict with ``'name'`` and ``'layers'``, a dict of the layers by their names in the order of
        the file. A layer is a dict: ``'type'`` in current Caffe's spelling, ``'bottom'`` and ``'top'``
        (lists of names), ``'blobs'`` (a list of float32 or float64 arrays, read-only views of the
        mapped file), and its parameters by their names in caffe.proto, such as
        ``'convolution_param'``.

    Raises:
        chainer_seg.errors.WeightFileError: The file is missing, damaged, truncated, or not a network.
    """
    mapped = map_file(path)
    data = memoryview(mapped)
    if caffe_text.is_text(mapped):
        return _read_text(data, path)
    wire, layers, rest = Wire(path), [], []
    for number, kind, content, whole, at in wire.fields(data):
        if number in BLOBS and kind == COUNTED:
            layers.append(_read_layer(wire, number, content, at))
        else:
            rest.append(whole)
    network = _parse(wire, caffe_pb2.NetParameter, rest, 0)
    return {'name': network.get('name', ''), 'layers': _by_name(layers, path)}


def _read_text(data: memoryview, path: str | os.PathLike) -> Network:
    network, unknown = caffe_text.parse(data, path)
    try:
        layers = [_described(layer) for layer in (*network.layers, *network.layer)]
    except (json_format.Error, ValueError, RecursionError) as error:
        reason = ' '.join(str(error).split())
        raise WeightFileError(f'{path} cannot be read as a prototxt: {reason}.') from error
    nameless = [layer for layer in layers[:len(network.layers)] if layer['type'] == 'None']
    if len(nameless) == len(unknown):
        for layer, kind in zip(nameless, unknown):
            layer['type'] = _new_type(kind)
    return {'name': network.name, 'layers': _by_name(layers, path)}


def _by_name(layers: list[Layer], path: str | os.PathLike) -> Layers:
    """The layers by name; layers of different phases may share a name."""
    if not layers:
        raise WeightFileError(f'{path} has no layers, so it is not a Caffe network.')
    named: Layers = {}
    count: collections.Counter[str] = collections.Counter()
    for layer in layers:
        name = layer.pop('name', '')
        count[name] += 1
        if count[name] > 1 and layer['blobs']:
            if named[name]['blobs']:
                raise WeightFileError(f'{path} has weights for two layers named {name[:80]!r}.')
            named[name], layer = layer, named[name]
        named[name if count[name] == 1 else f'{name}#{count[name]}'] = layer
    return named


def _read_layer(wire: Wire, generation: int, content: memoryview, begin: int) -> Layer:
    blobs, rest = [], []
    for number, kind, inside, whole, at in wire.fields(content, begin):
        if number == BLOBS[generation] and kind == COUNTED:
            blobs.append(_read_blob(wire, inside, at))
        elif generation == _OLD_LAYER and number == _OLDEST:
            raise WeightFileError(f'{wire.path} has Caffe\'s format of 2013; convert it with Caffe\'s '
                                  f'upgrade_net_proto_binary.')
        else:
            rest.append(whole)
    return {**_parse(wire, _MESSAGES[generation], rest, begin), 'blobs': blobs}


def _parse(wire: Wire, kind: type[message.Message], parts: list[memoryview], begin: int) -> dict[str, Any]:
    """The small parts of a message as a dict."""
    try:
        return _described(_message(wire, kind, parts, begin))
    except (json_format.Error, ValueError) as error:
        return wire.fail(f'a {kind.DESCRIPTOR.name}', f'it cannot be read ({error})', begin)


def _message(wire: Wire, kind: type[message.Message], parts: list[memoryview], begin: int) -> Any:
    """The small parts of a message, parsed by the protobuf library."""
    if sum(map(len, parts)) > _LONGEST_TEXT:
        wire.fail('the parameters of a layer', 'they are too long', begin)
    try:
        return kind.FromString(b''.join(parts))
    except message.DecodeError as error:
        return wire.fail(f'a {kind.DESCRIPTOR.name}', f'it cannot be read ({error})', begin)


def _described(layer: message.Message) -> dict[str, Any]:
    """A message as a dict; layers use current Caffe's names."""
    fields = json_format.MessageToDict(layer, preserving_proto_field_name=True)
    if isinstance(layer, caffe_pb2.NetParameter):
        return fields
    if isinstance(layer, caffe_pb2.V1LayerParameter):
        fields['type'] = _new_type(str(fields.get('type', 'NONE')))
    return {'type': '', 'bottom': [], 'top': [], **fields, 'blobs': []}


def _new_type(old: str) -> str:
    """Current Caffe's name of a layer type of the old generation."""
    return _TYPES.get(old, ''.join(part.capitalize() for part in old.split('_')))


def _read_blob(wire: Wire, content: memoryview, begin: int) -> np.ndarray:
    """The array of a BlobProto: float32, float64, or float16 if the file contains halves."""
    sides, raw_type, halves = [], None, None
    values: dict[int, list] = {FLOATS: [], _DOUBLES: [], _RAW: []}
    others: set[int] = set()
    for number, kind, inside, whole, _ in wire.fields(content, begin):
        if number == SHAPE or number in _OLD_SIDES:
            sides.append(whole)
        elif number in values and (kind == COUNTED or _SINGLE.get(kind) == number):
            values[number].append(inside)
        elif number == _RAW_TYPE and kind == VARINT:
            raw_type = inside
        elif number == _RAW_TYPE and kind == COUNTED:
            halves = inside
        elif number not in _DIFFERENCES:
            others.add(number)
    shape = _shape(wire, _message(wire, caffe_pb2.BlobProto, sides, begin), begin)
    if halves is not None:
        return _read_halves(wire, halves, shape, begin)
    if any(values[_RAW]):
        data, dtype = _joined(values[_RAW]), _raw_dtype(wire, raw_type, begin)
    elif any(values[_DOUBLES]):
        data, dtype = _joined(values[_DOUBLES]), '<f8'
    else:
        data, dtype = _joined(values[FLOATS]), '<f4'
    if not len(data) and others and math.prod(shape):
        raise WeightFileError(f'{wire.path} has a blob at byte {begin} in an unsupported encoding '
                              f'(field {min(others)} of a BlobProto); save the network in single '
                              f'precision.')
    if math.prod(shape) * np.dtype(dtype).itemsize != len(data):
        wire.fail(f'a blob of the shape {shape}', f'it has {len(data)} bytes of numbers', begin)
    return np.frombuffer(data, dtype).reshape(shape)


def _joined(parts: Sequence[bytes | memoryview]) -> bytes | memoryview:
    return parts[0] if len(parts) == 1 else b''.join(parts)


def _raw_dtype(wire: Wire, kind: int | None, begin: int) -> str:
    if kind not in _RAW_DTYPES:
        raise WeightFileError(f'{wire.path} has a blob at byte {begin} of the type {kind} of NVIDIA\'s '
                              f'Caffe, which is not supported; save the network in single or half '
                              f'precision.')
    return _RAW_DTYPES[kind]


def _read_halves(wire: Wire, content: memoryview, shape: tuple[int, ...], begin: int) -> np.ndarray:
    """An array of halves that are stored as varints of their bits."""
    try:
        return array_of_field(content, _HALVES, shape)
    except ValueError as error:
        return wire.fail(f'a blob of the shape {shape}', f'it has {error}', begin)


def _shape(wire: Wire, blob: Any, begin: int) -> tuple[int, ...]:
    """The shape of a BlobProto, from its four sides in old files."""
    shape = tuple(blob.shape.dim)
    if any(map(blob.HasField, ('num', 'channels', 'height', 'width'))):
        shape = blob.num, blob.channels, blob.height, blob.width
    if len(shape) > _MOST_DIMENSIONS or not all(0 <= side <= _LONGEST_SIDE for side in shape):
        wire.fail(f'a blob of the shape {shape[:_MOST_DIMENSIONS]}', 'no array can have it', begin)
    return shape


def with_definition(tree: Network, path: str | os.PathLike) -> Network:
    """The layers of a definition with the weights of a network.

    Args:
        tree: The network, as returned by :func:`read` for a .caffemodel.
        path: The definition, a .prototxt. As in Caffe, its parameters override those in the network;
            layers that have no weights in the network stay without weights.

    Returns:
        As for :func:`read`, without the layers of the network that are not in the definition.

    Raises:
        chainer_seg.errors.WeightFileError: The definition cannot be read, or has a layer of another
            type or another size than the network.
    """
    definition = read(path)
    for name, layer in definition['layers'].items():
        saved = tree['layers'].get(name)
        if saved is None or not saved['blobs']:
            continue
        if saved['type'] != layer['type']:
            raise WeightFileError(f'{path} does not fit the weights: its layer {name} is a '
                                  f'{layer["type"]}, and they have a {saved["type"]}.')
        _check_outputs(path, name, layer, saved['blobs'][0].shape)
        _check_bias(path, name, layer, len(saved['blobs']))
        layer['blobs'] = saved['blobs']
    return definition


def _check_outputs(path: str | os.PathLike, name: str, layer: Layer, shape: tuple[int, ...]) -> None:
    parameters = layer.get('convolution_param') or layer.get('inner_product_param') or {}
    needed = parameters.get('num_output')
    found = shape[2:3] if layer['type'] == 'InnerProduct' and len(shape) == 4 else shape[:1]
    if needed is not None and found != (needed,):
        raise WeightFileError(f'{path} does not fit the weights: its layer {name} has {needed} outputs, '
                              f'and their shape is {shape}.')
    sizes = parameters.get('kernel_size', [])
    if sizes and shape[2:] != tuple(sizes if len(sizes) == 2 else sizes[:1] * 2):
        raise WeightFileError(f'{path} does not fit the weights: its layer {name} has a kernel of the '
                              f'size {sizes}, and their shape is {shape}.')


def _check_bias(path: str | os.PathLike, name: str, layer: Layer, count: int) -> None:
    """Refuses a layer that needs a bias, the default, if the weights have none."""
    if layer['type'] not in _WITH_BIAS:
        return
    needed = 1 + layer.get(_WITH_BIAS[layer['type']], {}).get('bias_term', True)
    if count != needed:
        raise WeightFileError(f'{path} does not fit the weights: its layer {name} needs {needed} blobs, '
                              f'and they have {count}.')
