"""PASCAL VOC (Everingham et al., IJCV 2010) from its label images, and its augmented training set."""

import pathlib

import numpy as np

from chainer_seg.datasets.base import ImageDataset
from chainer_seg.datasets.sbd import PASCAL_NAMES, SbdMarks, marked_instances, read_list
from chainer_seg.errors import DatasetError
from chainer_seg.images import read_image_file
from chainer_seg.label_images import VOID, read_label_image

# Where the classes of an image may be given; where both do, VOC's own are the more exact.
_CLASS_FOLDERS = ('SegmentationClass', 'SegmentationClassAug')


class VocDataset(ImageDataset):
    """Images of VOC with the classes of their pixels and, where these are marked, their objects.

    Args:
        list_file: A text file: in each line the name of an image, as in VOC's lists, or an image and
            its label image, as in those of DeepLab: ``/JPEGImages/x.jpg /SegmentationClassAug/x.png``.
        folder: With the folders ``JPEGImages``, ``SegmentationClass`` and ``SegmentationObject``, such
            as VOCdevkit/VOC2012, or ``JPEGImages`` in it; if left out it is found from the list's own
            place. Images without classes in ``SegmentationClass`` may have them in
            ``SegmentationClassAug``.
        sbd: A folder with ``inst`` and ``cls`` of the Semantic Boundaries Dataset, which has the
            objects and classes of images that VOC has not marked: the augmented set.
        class_names: Of the classes from 1 on, for label images of one's own.
        skip_empty (bool): Leave out images without an object; reads all label images.

    Attributes:
        ids, image_names, category_ids, class_names: As those of
            :class:`chainer_seg.datasets.SbdDataset`.

    Raises:
        chainer_seg.errors.DatasetError: The list or files that it names are missing.
    """

    def __init__(self, list_file, folder=None, *, sbd=None, class_names=PASCAL_NAMES,
                 skip_empty=False):
        self.path = pathlib.Path(list_file)
        self.folder = voc_folder(list_file, folder)
        self.class_names = tuple(class_names)
        self.category_ids = list(range(1, len(self.class_names) + 1))
        self._marks = None if sbd is None else SbdMarks(sbd)
        entries = [self._find(words) for words in read_list(self.path)]
        self._pictures, self._labels = zip(*entries)
        self.image_folder = self._pictures[0].parent
        self._list([picture.stem for picture in self._pictures],
                   [picture.name for picture in self._pictures])
        self._check_files()
        if skip_empty:
            self.check_objects()
            self._keep_filled([len(self.read_instances(number)) > 0 for number in range(len(self))])

    def read_file(self, index):
        """The bytes of the image file, and False: it is not turned."""
        return read_image_file(self._picture(index))[0], False

    def image_size(self, index):
        """(H, W) in pixels."""
        return read_image_file(self._picture(index))[1]

    def read_classes(self, index):
        """The category of each pixel, (H, W) uint8: 0 for the background, 255 where none is given."""
        path = self._labels[self._rows[index]]
        if path is None:
            name = self.ids[index]
            return self._fitting(self._marks.read_classes(name), self._marks.path('cls', name), index)
        classes = self._fitting(read_label_image(path), path, index)
        largest = classes[classes != VOID].max(initial=0)
        if largest > len(self.class_names):
            raise DatasetError(f'The label image {path} has the label {largest}, but labels are from 0 '
                               f'to {len(self.class_names)}, and {VOID} where none is given; check the '
                               f'classes.')
        return classes

    def read_instances(self, index):
        """The objects of one image, without reading the image."""
        return marked_instances(*self._objects_of(index), self.class_names)

    def read_void(self, index):
        """The pixels that are not counted, (H, W) bool: the rims of objects and what is difficult."""
        return self._objects_of(index)[0] == VOID

    def check_objects(self):
        """Makes sure that every image has a file of its objects.

        Raises:
            chainer_seg.errors.DatasetError: One has not.
        """
        self._refuse_missing([self._objects_path(number) for number in range(len(self))],
                             'whose objects are', 'give the folder of SBD, too, or take a list of '
                             'images whose objects are marked')

    def _find(self, words):
        """The picture of a line, and its label image; None where SBD has the classes."""
        if _is_pair(words):
            picture, labels = (self.folder / word.lstrip('/') for word in words[:2])
            return picture, labels
        picture = self.folder / 'JPEGImages' / f'{words[0]}.jpg'
        candidates = [self.folder / name / f'{words[0]}.png' for name in _CLASS_FOLDERS]
        found = [path for path in candidates if path.is_file()]
        if not found and self._marks is not None:
            return picture, None
        return picture, (found or candidates)[0]

    def _check_files(self):
        labels = [path or self._marks.path('cls', name) for path, name in zip(self._labels, self.ids)]
        self._refuse_missing([path for pair in zip(self._pictures, labels) for path in pair],
                             'whose files are', 'name the folder that has JPEGImages in it')

    def _refuse_missing(self, paths, what, remedy):
        missing = [path for path in paths if not path.is_file()]
        if missing:
            others = f' and {len(missing) - 1} others' if len(missing) > 1 else ''
            raise DatasetError(f'{self.path} names images {what} not there: {missing[0]}{others}; '
                               f'{remedy}.')

    def _objects_path(self, index):
        path = self.folder / 'SegmentationObject' / f'{self.ids[index]}.png'
        if self._marks is not None and not path.is_file():
            return self._marks.path('inst', self.ids[index])
        return path

    def _objects_of(self, index):
        """The number of the object at each pixel (H, W) from 1, and the category of each (R,)."""
        path = self._objects_path(index)
        if path.suffix == '.mat':
            owners, categories = self._marks.read_objects(self.ids[index])
            return self._fitting(owners, path, index), categories
        owners = self._fitting(read_label_image(path), path, index)
        return owners, self._categories(owners, self.read_classes(index), path)

    def _categories(self, owners, classes, path):
        """The category that most pixels of each object have."""
        pairs = owners.astype(np.int64) * 256 + classes
        votes = np.bincount(pairs.ravel(), minlength=256 * 256).reshape(256, 256)
        objects = votes[1:1 + owners[owners != VOID].max(initial=0)]
        votes = objects[:, 1:1 + len(self.class_names)]
        lost = np.flatnonzero(objects.any(axis=1) & ~votes.any(axis=1))
        if len(lost):
            raise DatasetError(f'The object {lost[0] + 1} in {path} has no class in the label image of '
                               f'classes; fetch both again.')
        return votes.argmax(axis=1) + 1

    def _fitting(self, labels, path, index):
        """The labels (H, W), if they have the size of their picture."""
        picture, size = self._picture(index), self.image_size(index)
        if labels.shape != size:
            raise DatasetError(
                f'{path} has labels for {labels.shape[0]}x{labels.shape[1]} pixels, but its picture '
                f'{picture} has {size[0]}x{size[1]}; fetch both again, or make labels for each pixel.')
        return labels

    def _picture(self, index):
        return self._pictures[self._rows[index]]


def voc_folder(list_file, folder=None):
    """The folder of VOC that a list belongs to: as given, or from where the list lies."""
    list_file = pathlib.Path(list_file)
    if folder is not None:
        folder = pathlib.Path(folder)
        return folder.parent if folder.name == 'JPEGImages' else folder
    # VOC's own lists lie in ImageSets/Segmentation.
    candidates = [parent for parent in list_file.parents[:3] if (parent / 'JPEGImages').is_dir()]
    return (candidates or [list_file.parent])[0]


def is_voc(list_file, folder=None):
    """Whether a list of images is one of VOC rather than of SBD."""
    return ((voc_folder(list_file, folder) / 'JPEGImages').is_dir()
            or _is_pair(read_list(pathlib.Path(list_file))[0]))


def _is_pair(words):
    """Whether a line names the files of an image and its labels."""
    return len(words) > 1 and pathlib.PurePath(words[1]).suffix == '.png'
