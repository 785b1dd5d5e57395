"""The canvas of the click widgets: an image with masks and clicks, drawn by the browser.

Data are sent as binary buffers: the image once as JPEG, then after each click the probability as a
grey PNG, which the browser colours. So colours, opacity, threshold, zoom and pan change there without
a round trip to Python.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import anywidget
import cv2
import numpy as np
import numpy.typing as npt
import traitlets

from chainer_seg.images import resize
from chainer_seg.run_length_masks import RunLengthMasks
from chainer_seg.widgets.assets import read_assets
from chainer_seg.widgets.mask_data import encode_jpeg
from chainer_seg.widgets.sizes import sent_size, shown_size

if TYPE_CHECKING:
    from chainer_seg.models.deeplab import Click

_PROGRAM = ('view.js', 'zooming.js', 'layers.js', 'keys.js', 'gestures.js', 'drawing.js', 'outbox.js',
            'frame.js', 'image_canvas.js')
_MAX_OBJECTS = 255  # numbers that fit a grey PNG; further objects reuse the first ones' colours


class ImageCanvas(anywidget.AnyWidget):
    """Shows an image with masks and reports clicks on it.

    Args:
        longest_side: Maximum longer side of the displayed image in pixels; images below 480 are enlarged.
        commands: The commands that keys may send: any of ``undo``, ``redo``, ``reset``, ``finish``,
            ``previous`` and ``next``.

    Attributes:
        image_number: The number of the displayed image.
        clicks: The clicks to show: a list of [y, x, positive] in pixels of the image.
        negative: What a plain click means: 1 for negative, 0 for positive.
        tool: What a drag means: 0 for clicks only, 1 for a box, 2 for a brush stroke.
        brush: Radius of the brush in pixels of the screen.
        previews: Whether the browser asks what a click would select while the mouse moves.
        busy: Whether Python is computing.
        opacity: Opacity of the masks, from 0 to 1.
        threshold: Pixels with a higher probability belong to the mask.

    The browser sends messages about the image with the number ``image`` that the user saw:

    - ``{'kind': 'click', 'clicks': [[y, x, positive], ..]}``, and ``'hover'`` in its place for a preview;
    - ``{'kind': 'box', 'box': [y_min, x_min, y_max, x_max]}``;
    - ``{'kind': 'stroke', 'points': [[y, x], ..], 'radius': .., 'positive': ..}``;
    - ``{'kind': 'command', 'name': ..}``.

    Each has a ``ticket``. The reply ``{'kind': 'done', 'ticket': ..}`` says that it has been handled; until
    then the browser holds back what follows, and sends clicks that have waited together.
    """

    _esm = read_assets(*_PROGRAM)
    _css = read_assets('zooming.css', 'image_canvas.css')

    image_number = traitlets.Int(0).tag(sync=True)
    image_size = traitlets.Tuple((1, 1)).tag(sync=True)
    shown_size = traitlets.Tuple((1, 1)).tag(sync=True)
    image_data = traitlets.Bytes(b'').tag(sync=True)
    probability_data = traitlets.Bytes(b'').tag(sync=True)
    objects_data = traitlets.Bytes(b'').tag(sync=True)
    object_colors: traitlets.List = traitlets.List().tag(sync=True)
    clicks: traitlets.List = traitlets.List().tag(sync=True)
    commands: traitlets.List = traitlets.List().tag(sync=True)
    negative = traitlets.Int(0).tag(sync=True)
    tool = traitlets.Int(0).tag(sync=True)
    brush = traitlets.Float(12).tag(sync=True)
    previews = traitlets.Bool(False).tag(sync=True)
    preview_data = traitlets.Bytes(b'').tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)
    opacity = traitlets.Float(0.5).tag(sync=True)
    threshold = traitlets.Float(0.5).tag(sync=True)

    def __init__(self, longest_side: int = 640, commands: Iterable[str] = (), **traits: Any) -> None:
        self._longest_side = longest_side
        super().__init__(commands=list(commands), **traits)

    def show_image(self, image: npt.NDArray[np.uint8], number: int = 0) -> None:
        """Shows image ``number``, (H, W, 3) uint8 RGB."""
        size = image.shape[:2]
        with self.hold_sync():
            self.image_number, self.image_size = number, size
            self.shown_size = shown_size(size, self._longest_side)
            self.image_data = encode_jpeg(resize(image, self._sent_size))

    def show(self, clicks: 'Iterable[Click]', probability: npt.NDArray[np.floating]) -> None:
        """Shows clicks (in pixels of the image) and a probability (H, W) from 0 to 1."""
        grey = _grey(probability, self._sent_size)
        with self.hold_sync():
            self.preview_data = b''
            self.clicks = [[float(click.y), float(click.x), bool(click.positive)]
                           for click in clicks]
            self.probability_data = _encode_png(grey)

    def show_preview(self, probability: npt.NDArray[np.floating]) -> None:
        """Shows the probability (H, W) that a click would give, until the next :meth:`show`."""
        self.preview_data = _encode_png(_grey(probability, self.shown_size))

    def show_objects(self, masks: Sequence[npt.NDArray[np.bool_]], colors: npt.NDArray[np.uint8]) -> None:
        """Shows finished objects.

        Args:
            masks: R masks (H, W) bool; where they overlap, the smaller object is on top.
            colors: (R, 3) uint8 RGB.
        """
        with self.hold_sync():
            self.object_colors = np.asarray(colors, int).reshape(-1, 3)[:_MAX_OBJECTS].tolist()
            self.objects_data = _encode_png(self._numbers(masks)) if len(masks) else b''

    def _numbers(self, masks: Sequence[np.ndarray]) -> npt.NDArray[np.uint8]:
        """(h, w) uint8 of the size that is sent: 0, or 1 + the number of the object on top."""
        # Sampled, since numbers must not be interpolated.
        rows, columns = ((2 * np.arange(few) + 1) * many // (2 * few)
                         for few, many in zip(self._sent_size, self.image_size))
        small = np.stack([mask[rows[:, None], columns] for mask in masks])
        owner = RunLengthMasks.from_masks(small).topmost().astype(np.int32)
        return np.where(owner > 0, (owner - 1) % _MAX_OBJECTS + 1, 0).astype(np.uint8)

    @property
    def _sent_size(self) -> tuple[int, int]:
        return sent_size(self.image_size, self._longest_side)


def _grey(probability: npt.NDArray[np.floating], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    small = resize(np.asarray(probability, np.float32), size)
    return np.round(np.clip(small, 0, 1) * 255).astype(np.uint8)


def _encode_png(grey: np.ndarray) -> bytes:
    # Speed matters more than size: the browser usually runs on the same machine.
    return cv2.imencode('.png', np.ascontiguousarray(grey),
                        [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
