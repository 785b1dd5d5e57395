"""A whole data set in one file that is read at random from any number of processes.

The file is a ZIP archive without compression, so that every tool can look into it: the image files as
they are, and all that is known of the objects in a few arrays. Images and masks are read from a
mapping of the file into memory, which processes share.
"""

import io
import json
import mmap
import os
import pathlib
import struct
import typing
import zipfile
import zlib
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from chainer_seg import masks, schema
from chainer_seg.array_files import ArrayFile, ArrayFileError
from chainer_seg.bad_images import OnError, passing_over
from chainer_seg.datasets.base import Boxes, Dataset, ImageDataset, Progress, as_dataset, encode_png
from chainer_seg.errors import DatasetError, ImageError, shortened
from chainer_seg.files import atomic_write, parse_json
from chainer_seg.images import decode_image
from chainer_seg.instances import Instances
from chainer_seg.mask_runs import check_runs

FORMAT = 'chainer_seg packed data set'
VERSION = 1

_HEADER, _CODES = 'index/header.json', 'index/codes'

# The arrays by name: their type and their shape, where N is the number of images, R that of objects
# and K that of keypoints.
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


def pack_dataset(dataset: Dataset, path: str | os.PathLike, *, source: Any = '',
                 on_error: OnError | None = None, progress: Progress | None = None, read_pixels: bool = True
                 ) -> pathlib.Path:
    """Writes a data set into one file, which has its name only when it is complete.

    Args:
        dataset: With ``len``, ``dataset[i] -> (image, Instances)`` and ``class_names``. Where it has
            ``read_file(i) -> (bytes, rotate)``, image files are stored as they are, otherwise images
            are stored as PNG. Where annotated areas are missing, those of the masks are stored.
        path: Of the file.
        source (str): Anything that tells what was packed; :attr:`PackedDataset.source` gives it back.
        on_error (callable): Called with the number and the error of an image that cannot be read,
            which is then omitted; None raises the error.
        progress (callable): Wraps the iteration over indices, such as tqdm.
        read_pixels (bool): Decode image files that are stored as they are, and so find those that are
            cut short or damaged behind their headers.

    Returns:
        pathlib.Path: The file.

    Raises:
        chainer_seg.errors.DatasetError, chainer_seg.errors.ImageError: An image or its objects cannot
            be read, or there are none.
        chainer_seg.errors.DiskFullError: The file cannot be written.
    """
    path, dataset = pathlib.Path(path), as_dataset(dataset)
    index = _Index()
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, 'w') as archive:
        for number in (progress or iter)(range(len(dataset))):
            example = None
            with passing_over(number, on_error):
                example = _read_example(dataset, number, read_pixels)
            if example is None:
                continue
            data, rotate, instances = example
            archive.writestr(f'images/{number:08d}', data)
            index.add_image(archive.start_dir - len(data), data, rotate, instances.image_size)
            index.add_objects(instances)
            index.ids.append(dataset.ids[number])
            index.names.append(dataset.file_name(number))
        if not index.ids:
            raise DatasetError('There is nothing to pack: the data set has no image that can be read.')
        index.write(archive, dataset, source)
    return path


def is_packed(path: str | os.PathLike) -> bool:
    """Whether ``path`` is a file that begins like those of :func:`pack_dataset`."""
    path = pathlib.Path(path)
    if not path.is_file():
        return False
    with open(path, 'rb') as file:
        return file.read(4) == b'PK\x03\x04'


