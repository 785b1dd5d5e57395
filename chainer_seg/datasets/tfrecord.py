"""The data set of TFRecord files that the TensorFlow implementation of YOLACT makes from a COCO file."""

import copy
import io
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from chainer_seg.datasets.base import Boxes, ImageDataset, Progress
from chainer_seg.datasets.coco_json import is_number
from chainer_seg.datasets.tfrecord_files import find_shards, parse_example, read_record, scan_records
from chainer_seg.errors import DatasetError, ImageError, quoted, shortened
from chainer_seg.images import header_sizes, open_image
from chainer_seg.instances import Instances
from chainer_seg.rle import check_memory
from chainer_seg.rle import rle_of_box
from chainer_seg.run_length_masks import RunLengthMasks
from chainer_seg.schema import MAX_SIDE, whole_number

# That tool's names, and those of TensorFlow's own detection models.
_LABELS = ('image/object/class/label_id', 'image/object/class/label')
_TEXTS = ('image/object/class/label_text', 'image/object/class/text')
_SIDES = tuple(f'image/object/bbox/{side}' for side in ('ymin', 'xmin', 'ymax', 'xmax'))
_MASKS = 'image/object/mask'

_FARTHEST = 100  # image sides; a box with a corner beyond is an error
_ID_DIGITS = 19  # of a 64-bit number; longer ids are names


# Category ids (R,), bboxes (R, 4), areas (R,) and crowds (R,) of one image.
_Objects = tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.float32],
                 npt.NDArray[np.bool_]]


class TFRecordDataset(ImageDataset):
    """Images and objects of TFRecord files.

    All files are read and checked once when the data set is opened; ``chainer-seg data prepare`` packs
    them for quicker starts. If a record has no masks, the masks are the pixels of the boxes.

    The files do not list all classes: ``categories`` are those that occur, with the names in the
    records.

    Args:
        shards: A file, a pattern such as ``coco_train.record-*``, or the common start of all names.
        skip_empty: Omit images without objects (crowds do not count).
        progress: Wraps the iteration over files, such as tqdm.

    Attributes:
        ids, image_names, category_ids, class_names: As in :class:`chainer_seg.datasets.CocoDataset`.
        categories (dict): The name of each category id.

    Raises:
        chainer_seg.errors.DatasetError: Files are missing or damaged, or have another content.
    """

    def __init__(self, shards: str | os.PathLike, *, skip_empty: bool = False,
                 progress: Progress | None = None) -> None:
        self.path = pathlib.Path(shards)
        self._places: list[tuple[pathlib.Path, int]] = []
        self._objects: list[_Objects] = []
        self._sizes: list[tuple[int, int]] = []
        names: list[str] = []
        ids: list[int | str] = []
        categories: dict[int, str] = {}
        for shard in (progress or iter)(find_shards(shards)):
            for number, (place, data) in enumerate(scan_records(shard)):
                try:
                    record = _Record(data)
                    self._objects.append(record.objects())
                    ids.append(record.image_id(len(ids)))
                    names.append(record.text('image/filename', f'{len(ids):08d}.jpg'))
                    categories.update(record.categories())
                except ValueError as error:
                    raise DatasetError(f'Record {number} of the TFRecord file {shard} cannot be used: '
                                       f'{shortened(str(error))}; create the file again.') from error
                self._places.append((shard, place))
                self._sizes.append(record.size)
        if not ids:
            raise DatasetError(f'The TFRecord files {self.path} contain no records; create them again.')
        self._list(ids, names)
        self._name_classes(categories)
        if skip_empty:
            self._keep_filled([bool((~crowds).any()) for _, _, _, crowds in self._objects])

    def with_categories(self, categories: dict[int, str]) -> Self:
        """The same data set with the labels of other categories.

        Args:
            categories: The name of each category id, which must include all that occur.

        Raises:
            chainer_seg.errors.DatasetError: A category that occurs is not among them.
        """
        missing = sorted(set(self.categories) - set(categories))
        if missing:
            raise DatasetError(f'{self.path} has objects of the categories {missing}, which are not '
                               f'among {sorted(categories)}; use the categories of the training set.')
        other = copy.copy(self)
        other._name_classes(categories)
        return other

    def read_file(self, index: int) -> tuple[bytes, bool]:
        """The bytes of the image file, and False: its EXIF orientation is ignored."""
        data = self._record(index).encoded
        stored, _ = header_sizes(io.BytesIO(data), self.image_names[index])
        size = self.image_size(index)
        if stored != size:
            raise DatasetError(f'The image {self.image_names[index]} in {self.path} has {stored[0]}x'
                               f'{stored[1]} pixels, but its record says {size[0]}x{size[1]}; create the '
                               f'files again.')
        return data, False

    def image_size(self, index: int) -> tuple[int, int]:
        """(H, W) in pixels, without reading the image."""
        return self._sizes[self._rows[index]]

    def read_boxes(self, index: int) -> Boxes:
        """labels (R,), bboxes (R, 4), areas (R,) and crowds (R,) of one image, without its masks."""
        categories, bboxes, areas, crowds = self._objects[self._rows[index]]
        return np.searchsorted(self.category_ids, categories).astype(np.int32), bboxes, areas, crowds

    def read_instances(self, index: int) -> Instances:
        """The objects of one image."""
        labels, bboxes, areas, crowds = self.read_boxes(index)
        try:
            decoded = self._record(index).masks(bboxes)
        except ValueError as error:
            raise DatasetError(f'The masks of {shortened(self.image_names[index])} in {self.path} '
                               f'cannot be used: {error}; create the files again.') from error
        return Instances(decoded, bboxes, labels, class_names=self.class_names, crowds=crowds,
                         areas=areas)

    def _record(self, index: int) -> '_Record':
        return _Record(read_record(*self._places[self._rows[index]]))

    def _name_classes(self, categories: Mapping[int, str]) -> None:
        self.categories = dict(sorted(categories.items()))
        self.category_ids, self.class_names = list(self.categories), tuple(self.categories.values())


