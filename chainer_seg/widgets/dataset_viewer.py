"""Browses a data set, with or without augmentation."""

import bisect
import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import ipywidgets
import numpy as np
import numpy.typing as npt

from chainer_seg.datasets.browsing import find_label, images_with
from chainer_seg.errors import DatasetError, UserError
from chainer_seg.instances import Instances
from chainer_seg.widgets.detection_explorer import DetectionExplorer
from chainer_seg.widgets.events import button, count_of, row, status_html, status_line, without_errors
from chainer_seg.widgets.image_strip import ImageStrip
from chainer_seg.widgets.notebook_cell import NotebookBox

_ALL = 'all classes'
_LONGEST = 1.0  # seconds in which the images with a class are looked for
_AROUND = 12  # thumbnails on each side of the image that is shown

Augmentation = Callable[[npt.NDArray[np.uint8], Instances, np.random.Generator],
                        tuple[npt.NDArray[np.uint8], Instances]]


class DatasetViewer(NotebookBox):
    """Shows the images of a data set with their objects, one at a time.

    Buttons, a field and a strip of thumbnails go to another image. A list restricts buttons and strip to
    images with a class, whose number is shown. The display of objects is set as in
    :class:`DetectionExplorer`. If an augmentation is given, it can be switched on; the same seed augments an
    image in the same way.

    Args:
        dataset: With ``len``, ``dataset[i] -> (image, Instances)`` and ``class_names``.
        augment: ``augment(image, instances, rng) -> image, instances``, such as
            :func:`chainer_seg.models.yolact.augmentation.augment`, or None.
        seed: Initial random seed of the augmentation.
        number: The first image to show, from 0.
        longest_side: Maximum longer side of the displayed image in pixels; images below 480 are enlarged.

    Attributes:
        explorer: The :class:`DetectionExplorer` inside; ``viewer.explorer.instances`` are the objects
            shown.

    Raises:
        chainer_seg.errors.UserError: The data set is empty, or the first image cannot be read.
    """

    def __init__(self, dataset: Any, augment: Augmentation | None = None, seed: int = 0, number: int = 0,
                 longest_side: int = 640) -> None:
        if not len(dataset):
            raise DatasetError('The data set is empty: it has no images to show.')
        self.dataset, self._augment = dataset, augment
        self._number, self._showing = number, False
        self._listed: Sequence[int] = range(len(dataset))  # the numbers of the images in the strip
        self._make_controls(seed)
        self._status = status_line()
        # Empty until the first image is shown.
        self.explorer = DetectionExplorer(
            np.zeros((1, 1, 3), np.uint8), Instances.empty(1, 1), longest_side)
        self.explorer.observe(self.update_saved_view_soon, self.explorer.view_traits())
        self._strip = ImageStrip(lambda number: self.dataset[number][0])
        self._strip.observe(self._follow(lambda: self.go_to(self._strip.chosen)), 'chosen')
        super().__init__([self._toolbar, self._strip, self.explorer, self._status])
        self.go_to(number)

    def _make_controls(self, seed: int) -> None:
        self._place = ipywidgets.BoundedIntText(
            1, min=1, max=len(self.dataset), tooltip='Number of the image', layout={'width': '80px'})
        self._place.observe(self._follow(lambda: self.go_to(self._place.value - 1)), 'value')
        self._class = ipywidgets.Dropdown(
            options=[_ALL, *self.dataset.class_names], layout={'width': '160px'},
            tooltip='Only show images with this class')
        self._class.observe(lambda _: self._list_matches(), 'value')
        self._matches = ipywidgets.Label()
        self._augmented = ipywidgets.Checkbox(False, description='augmented', indent=False,
                                              layout={'width': '100px'})
        self._seed = ipywidgets.IntText(seed, description='seed', layout={'width': '110px'},
                                        style={'description_width': '36px'})
        for control in (self._augmented, self._seed):
            control.observe(self._follow(lambda: self.go_to(self.number)), 'value')
        change = row([self._augmented, self._seed])
        if self._augment is None:
            change.layout.display = 'none'
        self._toolbar = row([
            button('', 'chevron-left', 'Previous image', self.previous, '34px'), self._place,
            ipywidgets.Label(f'of {len(self.dataset)}'),
            button('', 'chevron-right', 'Next image', self.next, '34px'), self._class, self._matches, change])

    def _follow(self, action: Callable[[], object]) -> Callable[[Any], object]:
        """A handler that calls ``action`` for changes by the user, not for those made by code."""
        return lambda _: None if self._showing else without_errors(action)()

    @property
    def number(self) -> int:
        """The number of the image shown, from 0."""
        return self._number

    @property
    def class_name(self) -> str | None:
        """The class to which next and previous are restricted; None for all classes; can be set."""
        return None if self._class.value == _ALL else self._class.value

    @class_name.setter
    def class_name(self, name: str | None) -> None:
        if name is not None:
            find_label(self.dataset, name)
        self._class.value = _ALL if name is None else name

    @property
    def augmented(self) -> bool:
        """Whether images are shown augmented; can be set."""
        return self._augmented.value

    @augmented.setter
    def augmented(self, on: bool) -> None:
        self._augmented.value = bool(on)

    @property
    def seed(self) -> int:
        """The random seed of the augmentation; can be set."""
        return self._seed.value

    @seed.setter
    def seed(self, seed: int) -> None:
        self._seed.value = seed

    @property
    def message(self) -> str:
        """The status line below the image, as plain text."""
        return self._message

    def go_to(self, number: int) -> None:
        """Shows image ``number``.

        Raises:
            chainer_seg.errors.UserError: There is no such image, or it cannot be read; in the latter
                case the viewer moves to it nevertheless, so that next and previous still work.
        """
        if number not in range(len(self.dataset)):
            raise DatasetError(f'There is no image {number}; the images are numbered from 0 to '
                               f'{len(self.dataset) - 1}.')
        self._number = int(number)
        self._showing = True
        try:
            self._place.value = self._number + 1
            self._show_strip()
        finally:
            self._showing = False
        try:
            image, instances = self._example(self._number)
            self.explorer.show(image, instances)
        except UserError as error:
            self._say(f'Image {number + 1} cannot be shown: {error}', is_error=True)
            raise
        height, width = image.shape[:2]
        count = f'{len(instances)} object{"" if len(instances) == 1 else "s"}'
        self._say(f'{self._name(number)}: {width}x{height} pixels, {count}')

    def next(self) -> None:
        """Goes to the next image, with the selected class if there is one."""
        self._step(range(self.number + 1, len(self.dataset)), 'after')

    def previous(self) -> None:
        """Goes to the previous image, with the selected class if there is one."""
        self._step(range(self.number - 1, -1, -1), 'before')

    def snapshot(self) -> npt.NDArray[np.uint8]:
        """What is shown, (h, w, 3) uint8 RGB."""
        return self.explorer.snapshot()

    def _step(self, numbers: Iterable[int], where: str) -> None:
        label = None if self.class_name is None else find_label(self.dataset, self.class_name)
        try:
            found = next(images_with(self.dataset, label, numbers), None)
        except UserError as error:
            self._say(str(error), is_error=True)
            raise
        if found is not None:
            self.go_to(found)
            return
        kind = f' with the class {self.class_name}' if self.class_name else ''
        self._say(f'There is no image{kind} {where} this one.')

    def _show_strip(self) -> None:
        """Shows the thumbnails around the current image."""
        at = bisect.bisect_left(self._listed, self.number)
        begin = max(0, min(at - _AROUND, len(self._listed) - 2 * _AROUND - 1))
        numbers = self._listed[begin:begin + 2 * _AROUND + 1]
        self._strip.show(numbers, [self._name(number) for number in numbers], self.number)

    def _name(self, number: int) -> str:
        names = getattr(self.dataset, 'image_names', None)
        return names[number] if names else f'image {number + 1}'

    def _list_matches(self) -> None:
        """Lists and counts the images with the selected class; only some where looking takes too long."""
        everything = range(len(self.dataset))
        if self.class_name is None:
            self._matches.value, self._listed = '', everything
        else:
            found, is_complete = self._images_with(find_label(self.dataset, self.class_name))
            self._listed = found
            self._matches.value = f'in {"" if is_complete else "at least "}{count_of(len(found), "image")}'
        self._show_strip()

    def _images_with(self, label: int) -> tuple[list[int], bool]:
        """The images with a class that are found in a short time, and whether they are all."""
        end = time.monotonic() + _LONGEST
        found: list[int] = []
        for number in range(len(self.dataset)):
            with contextlib.suppress(UserError):  # said when the image is shown
                found.extend(images_with(self.dataset, label, [number]))
            if time.monotonic() > end and number + 1 < len(self.dataset):
                return found, False
        return found, True

    def _example(self, number: int) -> tuple[np.ndarray, Instances]:
        image, instances = self.dataset[number]
        if self._augment is None or not self.augmented:
            return image, instances
        return self._augment(image, instances, np.random.default_rng((abs(self.seed), number)))

    def _say(self, message: str, is_error: bool = False) -> None:
        self._message = message
        self._status.value = status_html(message, is_error)

    def __repr__(self) -> str:
        return f'DatasetViewer(image {self.number + 1} of {len(self.dataset)})'
