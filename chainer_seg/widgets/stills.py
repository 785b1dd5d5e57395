"""Still pictures of widgets, for readers without Jupyter such as a code host."""

import base64

from chainer_seg.widgets.mask_data import encode_jpeg

_JPEG_QUALITY = 85


class StillPicture:
    """Adds what ``snapshot() -> (h, w, 3) uint8`` gives to what a widget shows in a notebook.

    To be named before the class of the widget.
    """

    def _repr_mimebundle_(self, **options):
        bundle = super()._repr_mimebundle_(**options)
        data = encode_jpeg(self.snapshot(), _JPEG_QUALITY)
        still = {'image/jpeg': base64.b64encode(data).decode('ascii')}
        if isinstance(bundle, tuple):
            return ({**bundle[0], **still}, *bundle[1:])
        return {**bundle, **still}
