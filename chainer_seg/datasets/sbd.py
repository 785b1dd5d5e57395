"""The Semantic Boundaries Dataset (Hariharan et al., ICCV 2011) from its public MATLAB files."""

import pathlib
import struct
import zlib

import numpy as np
import scipy.io
from scipy.io.matlab import MatReadError

from chainer_seg.datasets.base import ImageDataset
from chainer_seg.errors import DatasetError
from chainer_seg.images import read_image_file
from chainer_seg.instances import Instances

PASCAL_NAMES = (
    'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow',
    'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa', 'train',
    'tvmonitor')

_VOID = 255
# What SciPy raises where a file is damaged, cut short, or of MATLAB's later format, which is HDF5.
_FAULTS = (MatReadError, ValueError, TypeError, KeyError, IndexError, OSError, EOFError,
           NotImplementedError, OverflowError, MemoryError, struct.error, zlib.error)


class SbdDataset(ImageDataset):
    """Images with the objects of Pascal's 20 classes, as SBD marks them.

    Args:
        list_file: A text file with the name of an image in each line, as SBD's train.txt and val.txt
            or one of VOC 2012's lists of images that SBD has marked.
        folder: With the folders ``img`` (NAME.jpg), ``inst`` and ``cls`` (NAME.mat); that of the
            list if left out.
        skip_empty (bool): Leave out images without an object; reads all files of objects.

    Attributes:
        ids (list of str): The name of each image.
        image_names (list of str): The file name of each image in ``img``.
        category_ids (list of int): 1 to 20.
        class_names (tuple of str): :data:`PASCAL_NAMES`.

    Raises:
        chainer_seg.errors.DatasetError: The list or files that it names are missing.
    """

    class_names = PASCAL_NAMES

    def __init__(self, list_file, folder=None, *, skip_empty=False):
        self.path = pathlib.Path(list_file)
        self.folder = self.path.parent if folder is None else pathlib.Path(folder)
        self.category_ids = list(range(1, len(PASCAL_NAMES) + 1))
        names = _read_list(self.path)
        self._list(names, [f'{name}.jpg' for name in names])
        self._check_files()
        if skip_empty:
            self._keep_filled([len(self._objects_of(number)[1]) > 0 for number in range(len(self))])

    def read_file(self, index):
        """The bytes of the image file, and False: it is not turned."""
        path = self._image_path(index)
        data, stored, _ = read_image_file(path)
        size = self._objects_of(index)[0].shape
        if stored != size:
            raise DatasetError(f'The image {path} has {stored[0]}x{stored[1]} pixels, but its objects '
                               f'are marked on {size[0]}x{size[1]}; fetch both again.')
        return data, False

    def image_size(self, index):
        """(H, W) in pixels."""
        return read_image_file(self._image_path(index))[1]

    def read_instances(self, index):
        """The objects of one image, without reading the image."""
        owners, categories = self._objects_of(index)
        numbers = np.arange(1, len(categories) + 1)
        # Where objects hide others entirely, numbers are left without a pixel.
        seen = np.isin(numbers, owners) & (numbers != _VOID)
        return Instances(owners == numbers[seen][:, None, None], labels=categories[seen] - 1,
                         class_names=self.class_names)

    def read_classes(self, index):
        """The category of each pixel, (H, W) uint8: 0 for the background, 255 where none is given."""
        return self._read_mat('cls', 'GTcls', index)['Segmentation'].astype(np.uint8)

    def _objects_of(self, index):
        """The number of the object at each pixel (H, W) from 1, and the category of each (R,)."""
        entry = self._read_mat('inst', 'GTinst', index)
        owners, categories = entry['Segmentation'], entry['Categories'].ravel().astype(np.int64)
        if owners.ndim != 2 or not np.isin(categories, self.category_ids).all():
            raise self._fault('inst', index, 'its objects have no category from 1 to 20')
        if owners[owners != _VOID].max(initial=0) > len(categories):
            raise self._fault('inst', index, 'an object in it has no category')
        return owners, categories

    def _read_mat(self, kind, name, index):
        """The structure of a MATLAB file, with its fields."""
        try:
            entry = scipy.io.loadmat(self._mat_path(kind, index), variable_names=[name])[name][0, 0]
            entry['Segmentation']  # noqa: B018  another file would fail later, and elsewhere
            return entry
        except _FAULTS as error:
            raise self._fault(kind, index, f'it cannot be read ({type(error).__name__})') from error

    def _fault(self, kind, index, reason):
        return DatasetError(f'The file {self._mat_path(kind, index)} is no file of SBD, or is damaged: '
                            f'{reason}; fetch it again.')

    def _image_path(self, index):
        return self.folder / 'img' / self.image_names[index]

    def _mat_path(self, kind, index):
        return self.folder / kind / f'{self.ids[index]}.mat'

    def _check_files(self):
        missing = [path for number in range(len(self))
                   for path in (self._image_path(number), self._mat_path('inst', number))
                   if not path.is_file()]
        if missing:
            others = f' and {len(missing) - 1} others' if len(missing) > 1 else ''
            raise DatasetError(f'{self.path} names images whose files are not there: {missing[0]}'
                               f'{others}; name the folder that has img and inst in it.')


def _read_list(path):
    """The first word of each line of a text file."""
    try:
        names = [line.split()[0] for line in path.read_text(encoding='utf-8').splitlines()
                 if line.strip()]
    except OSError as error:
        raise DatasetError(f'The list of images {path} cannot be read: {error.strerror}.') from error
    except UnicodeDecodeError as error:
        raise DatasetError(f'{path} is no list of images but binary data.') from error
    if not names:
        raise DatasetError(f'The list of images {path} is empty.')
    return names
