"""Writes a whole data set into one file, the format of :mod:`chainer_seg.datasets.packed`."""

import functools
import io
import json
import os
import pathlib
import zipfile
import zlib
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from chainer_seg import schema
from chainer_seg.bad_images import Loop, OnError, each_image
from chainer_seg.datasets.base import Dataset, Progress, as_dataset, encode_png
from chainer_seg.datasets.packed import CODES, FORMAT, HEADER, VERSION
from chainer_seg.errors import DatasetError
from chainer_seg.files import atomic_write
from chainer_seg.images import decode_image


class PackedImage(msgspec.Struct):
    """What is packed of an image, arrays as their bytes in the types of the file.

    Attributes:
        data: The bytes of its file; None where the data set gives them.
        turned: Whether the image is turned as its EXIF data ask.
        size: (H, W) in pixels.
        labels, bboxes, crowds, areas, codes: Of its objects, (R,) or (R, 4).
        keypoints: (R, K, 3), or None.
        points: K.
    """

    data: bytes | None
    turned: bool
    size: tuple[schema.Side, schema.Side]
    labels: bytes
    bboxes: bytes
    crowds: bytes
    areas: bytes
    codes: list[bytes]
    keypoints: bytes | None
    points: schema.Count


def pack_dataset(dataset: Dataset, path: str | os.PathLike, *, source: Any = '',
                 on_error: OnError | None = None, progress: Progress | None = None, read_pixels: bool = True,
                 loop: Loop | None = None) -> pathlib.Path:
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
        loop: Replaces the loop over the images, ``progress`` and ``on_error``, such as one that keeps
            results; see :data:`chainer_seg.bad_images.Loop`. A row is a :class:`PackedImage`.

    Returns:
        The file.

    Raises:
        chainer_seg.errors.DatasetError, chainer_seg.errors.ImageError: An image or its objects cannot
            be read, or there are no images.
        chainer_seg.errors.DiskFullError: The file cannot be written.
    """
    path, dataset = pathlib.Path(path), as_dataset(dataset)
    loop = loop or functools.partial(each_image, progress=progress or iter, on_error=on_error)
    index = _Index()
    with atomic_write(path) as temporary, zipfile.ZipFile(temporary, 'w') as archive:
        for number, row in loop(range(len(dataset)), lambda number: _pack(dataset, number, read_pixels)):
            data = dataset.read_file(number)[0] if row.data is None else row.data
            archive.writestr(f'images/{number:08d}', data)
            index.add(row, archive.start_dir - len(data), data)
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
        self._images: list[tuple[int, int, int]] = []
        self._rows: list[PackedImage] = []

    def add(self, row: PackedImage, start: int, data: bytes) -> None:
        """Adds an image whose file begins at ``start``."""
        self._images.append((start, len(data), zlib.crc32(data)))
        # The image itself is in the file.
        self._rows.append(msgspec.structs.replace(row, data=None))

    def write(self, archive: zipfile.ZipFile, dataset: Dataset, source: Any) -> None:
        """Writes the header, the arrays and the run-length encodings after the images."""
        starts, lengths, checksums = zip(*self._images)
        rows = self._rows
        codes = [code for row in rows for code in row.codes]
        counts = [len(row.codes) for row in rows]
        arrays: dict[str, npt.NDArray] = {
            'image_starts': np.array(starts, np.int64), 'image_lengths': np.array(lengths, np.int64),
            'image_checksums': np.array(checksums, np.uint32),
            'turned': np.array([row.turned for row in rows], bool),
            'sizes': np.array([row.size for row in rows], np.int32), 'object_starts': _ends(counts),
            'code_checksums': np.array([zlib.crc32(b''.join(row.codes)) for row in rows], np.uint32),
            **{name: _joined([getattr(row, name) for row in rows], kind)
               for name, kind in (('labels', np.int32), ('bboxes', np.float32), ('crowds', bool),
                                  ('areas', np.float32))},
            'code_starts': _ends([len(code) for code in codes])}
        arrays['bboxes'] = arrays['bboxes'].reshape(-1, 4)
        keypoints = _all_keypoints(rows, counts)
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
        archive.writestr(CODES, b''.join(codes))


def _joined(parts: Sequence[bytes], kind: npt.DTypeLike) -> npt.NDArray:
    return np.frombuffer(b''.join(parts), kind)


def _all_keypoints(rows: Sequence[PackedImage], counts: Sequence[int]) -> npt.NDArray[np.float32] | None:
    """(objects, K, 3) float32, zeros for images without keypoints; None if no image has any."""
    points = next((row.points for row in rows if row.keypoints is not None), None)
    if points is None:
        return None
    return np.concatenate([
        np.zeros((count, points, 3), np.float32) if row.keypoints is None
        else np.frombuffer(row.keypoints, np.float32).reshape(-1, row.points, 3)
        for count, row in zip(counts, rows)])


def _ends(lengths: Sequence[int]) -> npt.NDArray[np.int64]:
    """The starts of consecutive ranges of these lengths, and the end of the last one."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]).astype(np.int64)


def _pack(dataset: Dataset, number: int, read_pixels: bool) -> PackedImage:
    """The :class:`PackedImage` of an image."""
    data: bytes | None
    if dataset.has_files:
        content, turned = dataset.read_file(number)
        if read_pixels:
            decode_image(content, dataset.file_name(number))
        data, instances = None, dataset.read_instances(number)
    else:
        image, instances = dataset[number]
        data, turned = encode_png(image), False
    points = instances.keypoints
    return PackedImage(
        data, bool(turned), instances.image_size, instances.labels.tobytes(), instances.bboxes.tobytes(),
        instances.crowds.tobytes(), np.asarray(instances.pixel_areas, np.float32).tobytes(),
        [code['counts'].encode('ascii') for code in instances.runs.to_rle()],
        None if points is None else points.tobytes(), 0 if points is None else points.shape[1])
