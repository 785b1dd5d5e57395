"""A picture on which clicks select an object: left adds, right removes, the mask follows."""

import math
import numbers
import threading

import ipywidgets
import numpy as np

from chainer_seg.errors import ClickError
from chainer_seg.images import resize
from chainer_seg.models.deeplab import Click
from chainer_seg.visualization import overlay_clicks, overlay_masks
from chainer_seg.colors import POSITIVE
from chainer_seg.widgets.events import button, problem_sentence, row, status_html, told
from chainer_seg.widgets.pictures import list_pictures, name_apart
from chainer_seg.widgets.stills import StillPicture
from chainer_seg.widgets.surface import ClickSurface

_WHITE = (255, 255, 255)

_HINT = 'Left click: part of the object. Right click or Shift: not part of it.'


class ClickCanvas(StillPicture, ipywidgets.VBox):
    """An image, a click model, and the mask that the clicks select.

    A left click says "this belongs to the object"; a right click, a click with Shift, or a click
    while "Remove" is chosen (for touch screens) says "this does not". Clicks made while the
    model computes wait their turn. The wheel, pinching and the buttons on the picture zoom; the
    button "?" lists all that mouse and keys do. What goes wrong is said in one sentence below the
    image.

    :class:`ClickSegmenter` does more: many objects, many images, saving and loading.

    Args:
        image: Anything that :func:`chainer_seg.images.as_image` takes: a path, a PIL image, an
            array.
        model: A click model, or the name or path of a model file, such as ``'click'``.
        longest_side: Larger images are shown shrunk to this many pixels; clicks, probability
            and mask are in pixels of the image itself.

    Raises:
        chainer_seg.errors.UserError: The image or the model cannot be read.
    """

    _commands = ('undo', 'redo', 'reset')

    def __init__(self, image, model='click', longest_side=640):
        self._begin([image], model, longest_side)
        super().__init__([self.surface, row([self._sign, *self._history]), self._status])
        self._show()

    def _begin(self, images, model, longest_side):
        """All that is needed before the controls can be laid out."""
        if not hasattr(model, 'session'):
            from chainer_seg.model_file import load_model
            model = load_model(model)
        self._model = model
        # Cells and clicks may run in different threads of the kernel.
        self._lock = threading.RLock()
        self._pictures, self._number = list_pictures(images), 0
        name_apart(self._pictures)
        self._on_surface = None
        self.surface = ClickSurface(longest_side, self._commands)
        self._open(0)
        self.surface.on_msg(self._receive)
        self.surface.observe(self._follow_threshold, 'threshold')
        self._status = ipywidgets.HTML()
        self._sign = ipywidgets.ToggleButtons(
            options=['+ Add', '− Remove'], style={'button_width': '96px'},
            tooltips=['Clicks mark the object', 'Clicks mark what is not the object (X)'])
        # In the browser: Python may be busy while the user turns from adding to removing.
        ipywidgets.jslink((self._sign, 'index'), (self.surface, 'negative'))
        self._history = [button(*texts) for texts in (
            ('Undo', 'undo', 'Take the last click back (Z)', self.undo),
            ('Redo', 'repeat', 'Set the click again that was taken back (Y)', self.redo),
            ('Reset', 'trash', 'Forget all clicks on this object (R)', self.reset))]

    @property
    def _session(self):
        return self._pictures[self._number].session

    def _open(self, number):
        session = self._pictures[number].open(self._model)
        session.threshold = self.surface.threshold
        return session

    @property
    def image(self):
        """(H, W, 3) uint8 RGB."""
        return self._session.image

    @property
    def clicks(self):
        """The clicks that count now, a tuple of :class:`chainer_seg.models.deeplab.Click`."""
        return self._session.clicks

    @property
    def probability(self):
        """(H, W) float32: how likely each pixel belongs to the object."""
        return self._session.probability

    @property
    def mask(self):
        """(H, W) bool: where the object is."""
        return self._session.mask

    @property
    def message(self):
        """What is written below the image, as plain text."""
        return self._message

    def add(self, *clicks):
        """Adds clicks, as if the user had made them; the mask is ready when this returns.

        Raises:
            chainer_seg.errors.ClickError: A click lies outside the image; nothing is changed.
        """
        self._change(lambda session: session.add(*clicks))

    def undo(self):
        """Takes the last click back."""
        self._change(lambda session: session.undo())

    def redo(self):
        """Sets the click again that was taken back last."""
        self._change(lambda session: session.redo())

    def reset(self):
        """Forgets all clicks."""
        self._change(lambda session: session.reset())

    def snapshot(self):
        """What the canvas shows, as (h, w, 3) uint8 RGB at the size at which it is shown."""
        size = self.surface.shown_size
        inside = resize(self.probability, size) > self._session.threshold
        picture = overlay_masks(self._snapshot_below(size), inside, [POSITIVE],
                                self.surface.opacity)
        picture = overlay_masks(picture, inside, [_WHITE], alpha=0, contour=1)
        scale = np.divide(size, self.image.shape[:2])
        shown = [Click((click.y + 0.5) * scale[0] - 0.5, (click.x + 0.5) * scale[1] - 0.5,
                       click.positive) for click in self.clicks]
        return overlay_clicks(picture, shown, radius=7)

    def _snapshot_below(self, size):
        """(h, w, 3) uint8: what lies under the current object."""
        return resize(self.image, size)

    def __repr__(self):
        height, width = self.image.shape[:2]
        return f'{type(self).__name__}({height}x{width} image, {len(self.clicks)} clicks)'

    def _receive(self, _, content, buffers):
        """What the browser sends: the user may see another picture by now, or saw it before."""
        if not isinstance(content, dict) or content.get('kind') not in ('click', 'command'):
            return
        try:
            if content['kind'] == 'click':
                told(self._change)(lambda session: session.add(_click(content)),
                                   content.get('picture'))
            elif content.get('name') in self._commands:
                told(self._command)(content['name'], content.get('picture'))
        finally:
            self.surface.send({'kind': 'done', 'ticket': content.get('ticket')})

    def _command(self, name, picture):
        """Runs what a key asked for on the picture on which it was pressed."""
        self._change(lambda session: getattr(session, name)(), picture)

    def _change(self, change, picture=None):
        """Changes the session of a picture, which is the current one unless a number is given.

        Whatever the result is, it stays with that picture: nothing of it is shown on another one.
        """
        def run():
            number = self._number if picture is None else picture
            if number not in range(len(self._pictures)):
                raise ClickError('A click came from a picture that is not here; click again.')
            change(self._open(number))
            if number != self._number:
                return f'The last click was made on {self._pictures[number].name} and is kept there.'

        self._do(run)

    def _do(self, action):
        """Runs something that may take long; its sentence, or its error's, goes below the picture."""
        with self._lock:
            self.surface.busy = True
            try:
                note = action()
            except BaseException as problem:
                self._show(error=problem_sentence(problem, 'The mask could not be computed'))
                raise
            finally:
                self.surface.busy = False
            self._show(note)

    def _show(self, note=None, error=None):
        with self.surface.hold_sync():
            if self._on_surface != self._number:
                self.surface.show_image(self.image, self._number)
                self._on_surface = self._number
            self.surface.show(self.clicks, self.probability)
        self._say(error or note or self._summary(), bool(error))

    def _say(self, message, is_error=False):
        self._message = message
        self._status.value = status_html(message, is_error)

    def _summary(self):
        if self.mask.any():
            count = len(self.clicks)
            return (f'{count} click{"" if count == 1 else "s"}; the object covers '
                    f'{100 * np.mean(self.mask):.1f} % of the image.')
        if not self.clicks:
            return _HINT
        if not any(click.positive for click in self.clicks):
            return 'No click says yet where the object is; left click on it.'
        return 'Nothing was found there; click on the object once more.'

    def _follow_threshold(self, change):
        for picture in self._pictures:
            if picture.session is not None:
                picture.session.threshold = change['new']
        self._say(self._summary())


def _click(content):
    """The click of a message from the browser."""
    place = content.get('y'), content.get('x')
    if not all(isinstance(value, numbers.Real) and math.isfinite(value) for value in place):
        raise ClickError('A click came without a place; click again.')
    return Click(*map(float, place), bool(content.get('positive', True)))
