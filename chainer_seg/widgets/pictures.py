"""The images that are clicked on, each with its session, and the objects found so far as a data set."""

import collections.abc
import dataclasses
import pathlib

import numpy as np

from chainer_seg.datasets.base import as_dataset
from chainer_seg.errors import UserError
from chainer_seg.images import as_image, decode_image, find_images
from chainer_seg.instances import Instances


class Picture:
    """An image that is read when it is first looked at.

    Args:
        name: What the user calls it.
        read: ``read() -> (image, Instances)``; the instances are objects that are finished already.
        labelled: Whether there may be such objects.

    Attributes:
        session: The clicks on it; None until it is opened.
    """

    def __init__(self, name, read, labelled=False):
        self.name = name
        self.session = None
        self.labelled = labelled
        self._read = read

    def open(self, model):
        """The :class:`chainer_seg.models.deeplab.ClickSession` of this image.

        Raises:
            chainer_seg.errors.ImageError: The image cannot be read.
        """
        if self.session is None:
            image, instances = self._read()
            session = model.session(image)
            for number in np.flatnonzero(instances.masks.any(axis=(1, 2))):
                session.start_from(instances.masks[number])
                session.finish(instances.name(number))
            self.session = session
        return self.session

    def labels(self):
        """The image and its finished objects."""
        if self.session is None:
            return self._read()
        return self.session.image, self.session.instances()


class Labels:
    """The finished objects of several pictures as a data set, to train on or to write.

    ``labels[i]`` gives an image (H, W, 3) uint8 and its :class:`chainer_seg.Instances`.

    Attributes:
        class_names: The names of all objects, a tuple.
        image_names: The name of each picture.
    """

    def __init__(self, pictures, class_names=()):
        found = [(picture, picture.labels()[1]) for picture in pictures
                 if picture.labelled or picture.session is not None]
        self._pictures = [picture for picture, instances in found if len(instances)]
        names = [instances.name(number) for _, instances in found for number in range(len(instances))]
        self.class_names = tuple(dict.fromkeys([*class_names, *names]))
        self.image_names = [picture.name for picture in self._pictures]

    def __len__(self):
        return len(self._pictures)

    def __getitem__(self, index):
        image, instances = self._pictures[index].labels()
        labels = [self.class_names.index(instances.name(number)) for number in range(len(instances))]
        return image, dataclasses.replace(instances, labels=labels, class_names=self.class_names)


def list_pictures(images):
    """The :class:`Picture` list of whatever a user gives.

    Args:
        images: One image or several, each the bytes of a picture file or anything that
            :func:`chainer_seg.images.as_image` takes; a dict of name and image; a folder of
            images; or a data set, whose objects are finished ones.

    Raises:
        chainer_seg.errors.UserError: There is no image.
    """
    if hasattr(images, 'class_names'):
        pictures = [_of_dataset(images, number) for number in range(len(images))]
    elif isinstance(images, collections.abc.Mapping):
        pictures = [_of_image(image, str(name)) for name, image in images.items()]
    elif isinstance(images, (list, tuple)):
        pictures = [_of_image(image) for image in images]
    elif isinstance(images, (str, pathlib.Path)):
        pictures = [_of_image(path) for path in find_images(images)]
    else:
        pictures = [_of_image(images)]
    if not pictures:
        raise UserError('There is no image to click on; give one or a list of them.')
    return pictures


def name_apart(pictures):
    """Gives names to pictures without one, and other names to those that have the same."""
    taken = set()
    for number, picture in enumerate(pictures, 1):
        name = wanted = picture.name or f'picture{number}'
        copies = 1
        while name in taken:
            copies += 1
            name = f'{wanted}-{copies}'
        taken.add(name)
        picture.name = name


def _of_image(image, name=None):
    if name is None and isinstance(image, (str, pathlib.Path)):
        name = pathlib.Path(image).stem

    def read():
        is_file = isinstance(image, (bytes, memoryview))
        array = decode_image(image, name) if is_file else as_image(image)
        return array, Instances.empty(*array.shape[:2])

    return Picture(name, read)


def _of_dataset(dataset, number):
    known = as_dataset(dataset)
    name = pathlib.Path(known.file_name(number)).stem if known.has_files else None
    return Picture(name, lambda: dataset[number], labelled=True)
