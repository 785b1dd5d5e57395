"""PASCAL VOC (Everingham et al., IJCV 2010) with its label images, and its augmented training set."""

import os
import pathlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from chainer_seg.datasets.base import ImageDataset
from chainer_seg.datasets.list_files import (
    IMAGE_ENDINGS, LABEL_ENDINGS, Line, ListedFiles, is_inside, missing_error, read_lines)
from chainer_seg.datasets.sbd import SbdMarks, marked_instances
from chainer_seg.errors import DatasetError
from chainer_seg.images import read_image_file
from chainer_seg.instances import Instances
from chainer_seg.label_images import (
    VOID_PIXEL, Guesses, LabelsAs, choose_labels_as, read_label_image)
from chainer_seg.published_classes import PASCAL_NAMES

_IMAGES, _OBJECTS = 'JPEGImages', 'SegmentationObject'
# The folders of class label images; VOC's own, the first, are more accurate.
_CLASS_FOLDERS = ('SegmentationClass', 'SegmentationClassAug')


class VocDataset(ImageDataset):
    """Images of VOC with the classes of their pixels and, if annotated, their objects.

    Args:
        list_file: A text file with the name of an image in each line, as in VOC's lists, or an image and
            its label image, as in those of DeepLab: ``/JPEGImages/x.jpg /SegmentationClassAug/x.png``.
            :mod:`chainer_seg.datasets.list_files` resolves names; the second column of VOC's class
            lists is ignored.
        folder: The folder that contains ``JPEGImages``, ``SegmentationClass`` and
            ``SegmentationObject``, such as VOCdevkit/VOC2012, or ``JPEGImages`` itself; by default it is
            found from the path of the list. Images without classes in ``SegmentationClass`` may have
            them in ``SegmentationClassAug``.
        sbd: A folder with ``inst`` and ``cls`` of the Semantic Boundaries Dataset, for the objects and
            classes of images that VOC has not annotated: the augmented set.
        class_names: The classes from 1 on, for other label images.
        skip_empty: Omit images without objects; reads all label images.
        labels_as: How label images encode labels; see
            :func:`chainer_seg.label_images.read_label_image`. 'auto' decides once for all, from a sample.
        allow_outside: Whether the list may name files outside its folder and ``folder``.

    Attributes:
        ids, image_names, category_ids, class_names: As in :class:`chainer_seg.datasets.SbdDataset`.

    Raises:
        chainer_seg.errors.DatasetError: The list or files that it names do not exist.
    """

    def __init__(self, list_file: str | os.PathLike, folder: str | os.PathLike | None = None, *,
                 sbd: str | os.PathLike | None = None, class_names: Sequence[str] = PASCAL_NAMES,
                 skip_empty: bool = False, labels_as: LabelsAs = 'auto', allow_outside: bool = False) -> None:
        self.path = pathlib.Path(list_file)
        self.folder = voc_folder(list_file, folder)
        self.class_names = tuple(class_names)
        self.category_ids = list(range(1, len(self.class_names) + 1))
        self._marks = None if sbd is None else SbdMarks(sbd)
        self._files = ListedFiles(self.path, self.folder, allow_outside)
        found = [self._find(line) for line in read_lines(self.path)]
        self._images, self._labels = [image for image, _ in found], [label for _, label in found]
        self.image_folder = self._folder_of_images()
        names = [pathlib.Path(os.path.relpath(path, self.image_folder)) for path in self._images]
        self._list([name.with_suffix('').as_posix() for name in names],
                   [name.as_posix() for name in names])
        self._check_files()
        self._files.report()
        self._guesses = Guesses()
        self._labels_as = self._objects_as = labels_as
        if labels_as == 'auto':
            self._labels_as = self._choose([path for path in self._labels if path is not None],
                                           len(self.class_names))
        if skip_empty:
            self.check_objects()
            self._keep_filled([len(self.read_instances(number)) > 0 for number in range(len(self))])

    def read_file(self, index: int) -> tuple[bytes, bool]:
        """The bytes of the image file, and False: it is not rotated."""
        return read_image_file(self._image_path(index))[0], False

    def image_size(self, index: int) -> tuple[int, int]:
        """(H, W) in pixels."""
        return read_image_file(self._image_path(index))[1]

    def read_classes(self, index: int) -> npt.NDArray[np.uint8]:
        """The class of each pixel, (H, W) uint8: 0 for the background, 255 for void."""
        path = self._labels[self._rows[index]]
        if path is None:
            name = self.ids[index]
            marks = self._known_marks()
            return self._fitting(marks.read_classes(name), marks.path('cls', name), index)
        classes = read_label_image(path, self._labels_as, len(self.class_names), self._guesses)
        classes = self._fitting(classes, path, index)
        largest = classes[classes != VOID_PIXEL].max(initial=0)
        if largest > len(self.class_names):
            raise DatasetError(f'The label image {path} has the label {largest}, but labels are from 0 '
                               f'to {len(self.class_names)}, or {VOID_PIXEL} for void; give the names of '
                               f'all classes with --class-names, or see --labels-as.')
        return classes

    def read_instances(self, index: int) -> Instances:
        """The objects of one image, without reading the image."""
        return marked_instances(*self._objects_of(index), self.class_names)

    def read_void(self, index: int) -> npt.NDArray[np.bool_]:
        """The void pixels, (H, W) bool: the borders of objects and difficult regions."""
        return self._objects_of(index)[0] == VOID_PIXEL

    def check_objects(self) -> None:
        """Checks that every image has a file of its objects.

        Raises:
            chainer_seg.errors.DatasetError: An image has none.
        """
        paths = [self._objects_path(number) for number in range(len(self))]
        self._refuse_missing(paths, 'whose objects', 'give the folder of SBD, too, or use a list of '
                             'images with annotated objects')
        if self._objects_as == 'auto':
            self._objects_as = self._choose([path for path in paths if path.suffix != '.mat'])

    def _choose(self, paths: list[pathlib.Path], largest: int = VOID_PIXEL - 1) -> LabelsAs:
        return choose_labels_as(paths, largest, self._guesses) if paths else 'auto'

    def _find(self, line: Line) -> tuple[pathlib.Path, pathlib.Path | None]:
        """The image of a line, and its label image; None if SBD has the classes."""
        pair = line.pair()
        if pair is not None:
            return (self._find_file(line, pair[0], ('', _IMAGES), IMAGE_ENDINGS),
                    self._find_file(line, pair[1], ('', *_CLASS_FOLDERS), LABEL_ENDINGS))
        for name in line.names():
            image = self._files.find(line, name, (_IMAGES, ''), IMAGE_ENDINGS)
            if image is not None:
                if name != line.text:
                    self._files.note(line, 'lines have further columns, which are not used')
                break
        else:
            image = self.folder / _IMAGES / (line.name.lstrip('/') + IMAGE_ENDINGS[0])
        folder = self.folder / _IMAGES
        inner = image.relative_to(folder) if is_inside(image, folder) else pathlib.Path(image.name)
        candidates = [self.folder / each / label for label in dict.fromkeys(
            (inner.with_suffix('.png'), pathlib.Path(inner.stem + '.png'))) for each in _CLASS_FOLDERS]
        found = [path for path in (self._files.files.find(each, LABEL_ENDINGS) for each in candidates)
                 if path is not None]
        if not found and self._marks is not None:
            return image, None
        return image, (found or candidates)[0]

    def _find_file(self, line: Line, name: str, folders: tuple[str, ...],
                   endings: tuple[str, ...]) -> pathlib.Path:
        found = self._files.find(line, name, folders, endings)
        return self.folder / name.lstrip('/') if found is None else found

    def _folder_of_images(self) -> pathlib.Path:
        """JPEGImages, or the folder that all images share."""
        folder = self.folder / _IMAGES
        if all(path.is_relative_to(folder) for path in self._images):
            return folder
        return pathlib.Path(os.path.commonpath([os.path.abspath(path.parent) for path in self._images]))

    def _check_files(self) -> None:
        labels = [path or self._known_marks().path('cls', name) for path, name in zip(self._labels, self.ids)]
        self._refuse_missing([path for pair in zip(self._images, labels) for path in pair],
                             'whose files', 'give the folder that contains JPEGImages, and use the names '
                             'of its files')

    def _refuse_missing(self, paths: list[pathlib.Path], what: str, remedy: str) -> None:
        missing = [path for path in paths if not self._files.files.has(path)]
        if missing:
            raise missing_error(self.path, missing, what, remedy)

    def _objects_path(self, index: int) -> pathlib.Path:
        path = self.folder / _OBJECTS / f'{self.ids[index]}.png'
        find = self._files.files.find
        found = find(path, LABEL_ENDINGS) or find(self.folder / _OBJECTS / path.name, LABEL_ENDINGS)
        if found is None and self._marks is not None:
            return self._marks.path('inst', self.ids[index])
        return found or path

    def _objects_of(self, index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
        """The number of the object at each pixel (H, W) from 1, and the category of each (R,)."""
        path = self._objects_path(index)
        if path.suffix == '.mat':
            owners, categories = self._known_marks().read_objects(self.ids[index])
            return self._fitting(owners, path, index), categories
        owners = read_label_image(path, self._objects_as, report=self._guesses)
        owners = self._fitting(owners, path, index)
        return owners, self._categories(owners, self.read_classes(index), path)

    def _categories(self, owners: npt.NDArray[np.uint8], classes: npt.NDArray[np.uint8],
                    path: pathlib.Path) -> npt.NDArray[np.int64]:
        """The most frequent category of the pixels of each object."""
        pairs = owners.astype(np.int64) * 256 + classes
        votes = np.bincount(pairs.ravel(), minlength=256 * 256).reshape(256, 256)
        objects = votes[1:1 + owners[owners != VOID_PIXEL].max(initial=0)]
        votes = objects[:, 1:1 + len(self.class_names)]
        lost = np.flatnonzero(objects.any(axis=1) & ~votes.any(axis=1))
        if len(lost):
            raise DatasetError(f'The object {lost[0] + 1} in {path} has no class in the label image of '
                               f'classes; download both again.')
        return votes.argmax(axis=1) + 1

    def _fitting(self, labels: npt.NDArray[np.uint8], path: pathlib.Path,
                 index: int) -> npt.NDArray[np.uint8]:
        """The labels (H, W) themselves, after a check that they have the size of their image."""
        size = self.image_size(index)
        if labels.shape != size:
            raise DatasetError(
                f'{path} has labels for {labels.shape[0]}x{labels.shape[1]} pixels, but its image '
                f'{self._image_path(index)} has {size[0]}x{size[1]}; download both again, or create '
                f'labels for each pixel.')
        return labels

    def _known_marks(self) -> SbdMarks:
        if self._marks is None:
            raise DatasetError(f'{self.path} names images that VOC has not annotated; give the folder '
                               f'of SBD.')
        return self._marks

    def _image_path(self, index: int) -> pathlib.Path:
        return self._images[self._rows[index]]


def voc_folder(list_file: str | os.PathLike, folder: str | os.PathLike | None = None
               ) -> pathlib.Path:
    """The folder of VOC that a list belongs to: the given one, or found from the path of the list."""
    list_file = pathlib.Path(list_file)
    if folder is not None:
        folder = pathlib.Path(folder)
        return folder.parent if folder.name == 'JPEGImages' else folder
    # VOC's own lists are in ImageSets/Segmentation.
    candidates = [parent for parent in list_file.parents[:3] if (parent / 'JPEGImages').is_dir()]
    return (candidates or [list_file.parent])[0]


def is_voc(list_file: str | os.PathLike, folder: str | os.PathLike | None = None) -> bool:
    """Whether a list of images belongs to VOC and not to SBD."""
    return ((voc_folder(list_file, folder) / _IMAGES).is_dir()
            or read_lines(pathlib.Path(list_file))[0].pair() is not None)
