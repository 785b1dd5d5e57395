"""The picture that is clicked on: an image, masks over it and clicks, drawn by the browser.

What the browser needs travels as binary buffers: the image once as JPEG, then after each click the
probability as a grey PNG, which the browser colours. So colours, opacity, threshold, zoom and pan
change there without asking Python.
"""

import pathlib

import anywidget
import cv2
import numpy as np
import traitlets

from chainer_seg.images import fit_within, resize
from chainer_seg.masks import topmost
from chainer_seg.widgets.mask_data import encode_jpeg

_FOLDER = pathlib.Path(__file__).parent
_PROGRAM = ('view.js', 'layers.js', 'keys.js', 'gestures.js', 'click_surface.js')
# Pixels along the longer side that are sent, so that zooming in shows more than was seen before.
_DETAIL = 1280
_MOST_OBJECTS = 255  # numbers that a grey PNG holds; further objects share the first ones' colours


class ClickSurface(anywidget.AnyWidget):
    """Shows a picture with masks and reports clicks on it.

    Args:
        longest_side: Pictures are shown with at most this many pixels along their longer side.
        commands: The commands that keys may send, of ``undo``, ``redo``, ``reset``, ``finish``,
            ``previous`` and ``next``.

    Attributes:
        picture: The number of the picture that is shown.
        clicks: The clicks to show: a list of [y, x, positive] in pixels of the image.
        negative: What a plain click means: 1 for a negative one, 0 for a positive one.
        busy: Whether Python computes.
        opacity: Of the masks, from 0 to 1.
        threshold: Pixels with a higher probability belong to the mask.

    The browser sends ``{'kind': 'click', 'y': .., 'x': .., 'positive': .., 'picture': ..,
    'ticket': ..}`` and ``{'kind': 'command', 'name': .., 'picture': .., 'ticket': ..}``, where
    ``picture`` is the one that the user saw; the answer ``{'kind': 'done', 'ticket': ..}`` tells it
    that this has been dealt with.
    """

    # One program in parts: a widget has a single file, from which nothing can be imported.
    _esm = '\n'.join((_FOLDER / name).read_text(encoding='utf-8') for name in _PROGRAM)
    _css = _FOLDER / 'click_surface.css'

    picture = traitlets.Int(0).tag(sync=True)
    image_size = traitlets.Tuple((1, 1)).tag(sync=True)
    shown_size = traitlets.Tuple((1, 1)).tag(sync=True)
    image_data = traitlets.Bytes(b'').tag(sync=True)
    probability_data = traitlets.Bytes(b'').tag(sync=True)
    objects_data = traitlets.Bytes(b'').tag(sync=True)
    object_colors = traitlets.List().tag(sync=True)
    clicks = traitlets.List().tag(sync=True)
    commands = traitlets.List().tag(sync=True)
    negative = traitlets.Int(0).tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)
    opacity = traitlets.Float(0.5).tag(sync=True)
    threshold = traitlets.Float(0.5).tag(sync=True)

    def __init__(self, longest_side=640, commands=(), **traits):
        self._longest_side = longest_side
        super().__init__(commands=list(commands), **traits)

    def show_image(self, image, picture=0):
        """Shows an image (H, W, 3) uint8 RGB under the number ``picture``."""
        size = image.shape[:2]
        with self.hold_sync():
            self.picture, self.image_size = picture, size
            self.shown_size = fit_within(size, self._longest_side)
            self.image_data = encode_jpeg(resize(image, self._sent_size))

    def show(self, clicks, probability):
        """Shows clicks (objects with ``y``, ``x``, ``positive``) and a probability (H, W)."""
        small = resize(np.asarray(probability, np.float32), self._sent_size)
        grey = np.round(np.clip(small, 0, 1) * 255).astype(np.uint8)
        with self.hold_sync():
            self.clicks = [[float(click.y), float(click.x), bool(click.positive)]
                           for click in clicks]
            self.probability_data = _encode_png(grey)

    def show_objects(self, masks, colors):
        """Shows finished objects.

        Args:
            masks: R masks (H, W) bool; where they overlap, the smaller object is on top.
            colors: (R, 3) uint8 RGB.
        """
        with self.hold_sync():
            self.object_colors = np.asarray(colors, int).reshape(-1, 3)[:_MOST_OBJECTS].tolist()
            self.objects_data = _encode_png(self._numbers(masks)) if len(masks) else b''

    def _numbers(self, masks):
        """(h, w) uint8: 0 or 1 + the number of the object on top, as large as is sent."""
        # Numbers are picked, not mixed as those of a probability would be.
        rows, columns = ((2 * np.arange(few) + 1) * many // (2 * few)
                         for few, many in zip(self._sent_size, self.image_size))
        owner = topmost(np.stack([mask[rows[:, None], columns] for mask in masks])).astype(np.int32)
        return np.where(owner > 0, (owner - 1) % _MOST_OBJECTS + 1, 0).astype(np.uint8)

    @property
    def _sent_size(self):
        return fit_within(self.image_size, max(_DETAIL, self._longest_side))


def _encode_png(grey):
    # Speed matters more than size: the browser mostly runs on the same machine.
    return cv2.imencode('.png', np.ascontiguousarray(grey),
                        [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes()
