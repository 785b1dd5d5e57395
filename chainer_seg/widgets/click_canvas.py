"""An image on which clicks select an object: left click adds, right click removes, the mask follows."""

import contextlib
import functools
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import numpy.typing as npt

from chainer_seg.images import ImageLike, resize
from chainer_seg.models.click_shapes import stroke_mask
from chainer_seg.models.deeplab import Click
from chainer_seg.visualization import overlay_clicks, overlay_masks
from chainer_seg.colors import POSITIVE
from chainer_seg.widgets.events import (
    button, error_message, row, status_html, status_line, without_errors)
from chainer_seg.widgets.gestures import GESTURES, clicks_of
from chainer_seg.widgets.image_canvas import ImageCanvas
from chainer_seg.widgets.image_set import ImageSet
from chainer_seg.widgets.model_menu import click_model
from chainer_seg.widgets.notebook_cell import NotebookBox

if TYPE_CHECKING:
    from chainer_seg.models.click_model import ClickModel

_WHITE = (255, 255, 255)
_FAST = 0.06  # seconds in which a click must be computed for previews of the next one

_HINT = 'Left-click to add to the object; right-click or Shift+click to remove from it.'


class ClickCanvas(NotebookBox):
    """An image, a click model, and the mask that the clicks select.

    "Box" starts the object from a box that is dragged around it; "Brush" paints and erases its parts. The
    arrow keys move a crosshair, at which Enter clicks. Where the model answers a click within 60 ms, what a
    click would select is shown while the mouse moves.

    A left click marks what belongs to the object; a right click, a Shift+click, or a click while
    "Remove" is selected (for touch screens) marks what does not. Clicks made while the model is
    computing wait, and are then computed together. The wheel, pinching and the buttons below the image
    zoom; the button "?" lists all mouse and keyboard actions. Errors are shown in one sentence below
    the image.

    :class:`chainer_seg.widgets.ClickSegmenter` does more: many objects, many images, saving and loading.

    Args:
        image: Anything that :func:`chainer_seg.images.as_image` accepts: a path, a PIL image, an
            array.
        model: A click model, a detector, a DeepMask or a SharpMask; or the name or path of a model file,
            such as ``'click'`` or ``'sharpmask'``.
        longest_side: Maximum longer side of the displayed image in pixels; images below 480 are enlarged.
            Clicks, probability and mask are in pixels of the original image.

    Raises:
        chainer_seg.errors.UserError: The image or the model cannot be read.
    """

    _commands: tuple[str, ...] = ('undo', 'redo', 'reset')

    def __init__(self, image: ImageLike, model: 'ClickModel | str | os.PathLike' = 'click',
                 longest_side: int = 640) -> None:
        self._begin(ImageSet([image], click_model(model)), longest_side)
        super().__init__([self.canvas, row([self._tool, self._sign, *self._history]), self._status])
        self._show()

    def _begin(self, images: ImageSet, longest_side: int) -> None:
        """Sets up everything that must exist before the controls are laid out."""
        # Cells and click handlers may run in different threads of the kernel.
        self._lock = threading.RLock()
        self._images = images
        self._on_canvas: int | None = None
        self.canvas = ImageCanvas(longest_side, self._commands)
        images.open(images.number)
        self.canvas.on_msg(self._receive)
        self.canvas.observe(self._follow_threshold, 'threshold')
        self._status = status_line()
        self._sign = ipywidgets.ToggleButtons(
            options=['+ Add', '− Remove'], style={'button_width': '96px'},
            tooltips=['Clicks add to the object', 'Clicks remove from the object (X)'])
        self._tool = ipywidgets.ToggleButtons(
            options=['Click', 'Box', 'Brush'], style={'button_width': '64px'},
            tooltips=['Click the object (C)', 'Drag a box around the object (B)',
                      'Paint or erase parts of the object (P)'])
        # Linked in the browser, since Python may be busy when the user switches.
        ipywidgets.jslink((self._sign, 'index'), (self.canvas, 'negative'))
        ipywidgets.jslink((self._tool, 'index'), (self.canvas, 'tool'))
        self._history = [button(*texts) for texts in (
            ('Undo', 'undo', 'Undo the last change (Z)', self.by_hand(self.undo)),
            ('Redo', 'repeat', 'Redo (Y)', self.by_hand(self.redo)),
            ('Reset', 'trash', 'Clear all clicks on this object (R)', self.by_hand(self.reset)))]

    @property
    def _session(self) -> Any:
        return self._images.session

    @property
    def image(self) -> npt.NDArray[np.uint8]:
        """(H, W, 3) uint8 RGB."""
        return self._session.image

    @property
    def clicks(self) -> tuple[Click, ...]:
        """The clicks on the current object, without undone ones."""
        return self._session.clicks

    @property
    def probability(self) -> npt.NDArray[np.float32]:
        """(H, W) float32: the probability that each pixel belongs to the object."""
        return self._session.probability

    @property
    def mask(self) -> npt.NDArray[np.bool_]:
        """(H, W) bool: the mask of the object."""
        return self._session.mask

    @property
    def message(self) -> str:
        """The status line below the image, as plain text."""
        return self._message

    def add(self, *clicks: Click) -> None:
        """Adds clicks, as if the user had made them; the mask is ready when this returns.

        Raises:
            chainer_seg.errors.ClickError: A click is outside the image; nothing is changed.
        """
        self._change(lambda session: session.add(*clicks))

    def add_box(self, box: Sequence[float]) -> None:
        """Starts the object from a box (y_min, x_min, y_max, x_max) in pixels, as if the user had dragged it.

        :meth:`chainer_seg.models.click_session.ClickSession.add_box` says what is made of it.

        Raises:
            chainer_seg.errors.ClickError: No object was found in the box; nothing is changed.
        """
        self._change(lambda session: session.add_box(box))

    def paint(self, points: npt.ArrayLike, radius: float, positive: bool = True) -> None:
        """Adds a brush stroke to the object, or erases it.

        Args:
            points: (N, 2), y and x of the path of the brush in pixels.
            radius: Of the brush in pixels.
            positive: Whether pixels are added.

        Raises:
            chainer_seg.errors.ClickError: The stroke has no points, or they are not finite.
        """
        self._change(lambda session: session.paint(
            stroke_mask(points, radius, session.image.shape[:2]), positive))

    def undo(self) -> None:
        """Undoes the last change of this image: a click, finishing, deleting or renaming an object."""
        self._change(lambda session: session.undo())

    def redo(self) -> None:
        """Redoes what was undone last."""
        self._change(lambda session: session.redo())

    def reset(self) -> None:
        """Clears all clicks on the current object."""
        self._change(lambda session: session.reset())

    def snapshot(self) -> npt.NDArray[np.uint8]:
        """What the canvas shows, (h, w, 3) uint8 RGB, at the size at which it is displayed."""
        size = self.canvas.shown_size
        inside = resize(self.probability, size) > self._session.threshold
        image = overlay_masks(self._snapshot_below(size), inside, [POSITIVE], self.canvas.opacity)
        image = overlay_masks(image, inside, [_WHITE], alpha=0, contour=1)
        scale = np.divide(size, self.image.shape[:2])
        shown = [Click((click.y + 0.5) * scale[0] - 0.5, (click.x + 0.5) * scale[1] - 0.5,
                       click.positive) for click in self.clicks]
        return overlay_clicks(image, shown, radius=7)

    def _snapshot_below(self, size: tuple[int, int]) -> np.ndarray:
        """(h, w, 3) uint8: what is below the current object."""
        return resize(self.image, size)

    def __repr__(self) -> str:
        height, width = self.image.shape[:2]
        return f'{type(self).__name__}({height}x{width} image, {len(self.clicks)} clicks)'

    def _receive(self, _: object, content: Any, buffers: object) -> None:
        """Handles a message from the browser; it may concern an image that is no longer the current one."""
        if not isinstance(content, dict) or content.get('kind') not in ('command', 'hover', *GESTURES):
            return
        kind, image = content['kind'], content.get('image')
        try:
            if kind == 'hover':
                self._preview(content)
            elif kind in GESTURES:
                self.by_hand(self._change)(functools.partial(GESTURES[kind], content=content), image)
            elif kind == 'command' and content.get('name') in self._commands:
                self.by_hand(self._command)(content['name'], image)
        finally:
            self.canvas.send({'kind': 'done', 'ticket': content.get('ticket')})

    def _preview(self, content: Mapping[str, Any]) -> None:
        """Shows what a click would give; ends previews where that takes too long."""
        if content.get('image') != self._images.number:
            return
        start = time.perf_counter()
        with self._lock, contextlib.suppress(Exception):
            self.canvas.show_preview(self._session.preview(clicks_of(content)[0]))
        self.canvas.previews = time.perf_counter() - start <= _FAST

    def by_hand(self, action: Callable) -> Callable[..., None]:
        """The handler of an event in the browser: it calls ``action``, which displays its own errors."""
        return without_errors(action)

    def _command(self, name: str, image: int | None) -> None:
        """Runs the command ``name`` on the image (its number) on which the key was pressed."""
        self._change(lambda session: {'undo': session.undo, 'redo': session.redo,
                                      'reset': session.reset}[name](), image)

    def _change(self, change: Callable[[Any], object], image: int | None = None) -> None:
        """Changes the session of an image given by its number; the current one by default.

        The result stays with that image: nothing of it is shown on another one.
        """
        def run() -> str | None:
            images = self._images
            number = images.number if image is None else image
            session = images.open(number)
            start = time.perf_counter()
            change(session)
            self.canvas.previews = time.perf_counter() - start <= _FAST
            if number != images.number:
                return f'The last click was made on {images.names[number]} and is saved there.'
            return None

        self._do(run)

    def _do(self, action: Callable[[], str | None]) -> None:
        """Runs an action that may take long; displays the message it returns, or its error."""
        with self._lock:
            self.canvas.busy = True
            try:
                note = action()
            except BaseException as problem:
                self._show(error=error_message(problem, 'Computing the mask failed'))
                raise
            finally:
                self.canvas.busy = False
            self._show(note)
            self.update_saved_view()

    def _show(self, note: str | None = None, error: str | None = None) -> None:
        with self.canvas.hold_sync():
            if self._on_canvas != self._images.number:
                self._on_canvas = self._images.number
                self.canvas.show_image(self.image, self._on_canvas)
            self.canvas.show(self.clicks, self.probability)
        self.say(error or note or self._summary(), bool(error))

    def say(self, message: str, is_error: bool = False) -> None:
        """Shows a message in the status line."""
        self._message = message
        self._status.value = status_html(message, is_error)

    def _summary(self) -> str:
        if self.mask.any():
            count = len(self.clicks)
            return (f'{count} click{"" if count == 1 else "s"}; the object covers '
                    f'{100 * np.mean(self.mask):.1f} % of the image.')
        if not self.clicks:
            return _HINT
        if not any(click.positive for click in self.clicks):
            return 'Left-click the object to start.'
        return 'No object found there; click the object again.'

    def _follow_threshold(self, change: Mapping[str, Any]) -> None:
        self._images.set_threshold(change['new'])
        self.say(self._summary())
