"""A click model without weights, whose masks are known in advance; and messages as a browser sends them."""

import numpy as np

from chainer_seg.images import as_image
from chainer_seg.models.deeplab.session import NetworkSession


class Discs:
    """Each click sets or clears a disc of radius 10, the later above the earlier."""

    mask_input, zoom_side, local_side = False, None, None

    def session(self, image, refinement=None):
        return NetworkSession(self, as_image(image), refinement)

    def predict_logits(self, image, clicks, previous=None, side=None):
        rows, columns = np.mgrid[:image.shape[0], :image.shape[1]]
        found = np.zeros(image.shape[:2], np.float32)
        for click in clicks:
            near = (rows - click.y) ** 2 + (columns - click.x) ** 2 <= 100
            found[near] = click.positive
        return found[None]

    def decode(self, logits, size):
        return logits[0]


class Broken(Discs):
    """Every click ends in ``error``."""

    def __init__(self, error):
        self.error = error

    def predict_logits(self, *arguments):
        raise self.error


def disc(size, y, x):
    """(H, W) bool: the pixels within 10 of a place."""
    rows, columns = np.mgrid[:size[0], :size[1]]
    return (rows - y) ** 2 + (columns - x) ** 2 <= 100


def press(widget, y, x, positive=True, ticket='1', image=0):
    """A click in the browser."""
    send(widget, kind='click', clicks=[[y, x, positive]], ticket=ticket, image=image)


def command(widget, name, image=0):
    """A key in the browser."""
    send(widget, kind='command', name=name, ticket='1', image=image)


def send(widget, **content):
    widget.canvas._handle_custom_msg(content, [])
