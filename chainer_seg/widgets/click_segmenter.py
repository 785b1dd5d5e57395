"""Labelling with clicks: many objects on many images, with refinement, saving and loading."""

import collections
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sized
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import numpy.typing as npt

from chainer_seg.errors import UserError
from chainer_seg.images import resize
from chainer_seg.instances import Instances
from chainer_seg.mask_images import Source, read_mask
from chainer_seg.stored_pixels import LabelsAs
from chainer_seg.visualization import overlay_masks
from chainer_seg.widgets.click_canvas import ClickCanvas
from chainer_seg.widgets.events import row
from chainer_seg.widgets.label_files import save_coco, save_masks
from chainer_seg.widgets.object_list import SteadyColors, object_colors
from chainer_seg.widgets.image_sources import Labels, image_sources, make_names_unique
from chainer_seg.widgets.model_menu import click_model
from chainer_seg.widgets.segmenter_controls import SegmenterControls
from chainer_seg.widgets.true_masks import TrueMasks


if TYPE_CHECKING:
    from chainer_seg.models.click_model import ClickModel
    from chainer_seg.models.click_session import ClickObject


class ClickSegmenterWidget(ClickCanvas):
    """Labels objects by clicks, one after the other, on one image or many, and saves them.

    Importable as ``chainer_seg.widgets.ClickSegmenter``. In addition to :class:`ClickCanvas`: "Next
    object" finishes the object under the name in the field and starts another; finished objects are
    shown in their colours and listed, and can be renamed, edited or deleted. Sliders set the opacity
    of the masks and the probability above which a pixel belongs to the object. An object may start
    from an existing mask, which clicks correct. Everything the mouse can do is also available from code.

    A click or a key applies to the image that was visible when it was made, even if another image
    has become the current one before it could be computed.

    Args:
        images: One image or a list of images, each a path, a PIL image or an array; a dict from names
            to images; a folder of images; or a data set such as
            :class:`chainer_seg.datasets.CocoDataset`, whose objects become finished objects.
        model: A click model, a detector, a DeepMask or a SharpMask; or the name or path of a model file.
            Another one can be chosen in the menu.
        refinement: How masks are refined: None, ``'graphcut'``, ``'crf'`` or a callable, as in
            :class:`chainer_seg.models.click_session.ClickSession`.
        folder: The folder that the buttons save to; it can be changed in its field.
        longest_side: Maximum longer side of the displayed image in pixels.
        true_masks: The true masks, ``{name of the image: (R, H, W) bool}``, where they are known: the
            intersection over union with the best of them is shown.
        class_names: The suggested names of objects. They are also the first classes, in this order,
            of what is saved, whether or not there are objects of them. Default: those of the data set.

    Raises:
        chainer_seg.errors.UserError: The first image, the model or the refinement cannot be used.
    """

    _commands: tuple[str, ...] = ('undo', 'redo', 'reset', 'finish', 'previous', 'next')

    def __init__(self, images: Any, model: 'ClickModel | str | os.PathLike' = 'click',
                 refinement: str | Callable | None = None, folder: str | os.PathLike = 'labels',
                 longest_side: int = 640, class_names: Iterable[str] | None = None,
                 true_masks: Mapping[str, npt.ArrayLike] | None = None) -> None:
        self._refinement = refinement
        self._true_masks = TrueMasks(true_masks)
        self._chosen = model  # the model as it was given: an object, a name, or a path
        self._class_names: tuple[str, ...] = tuple(
            getattr(images, 'class_names', ()) if class_names is None else class_names)
        # One for each image.
        self._colors: dict[int, SteadyColors] = collections.defaultdict(SteadyColors)
        self._written: set[pathlib.Path] = set()  # folders that may be overwritten
        self._listed: tuple[ClickObject, ...] = ()  # the objects on the canvas
        self._begin(images, model, longest_side)
        self._controls = SegmenterControls(self, folder)
        left = ipywidgets.VBox([self.canvas, self._status], layout={'max_width': '100%'})
        main = ipywidgets.HBox([left, self._controls.panel], layout={'flex_flow': 'row wrap'})
        toolbar = row([self._sign, *self._history, *self._controls.toolbar])
        super(ClickCanvas, self).__init__([toolbar, main])
        self.add_class('chainer-seg-segmenter')
        self._show()

    @property
    def number(self) -> int:
        """The number of the current image, from 0."""
        return self._number

    @property
    def names(self) -> list[str]:
        """The names of all images."""
        return [image.name for image in self._images]

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
        return self._model

    @model.setter
    def model(self, model: 'ClickModel | str | os.PathLike') -> None:
        before = self._model, self._chosen

        def run() -> None:
            self._model, self._chosen = click_model(model), model
            self._go_to(self._number)

        try:
            self._do(run)
        except BaseException:
            self._model, self._chosen = before
            raise
        finally:
            self._controls.refresh(self._object_colors())

    @property
    def chosen_model(self) -> 'ClickModel | str | os.PathLike':
        """The model as it was given: a model, a name, or a path."""
        return self._chosen

    @property
    def iou(self) -> float | None:
        """Intersection over union of the current object with its true mask; None where it is unknown."""
        return self._true_masks.iou(self.names[self._number], self.mask)

    @property
    def ious(self) -> list[float | None]:
        """As :attr:`iou`, of each finished object."""
        return [self._true_masks.iou(self.names[self._number], each.mask) for each in self.objects]

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
        return self._refinement

    @refinement.setter
    def refinement(self, refinement: str | Callable | None) -> None:
        before, self._refinement = self._refinement, refinement
        try:
            self._do(lambda: self._go_to(self._number))
        except BaseException:
            self._refinement = before
            raise
        finally:
            self._controls.refresh(self._object_colors())

    def instances(self) -> Instances:
        """The finished objects of this image as :class:`chainer_seg.Instances`."""
        return self._session.instances()

    def labels(self) -> Labels:
        """The finished objects of all images as a data set of (image, Instances) to train on."""
        return Labels(self._images, self._class_names)

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
            if session.mask.any():
                session.finish(self._controls.name)
            name = session.objects[number].name if number in range(len(session.objects)) else ''
            session.reopen(number)
            self._controls.name = name

        self._change(change)

    def remove(self, number: int) -> None:
        """Deletes finished object ``number``."""
        self._change(lambda session: session.remove(number))

    def rename(self, number: int, name: str) -> None:
        """Renames finished object ``number``."""
        self._change(lambda session: session.rename(number, name))

    def load_mask(self, mask: Source, number: int | None = None, labels_as: LabelsAs = 'auto') -> None:
        """Starts the current object from a mask, which clicks then correct.

        Args:
            mask: An image file, its bytes, a PIL image or an array, of the size of the image;
                :mod:`chainer_seg.mask_images` describes the supported encodings.
            number: Number of the object in a mask of several objects.
            labels_as: How the pixels of the mask encode objects.

        Raises:
            chainer_seg.errors.UserError: The mask cannot be read, is empty, has another size, or has
                several objects and ``number`` is not given.
        """
        def run() -> str | None:
            guesses = []
            found, _ = read_mask(mask, labels_as=labels_as, number=number,
                                 report=lambda name, guess: guesses.append(f'{name} {guess}.'))
            self._open(self._number).start_from(found)
            return guesses[0] if guesses else None

        self._do(run)

    def add_images(self, images: Any) -> None:
        """Appends images and goes to the first of them.

        Args:
            images: As for the class.

        Raises:
            chainer_seg.errors.ImageError: The first one cannot be read; none is added.
        """
        def run() -> None:
            before = self._images
            self._images = before + image_sources(images)
            make_names_unique(self._images)
            try:
                self._go_to(len(before))
            except BaseException:
                self._images = before
                raise

        self._do(run)

    def go_to(self, number: int) -> None:
        """Makes image ``number`` (from 0) the current one; clicks on other images are kept.

        Raises:
            chainer_seg.errors.UserError: There is no such image, or it cannot be read; the current
                image does not change.
        """
        self._do(lambda: self._go_to(number))

    def save_png(self, folder: str | os.PathLike | None = None) -> list[pathlib.Path]:
        """Writes the mask of each object of each image as a PNG, white on the object.

        Unfinished objects are finished first.

        Args:
            folder: The target folder; default: the text of the folder field.

        Returns:
            The paths of the files, ``folder/masks/IMAGE_NUMBER_NAME.png``.

        Raises:
            chainer_seg.errors.UserError: There is no object, or the folder cannot be written to.
        """
        def write(folder: pathlib.Path) -> tuple[Any, str]:
            written = save_masks(self.labels(), folder / 'masks')
            return written, _count(written, 'mask')

        return self._save(write, folder)

    def save_coco(self, folder: str | os.PathLike | None = None, overwrite: bool = False) -> pathlib.Path:
        """Writes the objects of all images as COCO JSON that ``CocoDataset`` reads.

        Unfinished objects are finished first; images without objects are omitted.

        Args:
            folder: The target folder; default: the text of the folder field.
            overwrite: Whether to write to a folder that is not empty and that this widget has not
                written to before.

        Returns:
            The path of ``folder/annotations.json``; the images are in ``folder/images``.

        Raises:
            chainer_seg.errors.UserError: As for :meth:`save_png`, or the folder is not empty.
        """
        def write(folder: pathlib.Path) -> tuple[Any, str]:
            may_overwrite = overwrite or folder.resolve() in self._written
            labels = self.labels()
            path = save_coco(labels, folder, may_overwrite)
            return path, f'the objects of {_count(labels, "image")}'

        return self._save(write, folder)

    def _save(self, write: Callable[[pathlib.Path], tuple[Any, str]],
              folder: str | os.PathLike | None) -> Any:
        result = None

        def run() -> str:
            nonlocal result
            self._finish_all()
            target = pathlib.Path(self._controls.folder if folder is None else folder).expanduser()
            result, what = write(target)
            self._written.add(target.resolve())
            return f'Saved {what} to {target.resolve()}.'

        self._do(run)
        return result

    def _finish_all(self) -> None:
        for number, image in enumerate(self._images):
            if image.session is not None and image.session.mask.any():
                image.session.finish(self._controls.name if number == self._number else '')

    def _finish(self, name: str | None = None, image: int | None = None) -> None:
        name = self._controls.name if name is None else name
        self._change(lambda session: session.finish(name), image)

    def _command(self, name: str, image: int | None) -> None:
        steps = {'previous': -1, 'next': 1}
        if name in steps:
            if self._number + steps[name] in range(len(self._images)):
                self.go_to(self._number + steps[name])
        elif name == 'finish':
            self._finish(image=image)
        else:
            super()._command(name, image)

    def _go_to(self, number: int) -> None:
        if number not in range(len(self._images)):
            raise UserError(f'There is no image {number}; the images are numbered from 0 to '
                            f'{len(self._images) - 1}.')
        self._open(number)
        self._number = number

    def _open(self, number: int) -> Any:
        session = super()._open(number)
        if session.refinement != self._refinement:
            session.refinement = self._refinement
        return session

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
            return f'{_count(self.objects, "object")} finished; click the next one.'
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
        return object_colors(self._colors[self._number].numbers(self.objects))

    def __repr__(self) -> str:
        return (f'ClickSegmenter({self._images[self._number].name}: '
                f'{_count(self.objects, "finished object")}, '
                f'{_count(self.clicks, "click")} on the current one)')


def _count(things: Sized, name: str) -> str:
    return f'{len(things)} {name}{"" if len(things) == 1 else "s"}'
