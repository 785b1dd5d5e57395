"""Clicks and the maps that tell a network about them (section 3.1 of arXiv 1603.04042)."""

import dataclasses

import numpy as np

from chainer_seg.errors import ClickError

# Distances are cut off here; a map without any click is this value everywhere.
LARGEST_DISTANCE = 255.0


@dataclasses.dataclass(frozen=True)
class Click:
    """A point that a user marked: on the object, or off it.

    Attributes:
        y, x: Position in pixels; (0, 0) is the centre of the top left pixel.
        positive: True on the object, False on what is not part of it.
    """

    y: float
    x: float
    positive: bool = True


def check_clicks(clicks, size):
    """Raises :class:`chainer_seg.errors.ClickError` for a click outside ``size`` = (height, width)."""
    height, width = size
    for click in clicks:
        if not (-0.5 <= click.y <= height - 0.5 and -0.5 <= click.x <= width - 0.5):
            raise ClickError(f'The click at x={click.x:g}, y={click.y:g} lies outside the image, '
                             f'whose x goes from 0 to {width - 1} and y from 0 to {height - 1}.')


def click_maps(clicks, size, *, scale=1.0, mean=0.0):
    """Distance of each pixel to the nearest positive and to the nearest negative click.

    Args:
        clicks: A sequence of :class:`Click`.
        size: (H, W) in pixels.
        scale: Distances are multiplied by this before they are cut off at 255: 1 in the paper,
            6 in the TensorFlow implementation.
        mean: Subtracted afterwards: 0 in the paper, 131 in the TensorFlow implementation.

    Returns:
        (2, H, W) float32: the positive map, then the negative one.
    """
    return np.stack([
        _distance([click for click in clicks if click.positive == positive], size, scale)
        for positive in (True, False)]) - np.float32(mean)


def _distance(clicks, size, scale):
    nearest = np.full(size, LARGEST_DISTANCE / scale, np.float32)
    nearest *= nearest
    rows = np.arange(size[0], dtype=np.float32)[:, None]
    columns = np.arange(size[1], dtype=np.float32)[None, :]
    for click in clicks:
        squared = (rows - np.float32(click.y)) ** 2 + (columns - np.float32(click.x)) ** 2
        np.minimum(nearest, squared, out=nearest)
    return np.minimum(np.sqrt(nearest) * np.float32(scale), np.float32(LARGEST_DISTANCE))
