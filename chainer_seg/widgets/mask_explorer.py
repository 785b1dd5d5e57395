"""The base of the mask explorers: the traits that bring the image and the masks to the browser."""

import pathlib
from collections.abc import Sequence
from typing import Any

import anywidget
import numpy as np
import numpy.typing as npt
import traitlets

from chainer_seg.images import resize
from chainer_seg.visualization import instance_colors
from chainer_seg.widgets.mask_data import encode_jpeg, pack_masks
from chainer_seg.widgets.notebook_cell import GUARD_PROGRAM, GUARD_STYLE, NotebookWidget

_FOLDER = pathlib.Path(__file__).parent


def explorer_program(name: str) -> str:
    """The JavaScript of an explorer: the shared code and the file ``name``."""
    files = ((_FOLDER / each).read_text(encoding='utf-8') for each in ('run_lengths.js', name))
    return '\n'.join([GUARD_PROGRAM, *files])


class MaskExplorer(NotebookWidget, anywidget.AnyWidget):
    """An image with masks on it; subclasses set ``_esm`` to :func:`explorer_program` of their own."""

    _css = GUARD_STYLE + (_FOLDER / 'explorer.css').read_text(encoding='utf-8')

    shown_size = traitlets.Tuple((1, 1)).tag(sync=True)
    image_size = traitlets.Tuple((1, 1)).tag(sync=True)
    image_data = traitlets.Bytes(b'').tag(sync=True)
    # The ends of the runs of all masks, concatenated, uint32, in column-major order of the displayed
    # image; the first run of a mask is background.
    ends_data = traitlets.Bytes(b'').tag(sync=True)
    # For each mask, as uint32: the index of its first end, the number of its ends, and x, y, width
    # and height of its box.
    places_data = traitlets.Bytes(b'').tag(sync=True)
    colors_data = traitlets.Bytes(b'').tag(sync=True)


def shown_traits(image: npt.NDArray[np.uint8], codes: Sequence[dict[str, Any]], size: tuple[int, int]
                 ) -> dict[str, Any]:
    """The values of the traits of a :class:`MaskExplorer`, by name.

    Args:
        image: (H, W, 3) uint8.
        codes: The masks, run-length encoded, at the displayed size.
        size: (h, w) of the displayed image.
    """
    ends, places = pack_masks(codes)
    return {'image_size': image.shape[:2], 'shown_size': size,
            'image_data': encode_jpeg(resize(image, size)),
            'ends_data': ends.tobytes(), 'places_data': places.tobytes(),
            'colors_data': instance_colors(len(codes)).tobytes()}
