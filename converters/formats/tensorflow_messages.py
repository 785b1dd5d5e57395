"""The small messages of TensorFlow checkpoints (tensor_bundle.proto, saved_tensor_slice.proto).

Messages with the values of variables are not among them, because the protobuf library would copy the values;
:mod:`converters.formats.protobuf_wire` reads those.
"""

from collections.abc import Sized
from typing import Any

from google.protobuf.message import DecodeError

from chainer_seg.errors import WeightFileError
from chainer_seg.protobuf_messages import message_classes
from converters.formats.protobuf_wire import Wire

Extents = tuple[tuple[int, int], ...]  # Start and length along each side.

WHOLE = -1  # Length of a slice that covers a whole side.

_MOST_BYTES = 16 << 20  # Genuine messages have a few hundred kB; parsed ones take up to 16 times their size.
_MOST_DIMENSIONS = 32  # The limit of NumPy 1.
_LONGEST_SIDE = 2 ** 62
_NEWEST = 1  # Version of both formats.

# Every varint is unsigned here, so that a damaged one is too large instead of negative.
_CLASSES = message_classes({
    'Dim': ['uint64 size = 1'],
    'TensorShapeProto': ['repeated Dim dim = 2', 'bool unknown_rank = 3'],
    'Extent': ['uint64 start = 1', 'uint64 length = 2'],
    'TensorSliceProto': ['repeated Extent extent = 1'],
    'VersionDef': ['uint64 min_consumer = 2'],
    # Version 1: the list of variables.
    'SavedSliceMeta': ['bytes name = 1', 'TensorShapeProto shape = 2', 'uint64 type = 3'],
    'SavedTensorSliceMeta': ['repeated SavedSliceMeta tensor = 1', 'VersionDef versions = 2'],
    'SavedTensorSlices': ['SavedTensorSliceMeta meta = 1'],
    # Version 2: the values of the index.
    'BundleHeaderProto': ['uint64 num_shards = 1', 'uint64 endianness = 2', 'VersionDef version = 3'],
    'BundleEntryProto': ['uint64 dtype = 1', 'TensorShapeProto shape = 2', 'uint64 shard_id = 3',
                         'uint64 offset = 4', 'uint64 size = 5', 'fixed32 crc32c = 6',
                         'repeated TensorSliceProto slices = 7'],
}, syntax='proto2')


def parse(wire: Wire, name: str, content: memoryview, begin: int) -> Any:
    """The message called ``name`` in a .proto file of TensorFlow.

    Args:
        wire: The file.
        name: The class of the message.
        content: Its bytes.
        begin: Their position in the file, for errors.

    Raises:
        chainer_seg.errors.WeightFileError: The bytes are damaged, or too many.
    """
    if len(content) > _MOST_BYTES:
        wire.fail(f'a {name} of at most {_MOST_BYTES} bytes', f'it has {len(content)}', begin)
    try:
        return _CLASSES[name].FromString(content)
    except DecodeError:
        return wire.fail(f'a {name}', 'its bytes cannot be parsed', begin)


def shape_of(wire: Wire, message: Any, begin: int) -> tuple[int, ...]:
    """The sides in a TensorShapeProto; ``begin`` is the file position of the message around it.

    Raises:
        chainer_seg.errors.WeightFileError: The shape is unknown, or no array can have it.
    """
    if message.unknown_rank:
        wire.fail('a shape', 'it is unknown', begin)
    _check_dimensions(wire, message.dim, begin)
    shape = tuple(dim.size for dim in message.dim)
    if max(shape, default=0) > _LONGEST_SIDE:
        wire.fail('a side of an array', f'it is {max(shape)}', begin)
    return shape


def extents_of(wire: Wire, message: Any, begin: int) -> Extents:
    """Start and length along each side in a TensorSliceProto; length ``WHOLE`` means the whole side.

    Raises:
        chainer_seg.errors.WeightFileError: No array can have so many dimensions.
    """
    _check_dimensions(wire, message.extent, begin)
    return tuple((extent.start, extent.length if extent.HasField('length') else WHOLE)
                 for extent in message.extent)


def check_version(wire: Wire, version: Any) -> None:
    """Refuses a VersionDef that requires a newer reader.

    Raises:
        chainer_seg.errors.WeightFileError: It does.
    """
    if version.min_consumer > _NEWEST:
        raise WeightFileError(f'{wire.path} is a checkpoint of version {version.min_consumer}, but only '
                              f'versions up to {_NEWEST} are supported; save it with an older TensorFlow.')


def _check_dimensions(wire: Wire, sides: Sized, begin: int) -> None:
    if len(sides) > _MOST_DIMENSIONS:
        wire.fail(f'at most {_MOST_DIMENSIONS} dimensions', f'there are {len(sides)}', begin)