class PackedDataset(ImageDataset):
    """The data set of a file that :func:`pack_dataset` or chainer-seg data prepare wrote.

    It gives what the packed data set gives. Every image carries a checksum, so that a damaged file
    is reported and not trained on.

    Args:
        path: Of the file.
        skip_empty (bool): Omit images without a single object (crowds do not count).
        keypoints (bool): Whether Instances carry keypoints; None: where there are some.

    Attributes:
        ids, image_names, category_ids, class_names: As those of
            :class:`chainer_seg.datasets.CocoDataset`.
        source (str): What :func:`pack_dataset` was told of the origin.

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

    def __init__(self, path: str | os.PathLike, *, skip_empty: bool = False, keypoints: bool | None = None):
        self.path = pathlib.Path(path)
        try:
            header = self._read_index()
        except OSError as error:
            raise DatasetError(f'There is no packed data set {self.path} that can be read '
                               f'({error.strerror}); check the path.') from error
        except (ArrayFileError, ValueError, KeyError) as error:
            reason = shortened(getattr(error, 'reason', str(error)))
            raise DatasetError(f'{self.path} is no packed data set, or is damaged or cut short; pack '
                               f'the data again with chainer-seg data prepare ({reason}).') from error
        self.category_ids, self.class_names = header.category_ids, tuple(header.class_names)
        self.source = header.source
        if keypoints and self._keypoints is None:
            raise DatasetError(f'{self.path} has no keypoints; leave keypoints out.')
        if keypoints is False:
            self._keypoints = None
        self._list(header.ids, header.image_names)
        self._map()
        if skip_empty:
            pictures = np.repeat(self._rows, np.diff(self._object_starts))
            self._keep_filled(np.bincount(pictures[~self._crowds], minlength=len(self)) > 0)

    def read_file(self, index: int) -> tuple[bytes, bool]:
        """The bytes of the image file, and whether the image is turned as its EXIF data ask."""
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
            check_runs(found, size)
        except ValueError as error:
            raise DatasetError(f'The masks of {shortened(self.image_names[index])} in {self.path} '
                               f'cannot be read: {error}.') from error
        codes = [{'size': size, 'counts': code} for code in found]
        return Instances(
            masks.decode_checked(codes, size), self._bboxes[objects], self._labels[objects],
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

    def _fields(self, objects):
        return (self._labels[objects], self._bboxes[objects], self._areas[objects],
                self._crowds[objects])

    def _read_codes(self, index, row, objects):
        """The run-length encodings (bytes) of one image's masks."""
        bounds = self._code_starts[objects.start:objects.stop + 1]
        data = self._bytes(self._codes_start + bounds[0], bounds[-1] - bounds[0])
        if zlib.crc32(data) != self._code_checksums[row]:
            raise DatasetError(f'The objects of {self.image_names[index]} in {self.path} are damaged; '
                               f'pack the data again with chainer-seg data prepare.')
        places = bounds - bounds[0]
        return [data[start:end] for start, end in zip(places[:-1], places[1:])]

    def _bytes(self, start, length):
        return self._mapping[int(start):int(start + length)]

    def _map(self):
        with open(self.path, 'rb') as file:
            self._mapping = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def _read_index(self):
        """Sets the arrays from the file and gives the header.

        What a checksum cannot tell is checked, too: that all numbers are where numbers can be.
        """
        self._file_size = self.path.stat().st_size
        with ArrayFile(self.path, select=lambda name: name.startswith('index/')
                       and name.endswith('.npy')) as file:
            name = f'The header of {self.path}'
            header = schema.check(parse_json(file.read_bytes(_HEADER), name, ValueError), _Header, name,
                                  ValueError)
            if header.version > VERSION:
                raise DatasetError(f'{self.path} was packed by a newer chainer_seg; update this one.')
            arrays = {name: file.read(f'index/{name}')
                      for name in (*_ARRAYS, *(_KEYPOINTS if header.optional else ()))}
            codes = file.entry(_CODES)
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
            raise ValueError('the run-length codes are cut short')
        return header


