"""The base of the mask explorers: the traits that bring the image and the masks to the browser."""

from collections.abc import Sequence
from typing import Any

import anywidget
import numpy as np
import numpy.typing as npt
import traitlets

from chainer_seg.images import resize
from chainer_seg.visualization import instance_colors
from chainer_seg.widgets.assets import read_assets
from chainer_seg.widgets.mask_data import encode_jpeg, pack_masks
from chainer_seg.widgets.notebook_cell import GUARD_PROGRAM, GUARD_STYLE, NotebookWidget
from chainer_seg.widgets.sizes import sent_size, shown_size

# Canvases side by side with zoom and pan.
STAGE_PROGRAM = read_assets('view.js', 'zooming.js', 'keys.js', 'gestures.js', 'stage.js')
STAGE_STYLE = read_assets('zooming.css', 'stage.css')


def explorer_program(*names: str) -> str:
    """The JavaScript of an explorer: the shared code and the files ``names``."""
    return '\n'.join([GUARD_PROGRAM, STAGE_PROGRAM,
                      read_assets('run_lengths.js', 'controls.js', 'explorer.js', *names)])


class MaskExplorer(NotebookWidget, anywidget.AnyWidget):
    """An image with masks on it; subclasses set ``_esm`` to :func:`explorer_program` of their own.

    The browser zooms by the wheel, by pinching, by buttons below the image and by the keys + - 0.
    """

    _css = GUARD_STYLE + STAGE_STYLE + read_assets('explorer.css')

    # (height, width) at which the image is shown; of the masks that are sent; and of the image itself.
    shown_size = traitlets.Tuple((1, 1)).tag(sync=True)
    sent_size = traitlets.Tuple((1, 1)).tag(sync=True)
    image_size = traitlets.Tuple((1, 1)).tag(sync=True)
    image_data = traitlets.Bytes(b'').tag(sync=True)
    # The ends of the runs of all masks, concatenated, uint32, in column-major order of ``sent_size``; the
    # first run of a mask is background.
    ends_data = traitlets.Bytes(b'').tag(sync=True)
    # For each mask, as uint32: the index of its first end, the number of its ends, and x, y, width
    # and height of its box.
    places_data = traitlets.Bytes(b'').tag(sync=True)
    colors_data = traitlets.Bytes(b'').tag(sync=True)

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.observe(self.update_saved_view_soon, self.view_traits())

    @classmethod
    def view_traits(cls) -> list[str]:
        """The names of all traits that change what is shown."""
        return sorted({*cls.class_trait_names(sync=True)} - {*anywidget.AnyWidget.class_trait_names()})


def mask_traits(image: npt.NDArray[np.uint8], codes: Sequence[dict[str, Any]], longest_side: int,
                sent: tuple[int, int], colors: npt.NDArray[np.uint8] | None = None) -> dict[str, Any]:
    """The values of the traits of a :class:`MaskExplorer`, by name.

    Args:
        image: (H, W, 3) uint8.
        codes: R masks, run-length encoded, at the size that is sent.
        longest_side: Maximum longer side of the displayed image.
        sent: (h, w) of the masks.
        colors: (R, 3) uint8 RGB; different ones by default.
    """
    ends, places = pack_masks(codes)
    size = image.shape[:2]
    colors = instance_colors(len(codes)) if colors is None else colors
    return {'image_size': size, 'shown_size': shown_size(size, longest_side), 'sent_size': sent,
            'image_data': encode_jpeg(resize(image, sent_size(size, longest_side))),
            'ends_data': ends.tobytes(), 'places_data': places.tobytes(), 'colors_data': colors.tobytes()}
