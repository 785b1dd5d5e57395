"""The contract of all data sets, and what those made of image files have in common."""

import abc
import copy
import functools
import io
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from PIL import Image

from chainer_seg.errors import DatasetError
from chainer_seg.images import decode_image
from chainer_seg.instances import Instances

Example = tuple[npt.NDArray[np.uint8], Instances]
# labels (R,) int32, bboxes (R, 4) float32, areas (R,) float32 and crowds (R,) bool.
Boxes = tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], npt.NDArray[np.float32],
              npt.NDArray[np.bool_]]
# Wraps an iteration, as tqdm does.
Progress = Callable[[Iterable], Iterable]


class _default(functools.cached_property):
    """An attribute that is computed at each access unless it is set."""

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        return self if instance is None else self.func(instance)


class Dataset(abc.ABC):
    """Images with their objects: ``dataset[i] -> (image, Instances)``.

    A subclass has ``class_names``, ``__len__`` and ``__getitem__``. All other methods are based on
    these and are overridden where a data set provides more, or does so without decoding the image.

    Attributes:
        class_names (tuple of str): The name of each label.
        has_files (bool): Whether images come from files, so that :meth:`read_file` returns the file
            itself, and objects can be read without computing an image.
        path (pathlib.Path): The annotations; None without files.
        image_folder (pathlib.Path): The folder of the image files; None without a folder.
        keypoint_names (tuple of str): The name of each keypoint; empty without keypoints.
        skeleton (tuple): Pairs of keypoints (numbers from 0) that are connected by a line.
        ids (sequence): The id of each image; numbers from 0 by default.
        category_ids (list of int): The category id of each label; numbers from 1 by default.
    """

    class_names: tuple[str, ...]
    has_files: bool = False
    path: pathlib.Path | None = None
    image_folder: pathlib.Path | None = None
    keypoint_names: Sequence[str] = ()
    skeleton: Sequence[tuple[int, int]] = ()

    @abc.abstractmethod
    def __len__(self) -> int:
        """The number of images."""

    @abc.abstractmethod
    def __getitem__(self, index: int) -> Example:
        """One image (H, W, 3) uint8 RGB and its :class:`chainer_seg.Instances`.

        Raises:
            IndexError: If index is out of range.
            chainer_seg.errors.ImageError: If the image cannot be read.
            chainer_seg.errors.DatasetError: If its objects cannot be read.
        """

    @_default
    def ids(self) -> Sequence[Any]:
        return range(len(self))

    @_default
    def category_ids(self) -> list[Any]:
        return list(range(1, len(self.class_names) + 1))

    @property
    def annotations(self) -> Sequence[Sequence[Mapping[str, Any]]] | None:
        """The COCO annotations of each image; None for data sets of other formats."""
        return None

    def file_name(self, index: int) -> str:
        """The name of an image file; a name made from the number if there is no file."""
        return f'{range(len(self))[index]:06d}.png'

    def image_size(self, index: int) -> tuple[int, int]:
        """(H, W) in pixels, without decoding the image where possible."""
        return self.read_instances(index).image_size

    def read_image(self, index: int) -> npt.NDArray[np.uint8]:
        """The image alone, (H, W, 3) uint8 RGB; raises as ``dataset[index]`` does."""
        return self[index][0]

    def read_file(self, index: int) -> tuple[bytes, bool]:
        """The bytes of an image file, and whether to rotate the image by its EXIF orientation.

        An image that does not come from a file is encoded as PNG.
        """
        return encode_png(self.read_image(index)), False

    def read_instances(self, index: int) -> Instances:
        """The objects of one image, without decoding the image where possible."""
        return self[index][1]

    def read_boxes(self, index: int) -> Boxes:
        """labels (R,), bboxes (R, 4), areas (R,) and crowds (R,) of one image.

        The areas are in pixels: as annotated if known, otherwise those of the masks.
        """
        instances = self.read_instances(index)
        areas = np.asarray(instances.pixel_areas, np.float32)
        return instances.labels, instances.bboxes, areas, instances.crowds

    def read_classes(self, index: int) -> npt.NDArray[np.uint8] | None:
        """The class of each pixel if the data set annotates pixels, otherwise None.

        (H, W) uint8: 0 is the background, 255 void, and label + 1 a class.
        """
        return None

    def read_void(self, index: int) -> npt.NDArray[np.bool_] | None:
        """The pixels that evaluation ignores; None if it ignores none.

        (H, W) bool for all objects of the image, or (R, H, W) bool for each of them.
        """
        return None

    def part(self, numbers: Iterable[int]) -> 'Dataset':
        """A data set of only the images with these numbers, in this order."""
        return _Part(self, list(numbers))


