"""A picture on which clicks select an object: left adds, right removes, the mask follows."""

import base64
import html
import math
import numbers

import cv2
import ipywidgets
import numpy as np

from chainer_seg.errors import ClickError, UserError
from chainer_seg.images import as_image, resize
from chainer_seg.models.deeplab import Click
from chainer_seg.visualization import overlay_clicks, overlay_masks
from chainer_seg.visualization.colors import POSITIVE
from chainer_seg.widgets.surface import ClickSurface

_WHITE = (255, 255, 255)

_HINT = 'Left click: part of the object. Right click or Shift: not part of it.'


class ClickCanvas(ipywidgets.VBox):
    """An image, a click model, and the mask that the clicks select.

    A left click says "this belongs to the object"; a right click, a click with Shift, or a click
    while "Remove" is chosen (for touch screens) says "this does not". Clicks made while the
    model computes wait their turn. What goes wrong is said in one sentence below the image.

    Args:
        image: Anything that :func:`chainer_seg.images.as_image` takes: a path, a PIL image, an
            array.
        model: A click model, or the name or path of a model file, such as ``'click'``.
        longest_side: Larger images are shown shrunk to this many pixels; clicks, probability
            and mask are in pixels of the image itself.

    Raises:
        chainer_seg.errors.UserError: The image or the model cannot be read.
    """

    def __init__(self, image, model='click', longest_side=640):
        if not hasattr(model, 'session'):
            from chainer_seg.model_file import load_model
            model = load_model(model)
        self._session = model.session(as_image(image))
        self.surface = ClickSurface(self._session.image, longest_side)
        self.surface.on_msg(self._receive)
        self._sign = ipywidgets.ToggleButtons(
            options=[('Add', False), ('Remove', True)], style={'button_width': '80px'},
            tooltips=['A click marks the object', 'A click marks what is not the object'])
        ipywidgets.link((self._sign, 'value'), (self.surface, 'negative'))
        buttons = [self._button(*texts) for texts in (
            ('Undo', 'undo', 'Take the last click back', self.undo),
            ('Redo', 'repeat', 'Set the click again that was taken back', self.redo),
            ('Reset', 'trash', 'Forget all clicks', self.reset))]
        self._status = ipywidgets.HTML()
        row = ipywidgets.HBox([self._sign, *buttons], layout={'align_items': 'center'})
        super().__init__([self.surface, row, self._status])
        self._show()

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
        return self._session.probability > self.surface.threshold

    @property
    def message(self):
        """What is written below the image, as plain text."""
        return self._message

    def add(self, *clicks):
        """Adds clicks, as if the user had made them; the mask is ready when this returns."""
        self._change(lambda: self._session.add(*clicks))

    def undo(self):
        """Takes the last click back."""
        self._change(self._session.undo)

    def redo(self):
        """Sets the click again that was taken back last."""
        self._change(self._session.redo)

    def reset(self):
        """Forgets all clicks."""
        self._change(self._session.reset)

    def snapshot(self):
        """What the canvas shows, as (h, w, 3) uint8 RGB at the size at which it is shown."""
        size = self.surface.shown_size
        inside = resize(self.probability, size) > self.surface.threshold
        picture = overlay_masks(resize(self.image, size), inside, [POSITIVE],
                                self.surface.opacity)
        picture = overlay_masks(picture, inside, [_WHITE], alpha=0, contour=1)
        scale = np.divide(size, self.image.shape[:2])
        shown = [Click((click.y + 0.5) * scale[0] - 0.5, (click.x + 0.5) * scale[1] - 0.5,
                       click.positive) for click in self.clicks]
        return overlay_clicks(picture, shown, radius=7)

    def __repr__(self):
        height, width = self.image.shape[:2]
        return f'ClickCanvas({height}x{width} image, {len(self.clicks)} clicks)'

    def _repr_mimebundle_(self, **options):
        """The widget, and a still picture for readers without Jupyter, such as a code host."""
        bundle = super()._repr_mimebundle_(**options)
        _, data = cv2.imencode('.jpg', np.ascontiguousarray(self.snapshot()[:, :, ::-1]),
                               [cv2.IMWRITE_JPEG_QUALITY, 85])
        still = {'image/jpeg': base64.b64encode(data.tobytes()).decode('ascii')}
        if isinstance(bundle, tuple):
            return ({**bundle[0], **still}, *bundle[1:])
        return {**bundle, **still}

    def _receive(self, _, content, buffers):
        if not isinstance(content, dict) or content.get('kind') != 'click':
            return
        try:
            self._change(lambda: self._session.add(_click(content)))
        finally:
            self.surface.send({'kind': 'done', 'ticket': content.get('ticket')})

    def _change(self, change):
        """Runs a change of the session; an error becomes a sentence and changes nothing."""
        self.surface.busy = True
        error = None
        try:
            change()
        except UserError as problem:
            error = str(problem)
        except KeyboardInterrupt:
            error = 'Interrupted; nothing was changed.'
        except Exception as problem:  # A callback's traceback would vanish in a log.
            error = (f'The mask could not be computed ({type(problem).__name__}: '
                     f'{str(problem).splitlines()[0] if str(problem) else "no details"}).')
        finally:
            self.surface.busy = False
        self._show(error)

    def _show(self, error=None):
        self.surface.show(self.clicks, self.probability)
        self._message = error or self._summary()
        color = 'var(--jp-error-color1, #b00020)' if error else 'inherit'
        text = html.escape(self._message)
        self._status.value = f'<span style="color: {color}">{text}</span>'

    def _summary(self):
        if not self.clicks:
            return _HINT
        if not any(click.positive for click in self.clicks):
            return 'No click says yet where the object is; left click on it.'
        count = len(self.clicks)
        return (f'{count} click{"s" if count > 1 else ""}; the object covers '
                f'{100 * np.mean(self.mask):.1f} % of the image.')

    def _button(self, text, icon, tooltip, action):
        button = ipywidgets.Button(description=text, icon=icon, tooltip=tooltip,
                                   layout={'width': '90px'})
        button.on_click(lambda _: action())
        return button


def _click(content):
    """The click of a message from the browser."""
    place = content.get('y'), content.get('x')
    if not all(isinstance(value, numbers.Real) and math.isfinite(value) for value in place):
        raise ClickError('A click came without a place; click again.')
    return Click(*map(float, place), bool(content.get('positive', True)))

