"""The default image view of a widget, for viewers that cannot run it, such as a code host."""

import base64
from typing import Any

import ipywidgets
import numpy as np
import numpy.typing as npt

from chainer_seg.widgets.mask_data import encode_jpeg

_JPEG_QUALITY = 85


class DefaultImageView(ipywidgets.Widget):
    """Adds a JPEG image of :meth:`snapshot` to the notebook output of a widget.

    Must precede the class of the widget in the list of bases.
    """

    def snapshot(self) -> npt.NDArray[np.uint8]:
        """What the widget shows, (h, w, 3) uint8 RGB."""
        raise NotImplementedError

    def _repr_mimebundle_(self, **options: Any) -> Any:
        bundle = super()._repr_mimebundle_(**options)
        data = encode_jpeg(self.snapshot(), _JPEG_QUALITY)
        image = {'image/jpeg': base64.b64encode(data).decode('ascii')}
        if isinstance(bundle, tuple):
            return ({**bundle[0], **image}, *bundle[1:])
        return {**bundle, **image}
