"""A click canvas for many objects on many images: names, colours, and going from one to the other."""

import collections
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from chainer_seg.images import resize
from chainer_seg.instances import Instances
from chainer_seg.visualization import overlay_masks
from chainer_seg.widgets.click_canvas import ClickCanvas
from chainer_seg.widgets.events import count_of
from chainer_seg.widgets.image_sources import Labels, image_sources
from chainer_seg.widgets.model_menu import click_model
from chainer_seg.widgets.object_list import SteadyColors, object_colors
from chainer_seg.widgets.segmenter_controls import SegmenterControls
from chainer_seg.widgets.true_masks import TrueMasks

if TYPE_CHECKING:
    from chainer_seg.models.click_model import ClickModel
    from chainer_seg.models.click_session import ClickObject


class ObjectCanvas(ClickCanvas):
    """Base of :class:`chainer_seg.widgets.ClickSegmenter`: what is labelled, without the files.

    A subclass calls :meth:`_label_with`, then :meth:`_begin`, and sets ``_controls``.
    """

    _commands: tuple[str, ...] = ('undo', 'redo', 'reset', 'finish', 'previous', 'next')
    _controls: SegmenterControls

    def _label_with(self, chosen: 'ClickModel | str | os.PathLike', class_names: Iterable[str],
                    true_masks: TrueMasks) -> None:
        self._chosen = chosen  # the model as it was given: an object, a name, or a path
        self._class_names: tuple[str, ...] = tuple(class_names)
        self._true_masks = true_masks
        # One for each image.
        self._colors: dict[int, SteadyColors] = collections.defaultdict(SteadyColors)
        self._listed: tuple[ClickObject, ...] = ()  # the objects on the canvas

    @property
    def number(self) -> int:
        """The number of the current image, from 0."""
        return self._images.number

    @property
    def names(self) -> list[str]:
        """The names of all images."""
        return self._images.names

    @property
    def class_names(self) -> tuple[str, ...]:
        """The suggested names of objects."""
        return self._class_names

    @property
    def objects(self) -> 'tuple[ClickObject, ...]':
        """The finished objects of this image, each with ``name``, ``mask`` and ``clicks``."""
        return self._session.objects

    @property
    def masks(self) -> npt.NDArray[np.bool_]:
        """(R, H, W) bool: the masks of the finished objects of this image."""
        return self.instances().masks

    @property
    def model(self) -> 'ClickModel':
        """The model; can be set as in the constructor, and keeps the objects and clicks."""
        return self._images.model

    @model.setter
    def model(self, model: 'ClickModel | str | os.PathLike') -> None:
        def run() -> None:
            self._images.compute_with(click_model(model), self.refinement)
            self._chosen = model

        self._compute_again(run)

    def _compute_again(self, change: Callable[[], None]) -> None:
        try:
            self._do(change)
        finally:  # After an error the menus show what is still in use.
            self._controls.refresh(self._object_colors())

    @property
    def chosen_model(self) -> 'ClickModel | str | os.PathLike':
        """The model as it was given: a model, a name, or a path."""
        return self._chosen

    @property
    def iou(self) -> float | None:
        """Intersection over union of the current object with its true mask; None where it is unknown."""
        return self._true_masks.iou(self._images.name, self.mask)

    @property
    def ious(self) -> list[float | None]:
        """As :attr:`iou`, of each finished object."""
        return [self._true_masks.iou(self._images.name, each.mask) for each in self.objects]

    def refine(self) -> None:
        """Refines the current object once by a graph cut; further clicks correct the refined mask.

        Raises:
            chainer_seg.errors.ClickError: There is no object yet.
            chainer_seg.errors.UserError: PyMaxflow is not installed.
        """
        self._change(lambda session: session.refine('graphcut'))

    @property
    def refinement(self) -> str | Callable | None:
        """How masks are refined; can be set."""
        return self._images.refinement

    @refinement.setter
    def refinement(self, refinement: str | Callable | None) -> None:
        self._compute_again(lambda: self._images.compute_with(self.model, refinement))

    def instances(self) -> Instances:
        """The finished objects of this image as :class:`chainer_seg.Instances`."""
        return self._session.instances()

    def labels(self) -> Labels:
        """The finished objects of all images as a data set of (image, Instances) to train on."""
        return self._images.labels(self._class_names)

    def finish(self, name: str | None = None) -> None:
        """Finishes the current object and starts the next one.

        Args:
            name: Name of the object; default: the text of the name field.

        Raises:
            chainer_seg.errors.ClickError: There is no object yet.
        """
        self._finish(name)

    def reopen(self, number: int) -> None:
        """Makes finished object ``number`` the current one; the current one is finished first."""
        def change(session: Any) -> None:
            name = session.objects[number].name if number in range(len(session.objects)) else ''
            session.reopen(number, self._controls.name)
            self._controls.name = name

        self._change(change)

    def remove(self, number: int) -> None:
        """Deletes finished object ``number``."""
        self._change(lambda session: session.remove(number))

    def rename(self, number: int, name: str) -> None:
        """Renames finished object ``number``."""
        self._change(lambda session: session.rename(number, name))

    def add_images(self, images: Any) -> None:
        """Appends images and goes to the first of them.

        Args:
            images: As for the class.

        Raises:
            chainer_seg.errors.ImageError: The first one cannot be read; none is added.
        """
        self._do(lambda: self._images.add(image_sources(images)))

    def go_to(self, number: int) -> None:
        """Makes image ``number`` (from 0) the current one; clicks on other images are kept.

        Raises:
            chainer_seg.errors.UserError: There is no such image, or it cannot be read; the current
                image does not change.
        """
        self._do(lambda: self._images.go_to(number))

    def _finish(self, name: str | None = None, image: int | None = None) -> None:
        name = self._controls.name if name is None else name
        self._change(lambda session: session.finish(name), image)

    def _command(self, name: str, image: int | None) -> None:
        steps = {'previous': -1, 'next': 1}
        if name in steps:
            if self.number + steps[name] in range(len(self.names)):
                self.go_to(self.number + steps[name])
        elif name == 'finish':
            self._finish(image=image)
        else:
            super()._command(name, image)

    def _show(self, note: str | None = None, error: str | None = None) -> None:
        colors = self._object_colors()
        with self.canvas.hold_sync():
            super()._show(note, error)
            if self._listed is not self.objects:
                self.canvas.show_objects([each.mask for each in self.objects], colors)
                self._listed = self.objects
        self._controls.refresh(colors)

    def _summary(self) -> str:
        if self.objects and not self.clicks and not self.mask.any():
            return f'{count_of(len(self.objects), "object")} finished; click the next one.'
        iou = self.iou
        return super()._summary() + ('' if iou is None else f' IoU with the true mask: {iou:.2f}.')

    def _snapshot_below(self, size: tuple[int, int]) -> np.ndarray:
        below = resize(self.image, size)
        if not self.objects:
            return below
        masks = np.stack([resize(each.mask.astype(np.uint8) * 255, size) > 127
                          for each in self.objects])
        return overlay_masks(below, masks, self._object_colors(), self.canvas.opacity, contour=1)

    def _object_colors(self) -> np.ndarray:
        return object_colors(self._colors[self.number].numbers(self.objects))

    def __repr__(self) -> str:
        return (f'ClickSegmenter({self._images.name}: '
                f'{count_of(len(self.objects), "finished object")}, '
                f'{count_of(len(self.clicks), "click")} on the current one)')
