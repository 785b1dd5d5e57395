"""What a widget leaves for readers of a notebook that do not run it."""

import asyncio
import base64
import io

import numpy as np
from PIL import Image


def decode_saved(widget):
    """The image of the saved view, (h, w, 3) uint8."""
    with Image.open(io.BytesIO(base64.b64decode(widget.saved_view()['image/jpeg']))) as image:
        return np.asarray(image)


class DisplayedView:
    """Takes the place of what IPython displays, and keeps the image that it shows last."""

    def __init__(self):
        self.shown = []

    def update(self, bundle, raw):
        self.shown.append(bundle['image/jpeg'])


def views_after(widget, change, times=3):
    """The saved views that a displayed widget draws when ``change(number)`` is called several times."""
    async def call():
        widget._saved_view = DisplayedView()
        for number in range(times):
            change(number)
        await asyncio.sleep(0.5)
        return widget._saved_view.shown

    return asyncio.run(call())
