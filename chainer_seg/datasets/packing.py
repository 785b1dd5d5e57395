"""Writes a whole data set into one file, the format of :mod:`chainer_seg.datasets.packed`."""

import io
import json
import os
import pathlib
import zipfile
import zlib
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_seg import masks
from chainer_seg.bad_images import OnError, passing_over
from chainer_seg.datasets.base import Dataset, Progress, as_dataset, encode_png
from chainer_seg.datasets.packed import CODES, FORMAT, HEADER, VERSION
from chainer_seg.errors import DatasetError
from chainer_seg.files import atomic_write
from chainer_seg.images import decode_image
from chainer_seg.instances import Instances


def pack_dataset(dataset: Dataset, path: str | os.PathLike, *, source: Any = '',
                 on_error: OnError | None = None, progress: Progress | None = None, read_pixels: bool = True
                 ) -> pathlib.Path:
    """Writes a data set into one file atomically.

    Args:
        dataset: The data set. Image files are stored unchanged, images without a file as PNG. If
            annotated areas are missing, those of the masks are stored.
        path: The file.
        source: A description of the origin, any JSON value; see :attr:`PackedDataset.source`.
        on_error: Called with the number and the error of an image that cannot be read, which is then
            omitted; None raises the error.
        progress: Wraps the iteration over indices, such as tqdm.
        read_pixels: Decode image files that are stored unchanged, to find truncated and damaged ones.

    Returns:
        The file.

    Raises:
        chainer_seg.errors.DatasetError, chainer_seg.errors.ImageError: An image or its objects cannot
            be read, or there are no images.
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
            raise DatasetError('The data set has no image that can be read; check it with "chainer-seg '
                               'data check".')
        index.write(archive, dataset, source)
    return path


class _Index:
    """The arrays of the file, collected while the images are written."""

    def __init__(self) -> None:
        self.ids: list[Any] = []
        self.names: list[str] = []
        self._images: list[tuple[int, int, int, bool, tuple[int, int]]] = []
        self._objects: list[tuple[npt.NDArray, ...]] = []
        self._codes: list[list[bytes]] = []
        self._keypoints: list[npt.NDArray[np.float32] | None] = []

    def add_image(self, start: int, data: bytes, rotate: bool, size: tuple[int, int]) -> None:
        self._images.append((start, len(data), zlib.crc32(data), rotate, size))

    def add_objects(self, instances: Instances) -> None:
        codes = [code['counts'].encode('ascii') for code in masks.encode_rle(instances.masks)]
        areas = instances.areas
        if areas is None:
            areas = masks.mask_area(instances.masks)
        self._objects.append((instances.labels, instances.bboxes, instances.crowds, areas))
        self._codes.append(codes)
        self._keypoints.append(instances.keypoints)

    def write(self, archive: zipfile.ZipFile, dataset: Dataset, source: Any) -> None:
        """Writes the header, the arrays and the run-length encodings after the images."""
        starts, lengths, checksums, turned, sizes = zip(*self._images)
        labels, bboxes, crowds, areas = map(np.concatenate, zip(*self._objects))
        counts = [len(codes) for codes in self._codes]
        code_lengths = [len(code) for codes in self._codes for code in codes]
        arrays: dict[str, npt.NDArray] = {
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
        archive.writestr(HEADER, json.dumps(header))
        for name, array in arrays.items():
            data = io.BytesIO()
            np.save(data, array)
            archive.writestr(f'index/{name}.npy', data.getvalue())
        archive.writestr(CODES, b''.join(code for codes in self._codes for code in codes))

    def _all_keypoints(self, counts: list[int]) -> npt.NDArray[np.float32] | None:
        """(objects, K, 3) float32, zeros for images without keypoints; None if no image has any."""
        given = [points for points in self._keypoints if points is not None]
        if not given:
            return None
        nothing = given[0].shape[1:]
        return np.concatenate([np.zeros((count, *nothing), np.float32) if points is None else points
                               for count, points in zip(counts, self._keypoints)])


def _ends(lengths: list[int]) -> npt.NDArray[np.int64]:
    """The starts of consecutive ranges of these lengths, and the end of the last one."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)


def _read_example(dataset: Dataset, number: int, read_pixels: bool) -> tuple[bytes, bool, Instances]:
    """The bytes of an image file, whether to rotate it by its EXIF orientation, and the objects."""
    if not dataset.has_files:
        image, instances = dataset[number]
        return encode_png(image), False, instances
    data, rotate = dataset.read_file(number)
    if read_pixels:
        decode_image(data, dataset.file_name(number))
    return data, rotate, dataset.read_instances(number)
