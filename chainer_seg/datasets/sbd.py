"""The Semantic Boundaries Dataset (Hariharan et al., ICCV 2011) from its public MATLAB files."""

import os
import pathlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from chainer_seg.datasets.base import ImageDataset
from chainer_seg.datasets.list_files import (
    IMAGE_ENDINGS, Line, ListedFiles, is_inside, missing_error, read_lines)
from chainer_seg.datasets.mat_files import MatFileError, read_struct
from chainer_seg.errors import DatasetError
from chainer_seg.images import read_image_file
from chainer_seg.instances import Instances
from chainer_seg.label_images import VOID_PIXEL
from chainer_seg.published_classes import PASCAL_NAMES


class SbdDataset(ImageDataset):
    """Images with the objects of Pascal's 20 classes, annotated by SBD.

    Args:
        list_file: A text file with the name of an image in each line: SBD's train.txt and val.txt, or a
            list of VOC 2012 whose images SBD has annotated.
        folder: The folder that contains ``img`` (NAME.jpg), ``inst`` and ``cls`` (NAME.mat); that of
            the list if omitted.
        skip_empty: Omit images without objects; reads all files of objects.
        allow_outside: Whether the list may name images outside its folder and ``folder``.

    Attributes:
        ids (list of str): The name of each image.
        image_names (list of str): The file name of each image in ``img``.
        image_folder (pathlib.Path): The folder ``img``.
        category_ids (list of int): 1 to 20.
        class_names (tuple of str): :data:`PASCAL_NAMES`.

    Raises:
        chainer_seg.errors.DatasetError: The list or files that it names do not exist.
    """

    class_names = PASCAL_NAMES
    image_folder: pathlib.Path

    def __init__(self, list_file: str | os.PathLike, folder: str | os.PathLike | None = None, *,
                 skip_empty: bool = False, allow_outside: bool = False) -> None:
        self.path = pathlib.Path(list_file)
        self.folder = self.path.parent if folder is None else pathlib.Path(folder)
        self.image_folder = self.folder / 'img'
        self.category_ids = list(range(1, len(PASCAL_NAMES) + 1))
        self._marks = SbdMarks(self.folder)
        self._files = ListedFiles(self.path, self.folder, allow_outside)
        self._images = [self._find(line) for line in read_lines(self.path)]
        names = [path.relative_to(self.image_folder) if is_inside(path, self.image_folder)
                 else pathlib.Path(path.name) for path in self._images]
        self._list([name.with_suffix('').as_posix() for name in names],
                   [name.as_posix() for name in names])
        self._check_files()
        self._files.report()
        if skip_empty:
            self._keep_filled([len(self._objects_of(number)[1]) > 0 for number in range(len(self))])

    def read_file(self, index: int) -> tuple[bytes, bool]:
        """The bytes of the image file, and False: it is not rotated."""
        path = self._image_path(index)
        data, stored, _ = read_image_file(path)
        size = self._objects_of(index)[0].shape
        if stored != size:
            raise DatasetError(f'The image {path} has {stored[0]}x{stored[1]} pixels, but its objects '
                               f'have {size[0]}x{size[1]}; download both again.')
        return data, False

    def image_size(self, index: int) -> tuple[int, int]:
        """(H, W) in pixels."""
        return read_image_file(self._image_path(index))[1]

    def read_instances(self, index: int) -> Instances:
        """The objects of one image, without reading the image."""
        return marked_instances(*self._objects_of(index), self.class_names)

    def read_classes(self, index: int) -> npt.NDArray[np.uint8]:
        """The class of each pixel, (H, W) uint8: 0 for the background, 255 for void."""
        return self._marks.read_classes(self.ids[index])

    def _objects_of(self, index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        return self._marks.read_objects(self.ids[index])

    def _image_path(self, index: int) -> pathlib.Path:
        return self._images[self._rows[index]]

    def _find(self, line: Line) -> pathlib.Path:
        """The image of a line."""
        for name in line.names():
            path = name.removesuffix('.mat')
            found = self._files.find(line, path, ('img', ''), IMAGE_ENDINGS)
            if found is not None:
                if name != line.text:
                    self._files.note(line, 'lines have further columns, which are not used')
                return found
        return self.image_folder / f'{line.name.lstrip("/")}{IMAGE_ENDINGS[0]}'

    def _check_files(self) -> None:
        missing = [path for number in range(len(self))
                   for path in (self._image_path(number), self._marks.path('inst', self.ids[number]))
                   if not self._files.files.has(path)]
        if missing:
            raise missing_error(self.path, missing, 'whose files', 'give the folder that contains img '
                                'and inst, and use the names of its files')


class SbdMarks:
    """The MATLAB files with SBD's annotations, by the names of the images.

    Args:
        folder: The folder that contains ``inst`` and ``cls``.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = pathlib.Path(folder)

    def path(self, kind: str, name: str) -> pathlib.Path:
        """The file of an image; the kind is 'inst' or 'cls'."""
        return self.folder / kind / f'{name}.mat'

    def read_objects(self, name: str) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """The number of the object at each pixel (H, W) from 1, and the category of each (R,)."""
        entry = self._read('inst', 'GTinst', name, 'Categories')
        owners, categories = entry['Segmentation'], entry['Categories'].ravel()
        if ((categories < 1) | (categories > len(PASCAL_NAMES))).any():
            raise self._fault('inst', name, 'its categories must be from 1 to 20')
        if len(categories) > VOID_PIXEL or owners[owners != VOID_PIXEL].max(initial=0) > len(categories):
            raise self._fault('inst', name, 'it has objects without a category')
        return owners, categories.astype(np.int64)

    def read_classes(self, name: str) -> npt.NDArray[np.uint8]:
        """The category of each pixel, (H, W) uint8; 255 is void."""
        classes = self._read('cls', 'GTcls', name)['Segmentation']
        if classes[classes != VOID_PIXEL].max(initial=0) > len(PASCAL_NAMES):
            raise self._fault('cls', name, 'its pixels must have categories from 0 to 20, or 255')
        return classes

    def _read(self, kind: str, variable: str, name: str, *more: str) -> dict[str, npt.NDArray[np.uint8]]:
        """The fields of a MATLAB file, uint8: Segmentation (H, W) and ``more``."""
        path = self.path(kind, name)
        try:
            entry = read_struct(path, variable, ('Segmentation', *more))
        except FileNotFoundError as error:
            raise DatasetError(f'There is no file {path}; download it again.') from error
        except (OSError, MatFileError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise self._fault(kind, name, f'it cannot be read ({reason})') from error
        for field, values in entry.items():
            if not np.isin(values, np.arange(256)).all():
                raise self._fault(kind, name, f'its {field} must contain integers from 0 to 255')
            entry[field] = values.astype(np.uint8)
        if entry['Segmentation'].ndim != 2 or not entry['Segmentation'].size:
            raise self._fault(kind, name, 'its Segmentation must have one number per pixel')
        return entry

    def _fault(self, kind: str, name: str, reason: str) -> DatasetError:
        return DatasetError(f'The file {self.path(kind, name)} is not a file of SBD, or is damaged: '
                            f'{reason}; download it again.')


def marked_instances(owners: npt.NDArray[np.uint8], categories: npt.NDArray[np.int64],
                     class_names: Sequence[str]) -> Instances:
    """The objects of an image.

    Args:
        owners: (H, W), the number of the object at each pixel from 1; 0 is background, 255 void.
        categories: (R,), the category of each object from 1.
        class_names: The names of the categories.
    """
    numbers = np.arange(1, len(categories) + 1)
    # An object that others cover entirely has no pixel.
    seen = np.isin(numbers, owners) & (numbers != VOID_PIXEL)
    return Instances(owners == numbers[seen][:, None, None], labels=categories[seen] - 1,
                     class_names=class_names)