class ExampleList(Dataset):
    """A data set of examples in memory.

    Args:
        examples: A sequence of (image, Instances).
        class_names: The name of each label.
    """

    def __init__(self, examples: Any, class_names: Iterable[str] = ()) -> None:
        self._examples, self.class_names = examples, tuple(class_names)

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> Example:
        return self._examples[index]


def as_dataset(examples: Any) -> Dataset:
    """A :class:`Dataset` itself, or any other sequence of (image, Instances) wrapped as one.

    Sequences of users may have ``class_names``; this is the only place that checks it.
    """
    if isinstance(examples, Dataset):
        return examples
    return ExampleList(examples, getattr(examples, 'class_names', ()))


class _Part(Dataset):
    """Some images of a data set without files."""

    def __init__(self, whole: Dataset, numbers: list[int]) -> None:
        self._whole, self._numbers = whole, numbers
        self.class_names, self.category_ids = whole.class_names, whole.category_ids
        self.keypoint_names, self.skeleton = whole.keypoint_names, whole.skeleton
        self.ids = [whole.ids[number] for number in numbers]

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: int) -> Example:
        return self._whole[self._numbers[index]]

    def file_name(self, index: int) -> str:
        return self._whole.file_name(self._numbers[index])

    def image_size(self, index: int) -> tuple[int, int]:
        return self._whole.image_size(self._numbers[index])


class ImageDataset(Dataset):
    """A data set of image files and their objects; each subclass reads one format.

    A subclass calls :meth:`_list` once and implements ``read_file``, ``read_instances`` and
    ``image_size``, in which ``self._rows[index]`` is the number of the image in the files.

    Attributes:
        path (pathlib.Path): The annotations.
        ids (list): The id of each image.
        image_names (list of str): The name of each image file.
        category_ids (list of int): The category id of each label.
        class_names (tuple of str): The name of each label.
    """

    has_files = True
    path: pathlib.Path
    image_names: list[str]

    def _list(self, ids: Iterable[Any], image_names: Iterable[str]) -> None:
        self.ids, self.image_names = list(ids), list(image_names)
        self._rows = np.arange(len(self.ids))

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Example:
        """One image (H, W, 3) uint8 RGB and its :class:`chainer_seg.Instances`."""
        return self.read_image(index), self.read_instances(index)

    @abc.abstractmethod
    def read_file(self, index: int) -> tuple[bytes, bool]:
        """The bytes of the image file, and whether to rotate the image by its EXIF orientation."""

    @abc.abstractmethod
    def read_instances(self, index: int) -> Instances:
        """The objects of one image, without decoding the image."""

    @abc.abstractmethod
    def image_size(self, index: int) -> tuple[int, int]:
        """(H, W) in pixels, without decoding the image."""

    def file_name(self, index: int) -> str:
        """The name of the image file."""
        return self.image_names[index]

    def read_image(self, index: int) -> npt.NDArray[np.uint8]:
        """The image alone, (H, W, 3) uint8 RGB; raises as ``dataset[index]`` does."""
        data, rotate = self.read_file(index)
        return decode_image(data, self.image_names[index], rotate=rotate)

    def part(self, numbers: Iterable[int]) -> Self:
        """A data set of only the images with these numbers, in this order."""
        part = copy.copy(self)
        part._keep(list(numbers))
        return part

    def _keep(self, numbers: list[int]) -> None:
        self._rows = self._rows[np.asarray(numbers, np.int64)]
        self.ids = [self.ids[number] for number in numbers]
        self.image_names = [self.image_names[number] for number in numbers]

    def _keep_filled(self, filled: npt.ArrayLike) -> None:
        """Keeps the images for which ``filled`` (len,) bool is true.

        Raises:
            chainer_seg.errors.DatasetError: There are none.
        """
        if not np.any(filled):
            raise DatasetError(f'The data set {self.path} has no images with objects (crowds do not '
                               f'count); annotate objects, or do not skip empty images.')
        self._keep(np.flatnonzero(filled).tolist())


def encode_png(image: npt.NDArray[np.uint8]) -> bytes:
    """The bytes of a PNG file of an image (H, W, 3) uint8."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, 'PNG', compress_level=1)
    return file.getvalue()
