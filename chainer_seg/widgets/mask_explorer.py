"""What the explorers of masks share: the traits by which picture and masks reach the browser."""

import pathlib

import anywidget
import traitlets

from chainer_seg.images import resize
from chainer_seg.visualization import instance_colors
from chainer_seg.widgets.mask_data import encode_jpeg, pack_masks
from chainer_seg.widgets.stills import StillPicture

_FOLDER = pathlib.Path(__file__).parent


def explorer_program(name):
    """The JavaScript of an explorer: what all share, and the file ``name``."""
    return '\n'.join((_FOLDER / each).read_text(encoding='utf-8') for each in ('mask_runs.js', name))


class MaskExplorer(StillPicture, anywidget.AnyWidget):
    """An image with masks on it; subclasses set ``_esm`` to :func:`explorer_program` of their own."""

    _css = _FOLDER / 'explorer.css'

    shown_size = traitlets.Tuple((1, 1)).tag(sync=True)
    image_size = traitlets.Tuple((1, 1)).tag(sync=True)
    image_data = traitlets.Bytes(b'').tag(sync=True)
    # Of all masks one after the other: where the runs end, as uint32, counted down the columns of
    # the shown picture; the first run of a mask lies outside.
    ends_data = traitlets.Bytes(b'').tag(sync=True)
    # For each mask, as uint32: the first of its ends, their number, and x, y, width and height.
    places_data = traitlets.Bytes(b'').tag(sync=True)
    colors_data = traitlets.Bytes(b'').tag(sync=True)


def shown_traits(image, codes, size):
    """The traits of a :class:`MaskExplorer`.

    Args:
        image: (H, W, 3) uint8.
        codes: Run-length codes of the masks, of the shown size.
        size: (h, w) of the shown picture.

    Returns:
        A dict of their values.
    """
    ends, places = pack_masks(codes)
    return {'image_size': image.shape[:2], 'shown_size': size,
            'image_data': encode_jpeg(resize(image, size)),
            'ends_data': ends.tobytes(), 'places_data': places.tobytes(),
            'colors_data': instance_colors(len(codes)).tobytes()}