def _check_arrays(arrays, header, code_bytes, file_size):
    """Raises a ValueError where an array is of another type or shape, or points to where nothing is."""
    sides = {'N': len(header.ids), 'R': arrays['labels'].size, '2': 2, '3': 3, '4': 4,
             'K': arrays['keypoints'].shape[1] if np.ndim(arrays.get('keypoints')) == 3 else 0}
    for name, (kind, shape) in {**_ARRAYS, **_KEYPOINTS}.items():
        if name not in arrays:
            continue
        expected = tuple(sides[side] for side in shape.rstrip('+'))
        if shape.endswith('+'):  # The starts and the end of the last one.
            expected = (expected[0] + 1,)
        if arrays[name].dtype != kind or arrays[name].shape != expected:
            raise ValueError(f'its {name} have another form than {expected} {np.dtype(kind)}')
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
        'places of run-length codes': _are_no_starts(arrays['code_starts'], code_bytes)}
    for what, wrong in faults.items():
        if wrong:
            raise ValueError(f'its {what} cannot be')


def _are_no_starts(starts, end):
    """Whether an array is anything but numbers that rise from 0 to ``end``."""
    return starts[0] != 0 or starts[-1] != end or (starts[1:] < starts[:-1]).any()


class _Index:
    """What is known of images and objects, gathered while the images are written."""

    def __init__(self):
        self.ids, self.names = [], []
        self._images, self._objects, self._codes, self._keypoints = [], [], [], []

    def add_image(self, start, data, rotate, size):
        self._images.append((start, len(data), zlib.crc32(data), rotate, size))

    def add_objects(self, instances):
        codes = [code['counts'].encode('ascii') for code in masks.encode_rle(instances.masks)]
        areas = instances.areas
        if areas is None:
            areas = masks.mask_area(instances.masks)
        self._objects.append((instances.labels, instances.bboxes, instances.crowds, areas))
        self._codes.append(codes)
        self._keypoints.append(instances.keypoints)

    def write(self, archive, dataset, source):
        """Writes the header, the arrays and the codes of the masks behind the images."""
        starts, lengths, checksums, turned, sizes = zip(*self._images)
        labels, bboxes, crowds, areas = map(np.concatenate, zip(*self._objects))
        counts = [len(codes) for codes in self._codes]
        code_lengths = [len(code) for codes in self._codes for code in codes]
        arrays = {
            'image_starts': np.array(starts, np.int64), 'image_lengths': np.array(lengths, np.int64),
            'image_checksums': np.array(checksums, np.uint32), 'turned': np.array(turned, bool),
            'sizes': np.array(sizes, np.int32), 'object_starts': _ends(counts),
            'code_checksums': np.array([zlib.crc32(b''.join(c)) for c in self._codes], np.uint32),
            'labels': labels, 'bboxes': bboxes, 'crowds': crowds,
            'areas': areas.astype(np.float32), 'code_starts': _ends(code_lengths)}
        keypoints = self._all_keypoints(counts)
        if keypoints is not None:
            arrays['keypoints'] = keypoints
        header = {
            'format': FORMAT, 'version': VERSION, 'source': source,
            'optional': [] if keypoints is None else ['keypoints'],
            'class_names': list(dataset.class_names),
            'category_ids': list(dataset.category_ids),
            'ids': self.ids, 'image_names': self.names}
        archive.writestr(_HEADER, json.dumps(header))
        for name, array in arrays.items():
            data = io.BytesIO()
            np.save(data, array)
            archive.writestr(f'index/{name}.npy', data.getvalue())
        archive.writestr(_CODES, b''.join(code for codes in self._codes for code in codes))

    def _all_keypoints(self, counts):
        """(objects, K, 3) float32 with zeros where an image has none; None where no image has any."""
        given = [points for points in self._keypoints if points is not None]
        if not given:
            return None
        nothing = given[0].shape[1:]
        return np.concatenate([np.zeros((count, *nothing), np.float32) if points is None else points
                               for count, points in zip(counts, self._keypoints)])


def _ends(lengths):
    """Where ranges of these lengths begin when they lie one after the other, and the last one's end."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)


def _read_example(dataset, number, read_pixels):
    """The bytes of an image file, whether its EXIF data turn it, and the objects."""
    if not dataset.has_files:
        image, instances = dataset[number]
        return encode_png(image), False, instances
    data, rotate = dataset.read_file(number)
    if read_pixels:
        decode_image(data, dataset.file_name(number))
    return data, rotate, dataset.read_instances(number)
