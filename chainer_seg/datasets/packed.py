"""A whole data set in one file with random access from any number of processes.

The file is a ZIP archive without compression, which any tool can list: the unchanged image files, and a
few arrays with all annotations. Images and masks are read from a memory mapping of the file, which
processes share. :mod:`chainer_seg.datasets.packing` writes it.
"""

import mmap
import os
import pathlib
import struct
import typing
import zlib
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from chainer_seg import schema
from chainer_seg.array_files import ArrayFile, ArrayFileError
from chainer_seg.datasets.base import Boxes, ImageDataset
from chainer_seg.errors import DatasetError, ImageError, shortened
from chainer_seg.files import parse_json
from chainer_seg.instances import Instances
from chainer_seg.rle import check_compressed
from chainer_seg.run_length_masks import RunLengthMasks

FORMAT = 'chainer_seg packed data set'
VERSION = 1

HEADER, CODES = 'index/header.json', 'index/codes'

# The dtype and the shape of each array. N is the number of images, R that of objects, K that of keypoints.
_ARRAYS = {
    'image_starts': ('i8', 'N'), 'image_lengths': ('i8', 'N'), 'image_checksums': ('u4', 'N'),
    'turned': ('?', 'N'), 'sizes': ('i4', 'N2'), 'object_starts': ('i8', 'N+'),
    'code_checksums': ('u4', 'N'), 'labels': ('i4', 'R'), 'bboxes': ('f4', 'R4'), 'crowds': ('?', 'R'),
    'areas': ('f4', 'R'), 'code_starts': ('i8', 'R+')}
_KEYPOINTS = {'keypoints': ('f4', 'RK3')}

# A local header of a ZIP file: 26 bytes, then the lengths of the name and of the extra field.
_LOCAL_HEADER, _LOCAL_LENGTHS = 30, struct.Struct('<26xHH')


class _Header(msgspec.Struct):
    format: typing.Literal['chainer_seg packed data set']
    version: schema.Count
    source: typing.Any
    optional: list[typing.Literal['keypoints']]
    class_names: list[schema.Text]
    category_ids: list[int | schema.Text]
    ids: list[int | schema.Text]
    image_names: list[schema.Text]


def is_packed(path: str | os.PathLike) -> bool:
    """Whether ``path`` is a file that begins like a packed data set."""
    path = pathlib.Path(path)
    if not path.is_file():
        return False
    with open(path, 'rb') as file:
        return file.read(4) == b'PK\x03\x04'


