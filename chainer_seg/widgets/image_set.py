"""All images of a click widget: which is the current one, and how their sessions compute."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from chainer_seg.errors import ClickError, UserError
from chainer_seg.widgets.image_sources import ImageSource, Labels, image_sources, name_uniquely

if TYPE_CHECKING:
    from chainer_seg.models.click_model import ClickModel
    from chainer_seg.models.click_session import ClickSession


class ImageSet:
    """Images in their order, the model that segments them, and the current one.

    Args:
        images: As for :func:`chainer_seg.widgets.image_sources.image_sources`.
        model: The click model.
        refinement: How masks are refined, as in :class:`chainer_seg.models.click_session.ClickSession`.

    Attributes:
        sources: The images.
        number: The number of the current image, from 0.
        model, refinement: What sessions compute with.
        threshold: Pixels with a higher probability belong to the object.

    Raises:
        chainer_seg.errors.UserError: There is no image.
    """

    def __init__(self, images: Any, model: 'ClickModel', refinement: str | Callable | None = None) -> None:
        self.sources: list[ImageSource] = image_sources(images)
        name_uniquely(self.sources)
        self.number = 0
        self.model, self.refinement = model, refinement
        self.threshold = 0.5

    @property
    def names(self) -> list[str]:
        """The names of all images."""
        return [source.name for source in self.sources]

    @property
    def name(self) -> str:
        """The name of the current image."""
        return self.sources[self.number].name

    @property
    def session(self) -> 'ClickSession':
        """The session of the current image, which is open."""
        session = self.sources[self.number].session
        assert session is not None
        return session

    def open(self, number: int) -> 'ClickSession':
        """The session of an image, opened if necessary.

        Raises:
            chainer_seg.errors.UserError: The image cannot be read, or the refinement cannot be used.
            chainer_seg.errors.ClickError: There is no such image.
        """
        if number not in range(len(self.sources)):
            raise ClickError('A click was made on an image that is no longer open; click again.')
        session = self.sources[number].open(self.model)
        session.threshold = self.threshold
        if session.refinement != self.refinement:
            session.refinement = self.refinement
        return session

    def go_to(self, number: int) -> None:
        """Opens an image and makes it the current one.

        Raises:
            chainer_seg.errors.UserError: There is no such image, or it cannot be read.
        """
        if number not in range(len(self.sources)):
            raise UserError(f'There is no image {number}; the images are numbered from 0 to '
                            f'{len(self.sources) - 1}.')
        self.open(number)
        self.number = number

    def compute_with(self, model: 'ClickModel', refinement: str | Callable | None) -> None:
        """Changes model and refinement; nothing is changed if the current image cannot be computed so."""
        before = self.model, self.refinement
        self.model, self.refinement = model, refinement
        try:
            self.open(self.number)
        except BaseException:
            self.model, self.refinement = before
            raise

    def add(self, sources: Iterable[ImageSource]) -> None:
        """Appends images and goes to the first of them; none is added if that one cannot be read."""
        before = self.sources
        self.sources = [*before, *sources]
        name_uniquely(self.sources)
        try:
            self.go_to(len(before))
        except BaseException:
            self.sources = before
            raise

    def set_threshold(self, threshold: float) -> None:
        """Changes the threshold of all sessions."""
        self.threshold = threshold
        for source in self.sources:
            if source.session is not None:
                source.session.threshold = threshold

    def finish_all(self, name: str) -> None:
        """Finishes the current object of each image; that of the current image as ``name``."""
        for number, source in enumerate(self.sources):
            if source.session is None and source.moment is not None and source.moment.state.has_object:
                self.open(number)
            if source.session is not None and source.session.mask.any():
                source.session.finish(name if number == self.number else '')

    def labels(self, class_names: Iterable[str]) -> Labels:
        """The finished objects of all images as a data set."""
        return Labels(self.sources, class_names)
