"""Images side by side in which zoom and pan move all of them."""

import anywidget
import traitlets

from chainer_seg.widgets.assets import read_assets
from chainer_seg.widgets.mask_explorer import STAGE_PROGRAM, STAGE_STYLE


class LinkedImages(anywidget.AnyWidget):
    """Several images of one size.

    Attributes:
        names: What each shows.
        images: JPEG files, as bytes.
        shown_size: (height, width) in pixels at which each is shown.
    """

    _esm = STAGE_PROGRAM + read_assets('linked_images.js')
    _css = STAGE_STYLE

    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    images = traitlets.List(traitlets.Bytes()).tag(sync=True)
    shown_size = traitlets.Tuple((1, 1)).tag(sync=True)