class PackedDataset(ImageDataset):
    """A data set that was packed by :func:`pack_dataset` or ``chainer-seg data prepare``.

    Images and objects are those of the original data set. Every image has a checksum, so that a damaged
    file is an error.

    Args:
        path: The file.
        skip_empty: Omit images without objects (crowds do not count).
        keypoints: Whether Instances have keypoints; None: if there are any.

    Attributes:
        ids, image_names, category_ids, class_names: As in :class:`chainer_seg.datasets.CocoDataset`.
        source: The origin that was passed to :func:`pack_dataset`.

    Raises:
        chainer_seg.errors.DatasetError: The file is missing, damaged or not packed, or has no images
            (with objects).
    """

    # The arrays of the file, as _ARRAYS and _KEYPOINTS describe them.
    _image_starts: npt.NDArray[np.int64]
    _image_lengths: npt.NDArray[np.int64]
    _image_checksums: npt.NDArray[np.uint32]
    _turned: npt.NDArray[np.bool_]
    _sizes: npt.NDArray[np.int32]
    _object_starts: npt.NDArray[np.int64]
    _code_checksums: npt.NDArray[np.uint32]
    _labels: npt.NDArray[np.int32]
    _bboxes: npt.NDArray[np.float32]
    _crowds: npt.NDArray[np.bool_]
    _areas: npt.NDArray[np.float32]
    _code_starts: npt.NDArray[np.int64]
    _keypoints: npt.NDArray[np.float32] | None

    def __init__(self, path: str | os.PathLike, *, skip_empty: bool = False,
                 keypoints: bool | None = None) -> None:
        self.path = pathlib.Path(path)
        try:
            header = self._read_index()
        except OSError as error:
            raise DatasetError(f'The packed data set {self.path} cannot be read ({error.strerror}); '
                               f'check the path.') from error
        except (ArrayFileError, ValueError, KeyError) as error:
            reason = shortened(error.reason if isinstance(error, ArrayFileError) else str(error))
            raise DatasetError(f'{self.path} is not a packed data set, or is damaged or truncated; pack '
                               f'the data again with chainer-seg data prepare ({reason}).') from error
        self.category_ids, self.class_names = header.category_ids, tuple(header.class_names)
        self.source = header.source
        if keypoints and self._keypoints is None:
            raise DatasetError(f'{self.path} has no keypoints; do not ask for keypoints.')
        if keypoints is False:
            self._keypoints = None
        self._list(header.ids, header.image_names)
        self._map()
        if skip_empty:
            image_numbers = np.repeat(self._rows, np.diff(self._object_starts))
            self._keep_filled(np.bincount(image_numbers[~self._crowds], minlength=len(self)) > 0)

    def read_file(self, index: int) -> tuple[bytes, bool]:
        """The bytes of the image file, and whether to rotate the image by its EXIF orientation."""
        row = self._rows[index]
        data = self._bytes(self._image_starts[row], self._image_lengths[row])
        if zlib.crc32(data) != self._image_checksums[row]:
            raise ImageError(f'The image {self.image_names[index]} in {self.path} is damaged; pack the '
                             f'data again with chainer-seg data prepare.')
        return data, bool(self._turned[row])

    def image_size(self, index: int) -> tuple[int, int]:
        """(H, W) in pixels, without reading the image."""
        height, width = self._sizes[self._rows[index]].tolist()
        return height, width

    def read_instances(self, index: int) -> Instances:
        """The objects of one image, without reading the image."""
        row = self._rows[index]
        objects = slice(*self._object_starts[row:row + 2])
        size = self.image_size(index)
        found = self._read_codes(index, row, objects)
        try:
            check_compressed(found, size)
        except ValueError as error:
            raise DatasetError(f'The masks of {shortened(self.image_names[index])} in {self.path} '
                               f'cannot be read: {error}.') from error
        codes = [{'size': size, 'counts': code} for code in found]
        return Instances(
            RunLengthMasks.from_rle(codes, size), self._bboxes[objects], self._labels[objects],
            keypoints=None if self._keypoints is None else self._keypoints[objects],
            class_names=self.class_names, crowds=self._crowds[objects], areas=self._areas[objects])

    def read_boxes(self, index: int) -> Boxes:
        """labels (R,), bboxes (R, 4), areas (R,) and crowds (R,) of one image, without its masks."""
        row = self._rows[index]
        return self._fields(slice(*self._object_starts[row:row + 2]))

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != '_mapping'}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._map()

    def _fields(self, objects: slice) -> Boxes:
        return (self._labels[objects], self._bboxes[objects], self._areas[objects],
                self._crowds[objects])

    def _read_codes(self, index: int, row: int, objects: slice) -> list[bytes]:
        """The run-length encodings (bytes) of one image's masks."""
        bounds = self._code_starts[objects.start:objects.stop + 1]
        data = self._bytes(self._codes_start + bounds[0], bounds[-1] - bounds[0])
        if zlib.crc32(data) != self._code_checksums[row]:
            raise DatasetError(f'The objects of {self.image_names[index]} in {self.path} are damaged; '
                               f'pack the data again with chainer-seg data prepare.')
        places = bounds - bounds[0]
        return [data[start:end] for start, end in zip(places[:-1], places[1:])]

    def _bytes(self, start: int, length: int) -> bytes:
        return self._mapping[int(start):int(start + length)]

    def _map(self) -> None:
        with open(self.path, 'rb') as file:
            self._mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def _read_index(self) -> _Header:
        """Sets the arrays from the file and returns the header, after checks of all numbers."""
        self._file_size = self.path.stat().st_size
        with ArrayFile(self.path, select=lambda name: name.startswith('index/')
                       and name.endswith('.npy')) as file:
            name = f'The header of {self.path}'
            header = schema.check(parse_json(file.read_bytes(HEADER), name, ValueError), _Header, name,
                                  ValueError)
            if header.version > VERSION:
                raise DatasetError(f'{self.path} was packed by a newer chainer_seg; update this one.')
            arrays = {name: file.read(f'index/{name}')
                      for name in (*_ARRAYS, *(_KEYPOINTS if header.optional else ()))}
            codes = file.entry(CODES)
        _check_arrays(arrays, header, codes.file_size, self._file_size)
        self._keypoints = None
        for name, array in arrays.items():
            setattr(self, f'_{name}', array)
        with open(self.path, 'rb') as file:
            file.seek(codes.header_offset)
            local_header = file.read(_LOCAL_HEADER)
        if len(local_header) < _LOCAL_HEADER:
            raise ValueError('the run-length codes are cut short')
        lengths = _LOCAL_LENGTHS.unpack(local_header)
        self._codes_start = codes.header_offset + _LOCAL_HEADER + sum(lengths)
        if self._codes_start + codes.file_size > self._file_size or codes.compress_type:
            raise ValueError('the run-length encodings are truncated')
        return header


