"""What a user does on the canvas, as the browser reports it: clicks, boxes and strokes."""

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from chainer_seg.errors import ClickError
from chainer_seg.models.click_shapes import stroke_mask
from chainer_seg.models.deeplab import Click

if TYPE_CHECKING:
    from chainer_seg.models.click_session import ClickSession


def _add_clicks(session: 'ClickSession', content: Mapping[str, Any]) -> None:
    session.add_together(*clicks_of(content))


def _add_box(session: 'ClickSession', content: Mapping[str, Any]) -> None:
    try:
        box = [float(edge) for edge in content['box']]
        y_min, x_min, y_max, x_max = box
    except (KeyError, TypeError, ValueError):
        raise ClickError('The browser sent a box without coordinates; drag it again.') from None
    session.add_box((y_min, x_min, y_max, x_max))


def _add_stroke(session: 'ClickSession', content: Mapping[str, Any]) -> None:
    try:
        points = np.array(content['points'], np.float64).reshape(-1, 2)
        radius = float(content['radius'])
    except (KeyError, TypeError, ValueError):
        raise ClickError('The browser sent a stroke without coordinates; draw it again.') from None
    session.paint(stroke_mask(points, radius, session.image.shape[:2]), bool(content.get('positive', True)))


def clicks_of(content: Mapping[str, Any]) -> list[Click]:
    """The clicks in a message from the browser, each [y, x, positive]."""
    try:
        clicks = [Click(float(y), float(x), bool(positive)) for y, x, positive in content['clicks']]
    except (KeyError, TypeError, ValueError):
        clicks = []
    if not clicks or not all(math.isfinite(click.y) and math.isfinite(click.x) for click in clicks):
        raise ClickError('The browser sent a click without coordinates; click again.')
    return clicks


# What is done with the messages of each kind.
GESTURES: dict[str, Callable] = {'click': _add_clicks, 'box': _add_box, 'stroke': _add_stroke}
