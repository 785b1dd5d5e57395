"""Labelling with clicks: many objects on many images, refined, saved and loaded again."""

import collections
import pathlib

import ipywidgets
import numpy as np

from chainer_seg.errors import UserError
from chainer_seg.images import resize
from chainer_seg.mask_images import Source, read_mask
from chainer_seg.stored_pixels import LabelsAs
from chainer_seg.visualization import overlay_masks
from chainer_seg.widgets.click_canvas import ClickCanvas
from chainer_seg.widgets.events import row
from chainer_seg.widgets.label_files import save_coco, save_masks
from chainer_seg.widgets.object_list import SteadyColors, object_colors
from chainer_seg.widgets.pictures import Labels, list_pictures, name_apart
from chainer_seg.widgets.segmenter_controls import SegmenterControls


class ClickSegmenter(ClickCanvas):
    """Finds objects by clicks, one after the other, on one image or many, and saves them.

    As :class:`ClickCanvas`, and: "Next" keeps the object under the name in the field and begins
    another; finished objects are shown in their colours and listed to be renamed, opened again or
    deleted. Sliders set the opacity of the masks and the probability above which a pixel belongs
    to the object. An object may begin with a mask that exists already, and clicks correct it.
    Whatever can be done with the mouse can be done from code.

    A click, or a key, counts for the image that was seen when it was made, even where another
    image has become the current one before it could be computed.

    Args:
        images: One image or a list of them, each a path, a PIL image or an array; a dict of name
            and image; a folder of images; or a data set such as
            :class:`chainer_seg.datasets.CocoDataset`, whose objects are there as finished ones.
        model: A click model, or the name or path of a model file.
        refinement: What sharpens masks: None, ``'graphcut'``, ``'crf'`` or a callable, as
            :class:`chainer_seg.models.deeplab.ClickSession` takes it.
        folder: Where the buttons save to, until another folder is written in the field.
        longest_side: Larger images are shown shrunk to this many pixels.
        class_names: The names that are offered for objects, and the first classes of what is saved
            in this order, clicked on or not; those of the data set if left out.

    Raises:
        chainer_seg.errors.UserError: The first image, the model or the refinement cannot be used.
    """

    _commands = ('undo', 'redo', 'reset', 'finish', 'previous', 'next')

    def __init__(self, images, model='click', refinement=None, folder='labels', longest_side=640,
                 class_names=None):
        self._refinement = refinement
        self._class_names = tuple(
            getattr(images, 'class_names', ()) if class_names is None else class_names)
        self._colors = collections.defaultdict(SteadyColors)  # of each picture
        self._written = set()  # folders that may be written to again
        self._listed = ()  # the objects that the surface shows
        self._begin(images, model, longest_side)
        self._controls = SegmenterControls(self, folder)
        left = ipywidgets.VBox([self.surface, self._status], layout={'max_width': '100%'})
        main = ipywidgets.HBox([left, self._controls.panel], layout={'flex_flow': 'row wrap'})
        toolbar = row([self._sign, *self._history, *self._controls.toolbar])
        super(ClickCanvas, self).__init__([toolbar, main])
        self.add_class('chainer-seg-segmenter')
        self._show()

    @property
    def number(self):
        """The number of the current image, from 0."""
        return self._number

    @property
    def names(self):
        """The names of all images, a list."""
        return [picture.name for picture in self._pictures]

    @property
    def class_names(self):
        """The names that are offered for objects: those given at the start, a tuple."""
        return self._class_names

    @property
    def objects(self):
        """The finished objects of this image: a tuple with ``name``, ``mask`` and ``clicks`` each."""
        return self._session.objects

    @property
    def masks(self):
        """(R, H, W) bool: the masks of the finished objects of this image."""
        return self.instances().masks

    @property
    def refinement(self):
        """What sharpens masks; it can be set."""
        return self._refinement

    @refinement.setter
    def refinement(self, refinement):
        before, self._refinement = self._refinement, refinement
        try:
            self._do(lambda: self._go_to(self._number))
        except BaseException:
            self._refinement = before
            raise
        finally:
            self._controls.refresh(self._object_colors())

    def instances(self):
        """The finished objects of this image as :class:`chainer_seg.Instances`."""
        return self._session.instances()

    def labels(self):
        """The finished objects of all images as a data set of (image, Instances) to train on."""
        return Labels(self._pictures, self._class_names)

    def finish(self, name=None):
        """Keeps the current object and begins the next one.

        Args:
            name: Of the object; what is written in the field if left out.

        Raises:
            chainer_seg.errors.ClickError: There is no object yet.
        """
        self._finish(name)

    def reopen(self, number):
        """Makes finished object ``number`` the current one; the current one is finished first."""
        def change(session):
            if session.mask.any():
                session.finish(self._controls.name)
            name = session.objects[number].name if number in range(len(session.objects)) else ''
            session.reopen(number)
            self._controls.name = name

        self._change(change)

    def remove(self, number):
        """Forgets finished object ``number``."""
        self._change(lambda session: session.remove(number))

    def rename(self, number, name):
        """Gives finished object ``number`` another name."""
        self._change(lambda session: session.rename(number, name))

    def load_mask(self, mask: Source, number: int | None = None, labels_as: LabelsAs = 'auto') -> None:
        """Begins the current object with a mask, which clicks then correct.

        Args:
            mask: An image file, its bytes, a PIL image or an array, as large as the image;
                :mod:`chainer_seg.mask_images` says what it may look like.
            number: Of the object in the mask, where it has several.
            labels_as: How the mask says what a pixel belongs to.

        Raises:
            chainer_seg.errors.UserError: It cannot be read, is empty, has another size, or has several
                objects and no ``number`` is given.
        """
        def run():
            guesses = []
            found, _ = read_mask(mask, labels_as=labels_as, number=number,
                                 report=lambda name, guess: guesses.append(f'{name} {guess}.'))
            self._open(self._number).start_from(found)
            return guesses[0] if guesses else None

        self._do(run)

    def add_images(self, images):
        """Adds images at the end and goes to the first of them.

        Args:
            images: As those of the class.

        Raises:
            chainer_seg.errors.ImageError: The first one cannot be read; none is added.
        """
        def run():
            before = self._pictures
            self._pictures = before + list_pictures(images)
            name_apart(self._pictures)
            try:
                self._go_to(len(before))
            except BaseException:
                self._pictures = before
                raise

        self._do(run)

    def go_to(self, number):
        """Makes image ``number`` (from 0) the current one; the clicks on the others are kept.

        Raises:
            chainer_seg.errors.UserError: There is no such image, or it cannot be read; the
                current one stays.
        """
        self._do(lambda: self._go_to(number))

    def save_png(self, folder=None):
        """Writes the mask of each object of each image as a PNG, white on the object.

        The current objects are finished first.

        Args:
            folder: Where to; what is written in the field if left out.

        Returns:
            The paths of the files, ``folder/masks/IMAGE_NUMBER_NAME.png``.

        Raises:
            chainer_seg.errors.UserError: There is no object, or the folder cannot be written to.
        """
        def write(folder):
            written = save_masks(self.labels(), folder / 'masks')
            return written, _count(written, 'mask')

        return self._save(write, folder)

    def save_coco(self, folder=None, overwrite=False):
        """Writes the objects of all images as COCO JSON that ``CocoDataset`` reads.

        The current objects are finished first; images without objects are left out.

        Args:
            folder: Where to; what is written in the field if left out.
            overwrite: Whether to write to a folder that this widget has not written to before
                and that has something in it.

        Returns:
            The path of ``folder/annotations.json``; the images are in ``folder/images``.

        Raises:
            chainer_seg.errors.UserError: As that of :meth:`save_png`, or the folder is not empty.
        """
        def write(folder):
            mine = overwrite or folder.resolve() in self._written
            labels = self.labels()
            path = save_coco(labels, folder, mine)
            return path, f'the objects of {_count(labels, "image")}'

        return self._save(write, folder)

    def _save(self, write, folder):
        result = None

        def run():
            nonlocal result
            self._finish_all()
            target = pathlib.Path(self._controls.folder if folder is None else folder).expanduser()
            result, what = write(target)
            self._written.add(target.resolve())
            return f'Wrote {what} to {target.resolve()}.'

        self._do(run)
        return result

    def _finish_all(self):
        for number, picture in enumerate(self._pictures):
            if picture.session is not None and picture.session.mask.any():
                picture.session.finish(self._controls.name if number == self._number else '')

    def _finish(self, name=None, picture=None):
        name = self._controls.name if name is None else name
        self._change(lambda session: session.finish(name), picture)

    def _command(self, name, picture):
        steps = {'previous': -1, 'next': 1}
        if name in steps:
            if self._number + steps[name] in range(len(self._pictures)):
                self.go_to(self._number + steps[name])
        elif name == 'finish':
            self._finish(picture=picture)
        else:
            super()._command(name, picture)

    def _go_to(self, number):
        if number not in range(len(self._pictures)):
            raise UserError(f'There is no image {number}; there are {len(self._pictures)}, '
                            f'counted from 0.')
        self._open(number)
        self._number = number

    def _open(self, number):
        session = super()._open(number)
        if session.refinement != self._refinement:
            session.refinement = self._refinement
        return session

    def _show(self, note=None, error=None):
        colors = self._object_colors()
        with self.surface.hold_sync():
            super()._show(note, error)
            if self._listed is not self.objects:
                self.surface.show_objects([each.mask for each in self.objects], colors)
                self._listed = self.objects
        self._controls.refresh(colors)

    def _summary(self):
        if self.objects and not self.clicks and not self.mask.any():
            return f'{_count(self.objects, "object")} finished; click on the next one.'
        return super()._summary()

    def _snapshot_below(self, size):
        below = resize(self.image, size)
        if not self.objects:
            return below
        masks = np.stack([resize(each.mask.astype(np.uint8) * 255, size) > 127
                          for each in self.objects])
        return overlay_masks(below, masks, self._object_colors(), self.surface.opacity, contour=1)

    def _object_colors(self):
        return object_colors(self._colors[self._number].numbers(self.objects))

    def __repr__(self):
        return (f'ClickSegmenter({self._pictures[self._number].name}: '
                f'{_count(self.objects, "finished object")}, '
                f'{_count(self.clicks, "click")} on the next)')


def _count(things, name):
    return f'{len(things)} {name}{"" if len(things) == 1 else "s"}'
