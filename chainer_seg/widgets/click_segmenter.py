"""Labelling with clicks: many objects on many images, with refinement, saving and loading."""

import os
import pathlib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy.typing as npt

from chainer_seg.errors import UserError
from chainer_seg.mask_images import Source, read_mask
from chainer_seg.stored_pixels import LabelsAs
from chainer_seg.widgets.autosave import Autosave, RestoredNotice
from chainer_seg.widgets.click_canvas import ClickCanvas
from chainer_seg.widgets.events import count_of, row
from chainer_seg.widgets.image_set import ImageSet
from chainer_seg.widgets.label_files import add_to_coco, open_coco, save_coco, save_masks
from chainer_seg.widgets.model_menu import click_model
from chainer_seg.widgets.object_canvas import ObjectCanvas
from chainer_seg.widgets.segmenter_controls import SegmenterControls
from chainer_seg.widgets.true_masks import TrueMasks

if TYPE_CHECKING:
    from chainer_seg.models.click_model import ClickModel


class ClickSegmenter(ObjectCanvas):
    """Labels objects by clicks, one after the other, on one image or many, and saves them.

    In addition to what :class:`ClickCanvas` does, "Next object" finishes the object under the name in the
    field and starts another; finished objects are shown in their colours and listed, and can be renamed,
    edited or deleted. Sliders set the opacity of the masks and the probability above which a pixel belongs
    to the object. An object may start from an existing mask, which clicks correct. Everything the mouse can
    do is also available from code.

    All changes can be undone, also finishing, renaming and deleting an object.

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
        autosave: Whether what the user does in the browser is saved after each change, in a folder beside
            ``folder`` (``labels-autosave`` beside ``labels``), and restored when the same images are opened
            with the same ``folder`` again. What code does is not saved, since the code can be run again.
        files: Whether there are fields and buttons to save to and open from the kernel's files.

    Raises:
        chainer_seg.errors.UserError: The first image, the model or the refinement cannot be used.
    """

    def __init__(self, images: Any, model: 'ClickModel | str | os.PathLike' = 'click',
                 refinement: str | Callable | None = None, folder: str | os.PathLike = 'labels',
                 longest_side: int = 640, class_names: Iterable[str] | None = None,
                 true_masks: Mapping[str, npt.ArrayLike] | None = None, autosave: bool = True,
                 files: bool = True) -> None:
        names = getattr(images, 'class_names', ()) if class_names is None else class_names
        self._label_with(model, names, TrueMasks(true_masks))
        self._written: set[pathlib.Path] = set()  # folders that may be overwritten
        sources = ImageSet(images, click_model(model), refinement)
        self._autosave = Autosave(folder) if autosave else None
        self._restored, note = self._autosave.restore(sources.sources) if self._autosave else ([], '')
        self._begin(sources, longest_side)
        self._controls = SegmenterControls(self, folder, files)
        left = ipywidgets.VBox([self.canvas, self._status], layout={'max_width': '100%'})
        main = ipywidgets.HBox([left, self._controls.panel], layout={'flex_flow': 'row wrap'})
        toolbar = row([self._tool, self._sign, *self._history, *self._controls.toolbar])
        self._notice = RestoredNotice(note, self.discard_restored if self._restored else None)
        super(ClickCanvas, self).__init__([self._notice, toolbar, main])
        self.add_class('chainer-seg-segmenter')
        self._show()

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
            self._session.start_from(found)
            return guesses[0] if guesses else None

        self._do(run)

    def open_coco(self, file: str | os.PathLike | bytes) -> None:
        """Adds the objects of a COCO file, written by this widget or another program, to the open images.

        Args:
            file: The path of the file, or its content. Images of the file that are not open are added if they
                are in the folder ``images`` beside it.

        Raises:
            chainer_seg.errors.DatasetError: The file cannot be used, it has none of the images, or one of
                them has another size; nothing is changed.
        """
        def run() -> str:
            others, note = open_coco(file, self._images.sources)
            if others:
                self._images.add(others)
            return note

        self._do(run)

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
            return written, count_of(len(written), 'mask')

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
            return path, f'the objects of {count_of(len(labels), "image")}'

        return self._save(write, folder)

    def add_to_coco(self, folder: str | os.PathLike | None = None) -> pathlib.Path:
        """Adds the objects of all images to the COCO data set in a folder, and keeps what is there.

        Objects are added to the image of the same name and content, unless it has the same ones.

        Args:
            folder: The folder of the data set; default: the text of the folder field.

        Returns:
            The path of ``folder/annotations.json``.

        Raises:
            chainer_seg.errors.UserError: As for :meth:`save_png`, or the folder has no COCO data set.
        """
        def write(folder: pathlib.Path) -> tuple[Any, str]:
            labels = self.labels()
            return add_to_coco(labels, folder), f'the objects of {count_of(len(labels), "image")}'

        return self._save(write, folder)

    def discard_restored(self) -> None:
        """Removes the labels that were restored, also from the disk; on open images, that can be undone."""
        restored, self._restored = self._restored, []
        self._notice.hide()

        def run() -> str:
            for source in restored:
                source.discard()
            if self._autosave is not None:
                self._autosave.discard(restored)
            return 'Discarded the restored objects.'

        self._do(run)

    def by_hand(self, action: Callable) -> Callable[..., None]:
        """As in :class:`ClickCanvas`; what has changed is autosaved afterwards."""
        handle = super().by_hand(action)

        def run(*args: Any, **options: Any) -> None:
            handle(*args, **options)
            self._save_changes()

        return run

    def _save_changes(self) -> None:
        if self._autosave is None:
            return
        with self._lock:
            try:
                if self._autosave.save(self._images.sources):
                    self._notice.hide()
            except UserError as problem:
                self.say(f'Not autosaved: {problem} Nothing is lost as long as the kernel runs.', True)

    def _save(self, write: Callable[[pathlib.Path], tuple[Any, str]],
              folder: str | os.PathLike | None) -> Any:
        result = None

        def run() -> str:
            nonlocal result
            self._images.finish_all(self._controls.name)
            target = pathlib.Path(self._controls.folder if folder is None else folder).expanduser()
            result, what = write(target)
            self._written.add(target.resolve())
            return f'Saved {what} to {target.resolve()}.'

        self._do(run)
        return result