def _check_arrays(arrays: dict[str, npt.NDArray], header: _Header, code_bytes: int, file_size: int) -> None:
    """Raises a ValueError if an array has another dtype or shape, or values out of range."""
    sides = {'N': len(header.ids), 'R': arrays['labels'].size, '2': 2, '3': 3, '4': 4,
             'K': arrays['keypoints'].shape[1] if header.optional and arrays['keypoints'].ndim == 3 else 0}
    for name, (kind, shape) in {**_ARRAYS, **_KEYPOINTS}.items():
        if name not in arrays:
            continue
        expected = tuple(sides[side] for side in shape.rstrip('+'))
        if shape.endswith('+'):  # The starts of all ranges and the end of the last one.
            expected = (expected[0] + 1,)
        if arrays[name].dtype != kind or arrays[name].shape != expected:
            raise ValueError(f'its {name} must be {expected} {np.dtype(kind)}, but are '
                             f'{arrays[name].shape} {arrays[name].dtype}')
        if kind == 'f4' and not np.isfinite(arrays[name]).all():
            raise ValueError(f'its {name} are not finite')
    starts, lengths = arrays['image_starts'], arrays['image_lengths']
    labels, classes = arrays['labels'], len(header.class_names)
    faults = {
        'numbers of names': len(header.image_names) != len(header.ids)
                            or len(header.category_ids) != classes,
        'places of images': ((starts < 0) | (lengths < 0) | (starts > file_size)
                             | (lengths > file_size - starts)).any(),
        'sizes': ((arrays['sizes'] < 1) | (arrays['sizes'] > schema.MAX_SIDE)).any(),
        'labels': ((labels < 0) | (labels >= classes)).any(),
        'numbers of objects': _are_no_starts(arrays['object_starts'], len(labels)),
        'places of run-length encodings': _are_no_starts(arrays['code_starts'], code_bytes)}
    for what, wrong in faults.items():
        if wrong:
            raise ValueError(f'its {what} are out of range')


def _are_no_starts(starts: npt.NDArray, end: int) -> bool:
    """Whether an array is not a non-decreasing sequence from 0 to ``end``."""
    return bool(starts[0] != 0 or starts[-1] != end or (starts[1:] < starts[:-1]).any())
