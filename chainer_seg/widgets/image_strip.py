"""A row of thumbnails, each of which is made when it is scrolled into view."""

from collections.abc import Callable, Sequence
from typing import Any

import anywidget
import numpy as np
import numpy.typing as npt
import traitlets

from chainer_seg.errors import UserError
from chainer_seg.images import fit_within, resize
from chainer_seg.widgets.assets import read_assets
from chainer_seg.widgets.mask_data import encode_jpeg

_SIDE = 192  # longer side of a thumbnail in pixels; twice what is shown, for fine screens


class ImageStrip(anywidget.AnyWidget):
    """Thumbnails of some images of a collection, which may be large.

    Args:
        read: ``read(number) -> image``, (H, W, 3) uint8 RGB. A thumbnail that it has a
            :class:`chainer_seg.errors.UserError` for shows its number alone.

    Attributes:
        numbers: The numbers of the images, from 0.
        titles: What each is called.
        chosen: The number of the image in the middle; the browser sets it to the one that is clicked.
    """

    _esm = read_assets('image_strip.js')
    _css = read_assets('image_strip.css')

    numbers = traitlets.List(traitlets.Int()).tag(sync=True)
    titles = traitlets.List(traitlets.Unicode()).tag(sync=True)
    chosen = traitlets.Int(-1).tag(sync=True)

    def __init__(self, read: Callable[[int], npt.NDArray[np.uint8]], **options: Any) -> None:
        self._read = read
        super().__init__(**options)
        self.on_msg(self._receive)

    def show(self, numbers: Sequence[int], titles: Sequence[str], chosen: int) -> None:
        """Shows other images."""
        with self.hold_sync():
            self.titles, self.numbers, self.chosen = list(titles), list(numbers), chosen

    def thumbnail(self, number: int) -> bytes:
        """The thumbnail of an image as a JPEG file; empty if the image cannot be read."""
        try:
            image = self._read(number)
        except UserError:
            return b''
        return encode_jpeg(resize(image, fit_within((image.shape[0], image.shape[1]), _SIDE)))

    def _receive(self, _: Any, message: Any, buffers: Any) -> None:
        """Answers the browser, which asks for the thumbnail of an image that can be seen."""
        number = message.get('number') if isinstance(message, dict) else None
        if number in self.numbers:
            self.send({'kind': 'thumbnail', 'number': number}, [self.thumbnail(number)])