def with_shared_categories(datasets: Sequence[Any]) -> list[Any]:
    """The data sets of a training, those of TFRecord files with the categories that occur in any of them.

    Each part of such a data set lists only what occurs in it. Names win over bare numbers, which stand for
    the names that files lack.

    Args:
        datasets: Data sets of any kind.

    Raises:
        chainer_seg.errors.DatasetError: Parts name a category differently.
    """
    records = [dataset for dataset in datasets if isinstance(dataset, TFRecordDataset)]
    categories: dict[int, str] = {}
    for dataset in records:
        for number, name in dataset.categories.items():
            known = categories.get(number, str(number))
            if str(number) not in (known, name) and known != name:
                raise DatasetError(f'{dataset.path} calls the category {number} {quoted(name)}, which is '
                                   f'{quoted(known)} in {records[0].path}; make both of the same categories.')
            categories[number] = name if known == str(number) else known
    return [dataset.with_categories(categories) if isinstance(dataset, TFRecordDataset) else dataset
            for dataset in datasets]


class _Record:
    """The features of one image and its objects.

    Raises:
        ValueError: The data are not an Example, or a required feature is missing.
    """

    def __init__(self, data: bytes) -> None:
        self._features = parse_example(data)
        self.size = self._side('image/height'), self._side('image/width')
        self.encoded = self._one('image/encoded', bytes)

    def text(self, name: str, otherwise: str) -> str:
        if not self._features.get(name):
            return otherwise
        return self._one(name, bytes).decode('utf-8', 'replace')

    def image_id(self, otherwise: int) -> int | str:
        """The id of the image in its COCO file, as a number if it is one."""
        text = self.text('image/source_id', '')
        return int(text) if text.isdecimal() and len(text) < _ID_DIGITS else text or otherwise

    def objects(self) -> _Objects:
        """Category ids (R,), bboxes (R, 4), areas (R,) and crowds (R,)."""
        categories = np.array(self._category_ids(), np.int64)
        count, (height, width) = len(categories), self.size
        relative = np.stack([self._list(side, count) for side in _SIDES], axis=1)
        if (np.abs(relative) > _FARTHEST).any():
            raise ValueError(f'it has boxes beyond {_FARTHEST} times the size of the image')
        bboxes = (relative * (height, width, height, width)).astype(np.float32).reshape(count, 4)
        areas = self._list('image/object/area', count, (bboxes[:, 2:] - bboxes[:, :2]).prod(axis=1))
        crowds = self._list('image/object/is_crowd', count, np.zeros(count))
        return categories, bboxes, areas.astype(np.float32), crowds != 0

    def categories(self) -> dict[int, str]:
        """The name of each category id that occurs."""
        ids, texts = self._category_ids(), self._either(_TEXTS)
        if not all(isinstance(text, bytes) for text in texts):
            raise ValueError('it has class names that are not text')
        names = [text.decode('utf-8', 'replace') for text in texts] or map(str, ids)
        return dict(zip(ids, names))

    def masks(self, bboxes: npt.NDArray[np.float32]) -> npt.NDArray[np.bool_] | RunLengthMasks:
        """(R, H, W) bool, or as runs; the pixels of the boxes if the record has no masks."""
        check_memory(len(bboxes), self.size)
        files = self._features.get(_MASKS, [])
        if not files:
            codes = [rle_of_box((left, top, right - left, bottom - top), self.size)
                     for top, left, bottom, right in bboxes.tolist()]
            return RunLengthMasks.from_rle(codes, self.size)
        if len(files) != len(bboxes):
            raise ValueError(f'there are {len(files)} for {len(bboxes)} objects')
        decoded = np.zeros((len(files), *self.size), bool)
        for mask, file in zip(decoded, files):
            mask[:] = self._mask_of(file)
        return decoded

    def _mask_of(self, file: bytes) -> npt.NDArray[np.bool_]:
        """The mask (H, W) bool of a PNG file in memory."""
        try:
            with open_image(io.BytesIO(file), 'of a mask') as opened:
                if opened.size[::-1] != self.size or len(opened.getbands()) != 1:
                    raise ValueError(f'one has {opened.height}x{opened.width} pixels of mode '
                                     f'{opened.mode} in an image of {self.size}')
                return np.asarray(opened) != 0
        except ImageError as error:
            raise ValueError('one is not a PNG file') from error

    def _one(self, name: str, kind: Any) -> Any:
        """The first value of a feature."""
        values = self._features.get(name)
        if not values or not isinstance(values[0], kind):
            raise ValueError(f'it has no {name}')
        return values[0]

    def _side(self, name: str) -> int:
        side = whole_number(self._one(name, (int, float)))
        if side is None or not 1 <= side <= MAX_SIDE:
            raise ValueError(f'its {name} must be from 1 to {MAX_SIDE}, got {quoted(side)}')
        return side

    def _category_ids(self) -> list[int]:
        ids = []
        for value in self._either(_LABELS):
            number = whole_number(value)
            if number is None:
                raise ValueError('it has labels that are not whole numbers')
            ids.append(number)
        return ids

    def _either(self, names: tuple[str, ...]) -> list[Any]:
        return next((self._features[name] for name in names if name in self._features), [])

    def _list(self, name: str, count: int, otherwise: npt.ArrayLike | None = None) -> npt.NDArray[np.float64]:
        """The ``count`` numbers of a feature as (count,) float64, all finite."""
        values = self._features.get(name, [])
        if not values and otherwise is not None:
            return np.asarray(otherwise, np.float64)
        if len(values) != count:
            raise ValueError(f'{name} has {len(values)} values for {count} objects')
        if not all(map(is_number, values)):
            raise ValueError(f'{name} has values that are not finite numbers')
        return np.array(values, np.float64)
