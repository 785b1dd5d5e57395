"""The images of a click widget, each with its session, and the objects found so far as a data set."""

import collections.abc
import dataclasses
import pathlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from chainer_seg.datasets.base import Dataset, Example
from chainer_seg.errors import UserError
from chainer_seg.images import ImageLike, as_image, decode_image, find_images
from chainer_seg.instances import Instances

if TYPE_CHECKING:
    from chainer_seg.models.click_model import ClickModel
    from chainer_seg.models.click_session import ClickSession



class ImageSource:
    """An image that is read when it is first opened.

    Args:
        name: The name shown to the user.
        read: ``read() -> (image, Instances)``; the instances are existing objects.
        labelled: Whether there may be existing objects.

    Attributes:
        session: The clicks on it; None until it is opened.
    """

    def __init__(self, name: str | None, read: Callable[[], Example], labelled: bool = False) -> None:
        self.name = name or ''
        self.session: ClickSession | None = None
        self._model: ClickModel | None = None
        self.labelled = labelled
        self._read = read

    def open(self, model: 'ClickModel') -> 'ClickSession':
        """The :class:`chainer_seg.models.click_session.ClickSession` of this image, in ``model``.

        Raises:
            chainer_seg.errors.ImageError: The image cannot be read.
        """
        if self.session is not None and self._model is not model:
            self.session = self.session.of_model(model)
        elif self.session is None:
            image, instances = self._read()
            session = model.session(image)
            for number in np.flatnonzero(instances.masks.any(axis=(1, 2))).tolist():
                session.start_from(instances.masks[number])
                session.finish(instances.name(number))
            self.session = session
        self._model = model
        return self.session

    def labels(self) -> Example:
        """The image (H, W, 3) uint8 RGB and its finished objects."""
        if self.session is None:
            return self._read()
        return self.session.image, self.session.instances()


class Labels(Dataset):
    """The finished objects of several images as a data set, to train on or to save.

    ``labels[i]`` is an image (H, W, 3) uint8 and its :class:`chainer_seg.Instances`; images without
    objects are omitted.

    Args:
        sources: The images.
        class_names: Names that come first in ``class_names``, whether or not an object has them.

    Attributes:
        class_names: The names of all objects, a tuple.
        image_names: The name of each image.
    """

    def __init__(self, sources: Iterable[ImageSource], class_names: Iterable[str] = ()) -> None:
        found = [(source, source.labels()[1]) for source in sources
                 if source.labelled or source.session is not None]
        self._images = [source for source, instances in found if len(instances)]
        names = [instances.name(number) for _, instances in found for number in range(len(instances))]
        self.class_names = tuple(dict.fromkeys([*class_names, *names]))
        self.image_names = [source.name for source in self._images]

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, index: int) -> Example:
        image, instances = self._images[index].labels()
        labels = np.array([self.class_names.index(instances.name(number))
                           for number in range(len(instances))], np.int32)
        return image, dataclasses.replace(instances, labels=labels, class_names=self.class_names)


def image_sources(images: Any) -> list[ImageSource]:
    """Turns images in any form that a user may give into a list of :class:`ImageSource`.

    Args:
        images: One image or several, each the bytes of an image file or anything that
            :func:`chainer_seg.images.as_image` accepts; a dict from names to images; a folder of
            images; or a data set, whose objects become finished objects.

    Raises:
        chainer_seg.errors.UserError: There is no image.
    """
    if hasattr(images, 'class_names'):
        sources = [_of_dataset(images, number) for number in range(len(images))]
    elif isinstance(images, collections.abc.Mapping):
        sources = [_of_image(image, str(name)) for name, image in images.items()]
    elif isinstance(images, (list, tuple)):
        sources = [_of_image(image) for image in images]
    elif isinstance(images, (str, pathlib.Path)):
        sources = [_of_image(path) for path in find_images(images)]
    else:
        sources = [_of_image(images)]
    if not sources:
        raise UserError('No images given; pass at least one image, or a folder that contains images.')
    return sources


def make_names_unique(sources: Iterable[ImageSource]) -> None:
    """Names the images without a name, and appends a number to names that occur twice."""
    taken: set[str] = set()
    for number, source in enumerate(sources, 1):
        name = wanted = source.name or f'image{number}'
        copies = 1
        while name in taken:
            copies += 1
            name = f'{wanted}-{copies}'
        taken.add(name)
        source.name = name


def _of_image(image: ImageLike | bytes | memoryview, name: str | None = None) -> ImageSource:
    if name is None and isinstance(image, (str, pathlib.Path)):
        name = pathlib.Path(image).stem

    def read() -> tuple[np.ndarray, Instances]:
        array = (decode_image(image, name) if isinstance(image, (bytes, memoryview))
                 else as_image(image))
        return array, Instances.empty(*array.shape[:2])

    return ImageSource(name, read)


def _of_dataset(dataset: Any, number: int) -> ImageSource:
    names = getattr(dataset, 'image_names', None)
    name = pathlib.Path(names[number]).stem if names else None
    return ImageSource(name, lambda: dataset[number], labelled=True)
