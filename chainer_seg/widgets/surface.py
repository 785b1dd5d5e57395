"""The picture that is clicked on: an image, a mask over it and the clicks, drawn by the browser.

What the browser needs travels as binary buffers: the image once as JPEG, then after each click the
probability as a grey PNG, which the browser colours. So colours and opacity change there without
asking Python.
"""

import pathlib

import anywidget
import cv2
import numpy as np
import traitlets

from chainer_seg.images import fit_within, resize

_FOLDER = pathlib.Path(__file__).parent
_JPEG_QUALITY = 92


class ClickSurface(anywidget.AnyWidget):
    """Shows an image and reports clicks on it.

    Args:
        image: (H, W, 3) uint8 RGB.
        longest_side: The image is shown with at most this many pixels along its longer side.

    Attributes:
        clicks: The clicks to show: a list of [y, x, positive] in pixels of the image.
        negative: What a plain click means: True for a negative one, as the toggle sets it.
        busy: Whether Python computes.
        opacity: Of the mask, from 0 to 1.
        threshold: Pixels with a higher probability belong to the mask.

    The browser sends ``{'kind': 'click', 'y': .., 'x': .., 'positive': .., 'ticket': ..}``; the
    answer ``{'kind': 'done', 'ticket': ..}`` tells it that this click has been dealt with.
    """

    _esm = _FOLDER / 'click_surface.js'
    _css = _FOLDER / 'click_surface.css'

    image_size = traitlets.Tuple((1, 1)).tag(sync=True)
    shown_size = traitlets.Tuple((1, 1)).tag(sync=True)
    image_data = traitlets.Bytes(b'').tag(sync=True)
    probability_data = traitlets.Bytes(b'').tag(sync=True)
    clicks = traitlets.List().tag(sync=True)
    negative = traitlets.Bool(False).tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)
    opacity = traitlets.Float(0.5).tag(sync=True)
    threshold = traitlets.Float(0.5).tag(sync=True)

    def __init__(self, image, longest_side=640, **traits):
        size = image.shape[:2]
        shown = fit_within(size, longest_side)
        super().__init__(image_size=size, shown_size=shown,
                         image_data=_encode('.jpg', resize(image, shown)[:, :, ::-1],
                                            [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]), **traits)

    def show(self, clicks, probability):
        """Shows clicks (objects with ``y``, ``x``, ``positive``) and a probability (H, W)."""
        small = resize(np.asarray(probability, np.float32), self.shown_size)
        grey = np.round(np.clip(small, 0, 1) * 255).astype(np.uint8)
        with self.hold_sync():
            self.clicks = [[float(click.y), float(click.x), bool(click.positive)]
                           for click in clicks]
            # Speed matters more than size: the browser mostly runs on the same machine.
            self.probability_data = _encode('.png', grey, [cv2.IMWRITE_PNG_COMPRESSION, 1])


def _encode(ending, array, options):
    return cv2.imencode(ending, np.ascontiguousarray(array), options)[1].tobytes()
