"""The images of a click widget, each with its session, and the objects found so far as a data set."""

import collections.abc
import pathlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from chainer_seg.datasets.base import Dataset, Example
from chainer_seg.errors import UserError
from chainer_seg.images import ImageLike, as_image, decode_image, find_images
from chainer_seg.instances import Instances
from chainer_seg.models.click_history import Moment
from chainer_seg.models.click_state import ClickObject, to_instances

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
        saved: The moment that was last saved, or that the session began with.
    """

    def __init__(self, name: str | None, read: Callable[[], Example], labelled: bool = False) -> None:
        self.name = name or ''
        self.session: ClickSession | None = None
        self.labelled = labelled
        self.saved: Moment | None = None
        self._model: ClickModel | None = None
        self._read = read
        self._begun: Moment | None = None  # what the session will begin with, if not with what is read

    @property
    def moment(self) -> Moment | None:
        """The finished objects and the current one; None if they are still those that will be read."""
        return self._begun if self.session is None else self.session.moment

    @property
    def has_labels(self) -> bool:
        """Whether there may be objects."""
        return self.labelled or self.moment is not None

    def open(self, model: 'ClickModel') -> 'ClickSession':
        """The :class:`chainer_seg.models.click_session.ClickSession` of this image, in ``model``.

        Raises:
            chainer_seg.errors.ImageError: The image cannot be read.
        """
        if self.session is None:
            image, moment = self.read()
            session = model.session(image)
            session.restore(moment)
            self._begin(session, moment)
        elif self._model is not model:
            self._begin(self.session.of_model(model), self.session.moment)
        self._model = model
        assert self.session is not None
        return self.session

    def _begin(self, session: 'ClickSession', before: Moment) -> None:
        """Goes on with a session that has the objects of ``before``."""
        if self.saved is None or self.saved is before:
            self.saved = session.moment
        self.session = session

    def read(self) -> tuple[np.ndarray, Moment]:
        """The image (H, W, 3) uint8 RGB, and its objects.

        Raises:
            chainer_seg.errors.ImageError: The image cannot be read.
        """
        if self.session is not None:
            return self.session.image, self.session.moment
        image, instances = self._read()
        return image, self._begun or Moment(objects_of(instances))

    def begin_with(self, moment: Moment) -> None:
        """Sets the objects of an image that is not open yet."""
        self._begun = moment

    def replace(self, moment: Moment) -> None:
        """Replaces the objects, which can be undone where the image is open."""
        if self.session is None:
            self._begun = moment
        else:
            self.session.replace(moment)

    def discard(self) -> None:
        """Goes back to the objects that are read with the image, which can be undone where it is open."""
        self._begun = None
        if self.session is not None:
            self.session.replace(Moment(objects_of(self._read()[1])))
        self.saved = self.moment

    def labels(self) -> Example:
        """The image (H, W, 3) uint8 RGB and its finished objects."""
        if self.session is None and self._begun is None:
            return self._read()
        image, moment = self.read()
        return image, to_instances(moment.objects, image.shape[:2])


def objects_of(instances: Instances) -> tuple[ClickObject, ...]:
    """Instances as finished objects; those without a pixel are omitted."""
    return tuple(ClickObject.of_mask(instances.name(number), instances.masks[number])
                 for number in np.flatnonzero(instances.masks.any(axis=(1, 2))).tolist())


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
        found = [(source, source.labels()[1]) for source in sources if source.has_labels]
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
        return image, instances.with_classes(labels, self.class_names)


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
        sources = [of_dataset(images, number) for number in range(len(images))]
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


def name_uniquely(sources: Sequence[ImageSource]) -> None:
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


def of_dataset(dataset: Any, number: int) -> ImageSource:
    """The source of one image of a data set."""
    names = getattr(dataset, 'image_names', None)
    name = pathlib.Path(names[number]).stem if names else None
    return ImageSource(name, lambda: dataset[number], labelled=True)
