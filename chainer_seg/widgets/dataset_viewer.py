"""A data set to be leafed through, as it is or as an augmentation changes it."""


import ipywidgets
import numpy as np

from chainer_seg.datasets.browsing import find_label, pictures_with
from chainer_seg.errors import DatasetError, UserError
from chainer_seg.instances import Instances
from chainer_seg.widgets.detection_explorer import DetectionExplorer
from chainer_seg.widgets.events import button, row, status_html, told
from chainer_seg.widgets.stills import StillPicture

_ALL = 'all classes'


class DatasetViewer(StillPicture, ipywidgets.VBox):
    """Shows the pictures of a data set with their objects, one after the other.

    Buttons and a field go to another picture, a list restricts them to pictures with a class, and
    what is shown of the objects is chosen as in :class:`DetectionExplorer`. Where an augmentation is
    given, it can be switched on; the same seed gives a picture the same look again.

    Args:
        dataset: With ``len``, ``dataset[i] -> (image, Instances)`` and ``class_names``.
        augment: ``augment(image, instances, rng) -> image, instances``, such as
            :func:`chainer_seg.models.yolact.augmentation.augment`, or None.
        seed: What the augmentation begins with.
        number: The first picture to show, from 0.
        longest_side: Larger images are shown shrunk to this many pixels.

    Attributes:
        explorer: The :class:`DetectionExplorer` in it; ``viewer.explorer.instances`` is what is shown.

    Raises:
        chainer_seg.errors.UserError: The data set is empty, or the first picture cannot be read.
    """

    def __init__(self, dataset, augment=None, seed=0, number=0, longest_side=640):
        if not len(dataset):
            raise DatasetError('There is nothing to view: the data set is empty.')
        self.dataset, self._augment = dataset, augment
        self._number, self._showing = None, False
        self._make_controls(seed)
        self._status = ipywidgets.HTML()
        # Empty until the first picture comes.
        self.explorer = DetectionExplorer(
            np.zeros((1, 1, 3), np.uint8), Instances.empty(1, 1), longest_side)
        super().__init__([self._toolbar, self.explorer, self._status])
        self.go_to(number)

    def _make_controls(self, seed):
        self._place = ipywidgets.BoundedIntText(
            0, min=0, max=len(self.dataset) - 1, layout={'width': '80px'})
        self._place.observe(self._follow(lambda: self.go_to(self._place.value)), 'value')
        self._class = ipywidgets.Dropdown(
            options=[_ALL, *self.dataset.class_names], layout={'width': '160px'},
            tooltip='Go only to pictures with this class')
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
            button('', 'chevron-left', 'Picture before', self.previous, '34px'), self._place,
            ipywidgets.Label(f'of {len(self.dataset)}'),
            button('', 'chevron-right', 'Next picture', self.next, '34px'), self._class, change])

    def _follow(self, action):
        """``action`` for events of the user, not for what code shows in a control."""
        return lambda _: None if self._showing else told(action)()

    @property
    def number(self):
        """The number of the picture that is shown, from 0."""
        return self._number

    @property
    def class_name(self):
        """Next and previous go to pictures with this class; None for all; it can be set."""
        return None if self._class.value == _ALL else self._class.value

    @class_name.setter
    def class_name(self, name):
        if name is not None:
            find_label(self.dataset, name)
        self._class.value = _ALL if name is None else name

    @property
    def augmented(self):
        """Whether the augmentation changes what is shown; it can be set."""
        return self._augmented.value

    @augmented.setter
    def augmented(self, on):
        self._augmented.value = bool(on)

    @property
    def seed(self):
        """What the augmentation begins with; it can be set."""
        return self._seed.value

    @seed.setter
    def seed(self, seed):
        self._seed.value = seed

    @property
    def message(self):
        """What is written below the picture, as plain text."""
        return self._message

    def go_to(self, number):
        """Shows picture ``number``.

        Raises:
            chainer_seg.errors.UserError: There is no such picture, or it cannot be read; where it
                cannot be read the viewer stands at it nevertheless, so that one can go on.
        """
        if number not in range(len(self.dataset)):
            raise DatasetError(f'There is no picture {number}; there are {len(self.dataset)}, counted '
                               f'from 0.')
        self._number = int(number)
        self._showing = True
        try:
            self._place.value = self._number
        finally:
            self._showing = False
        try:
            image, instances = self._example(self._number)
            self.explorer.show(image, instances)
        except UserError as error:
            self._say(f'Picture {number} cannot be shown: {error}', is_error=True)
            raise
        names = getattr(self.dataset, 'image_names', None)
        height, width = image.shape[:2]
        self._say(f'{names[number] if names else f"picture {number}"}: {width}x{height} pixels, '
                  f'{len(instances)} objects')

    def next(self):
        """Goes to the next picture, with the chosen class where one is chosen."""
        self._step(range(self.number + 1, len(self.dataset)), 'after')

    def previous(self):
        """Goes to the picture before, with the chosen class where one is chosen."""
        self._step(range(self.number - 1, -1, -1), 'before')

    def snapshot(self):
        """What is shown, (h, w, 3) uint8 RGB."""
        return self.explorer.snapshot()

    def _step(self, numbers, where):
        label = None if self.class_name is None else find_label(self.dataset, self.class_name)
        try:
            found = next(pictures_with(self.dataset, label, numbers), None)
        except UserError as error:
            self._say(str(error), is_error=True)
            raise
        if found is not None:
            self.go_to(found)
            return
        kind = f' with the class {self.class_name}' if self.class_name else ''
        self._say(f'There is no picture{kind} {where} this one.')

    def _example(self, number):
        image, instances = self.dataset[number]
        if self._augment is None or not self.augmented:
            return image, instances
        return self._augment(image, instances, np.random.default_rng((abs(self.seed), number)))

    def _say(self, message, is_error=False):
        self._message = message
        self._status.value = status_html(message, is_error)

    def __repr__(self):
        return f'DatasetViewer(picture {self.number} of {len(self.dataset)})'
