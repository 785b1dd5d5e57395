"""What the readers of image data sets share: examples by number, and parts."""

import copy

import numpy as np

from chainer_seg.errors import DatasetError
from chainer_seg.images import decode_image


class ImageDataset:
    """A data set of image files and their objects; subclasses read one kind of files.

    A subclass calls :meth:`_list` once, and gives ``read_file``, ``read_instances`` and
    ``image_size``; there, ``self._rows[index]`` is the number of the picture in the files.

    Attributes:
        ids (list): The id of each image.
        image_names (list of str): The name of each image file.
        category_ids (list of int): The category id of each label.
        class_names (tuple of str): The name of each label.
    """

    def _list(self, ids, image_names):
        self.ids, self.image_names = list(ids), list(image_names)
        self._rows = np.arange(len(self.ids))

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, index):
        """One image (H, W, 3) uint8 RGB and its :class:`chainer_seg.Instances`.

        Raises:
            IndexError: If index is out of range.
            chainer_seg.errors.ImageError: If the image cannot be read.
            chainer_seg.errors.DatasetError: If its objects cannot be read.
        """
        return self.read_image(index), self.read_instances(index)

    def read_image(self, index):
        """The image alone, (H, W, 3) uint8 RGB; raises as ``dataset[index]`` does."""
        data, rotate = self.read_file(index)
        return decode_image(data, self.image_names[index], rotate=rotate)

    def part(self, numbers):
        """The same data set with only the images of these numbers, in this order."""
        part = copy.copy(self)
        part._keep(numbers)
        return part

    def _keep(self, numbers):
        self._rows = self._rows[np.asarray(numbers, np.int64)]
        self.ids = [self.ids[number] for number in numbers]
        self.image_names = [self.image_names[number] for number in numbers]

    def _keep_filled(self, filled):
        """Keeps the images for which ``filled`` (len,) bool holds.

        Raises:
            chainer_seg.errors.DatasetError: There is none.
        """
        if not np.any(filled):
            raise DatasetError(f'The data set {self.path} has no images with objects; crowds do not '
                               f'count.')
        self._keep(np.flatnonzero(filled).tolist())
