"""Clicks and the maps that encode them (arXiv 1603.04042, section 3.1; disks: arXiv 2102.06583)."""

import dataclasses
import math
import numbers
from collections.abc import Sequence

import numpy as np

from chainer_seg.errors import ClickError

# Distances are truncated to this; a map without clicks is this value everywhere.
LARGEST_DISTANCE = 255.0


@dataclasses.dataclass(frozen=True)
class Click:
    """A point that a user clicked, on the object or off it.

    Attributes:
        y, x: Position in pixels; (0, 0) is the centre of the top left pixel.
        positive: True on the object, False off it.
    """

    y: float
    x: float
    positive: bool = True


def check_clicks(clicks: Sequence[Click], size: Sequence[int]) -> None:
    """Raises :class:`chainer_seg.errors.ClickError` for anything but clicks inside an image of ``size``.

    Args:
        clicks: The clicks to check.
        size: (height, width) in pixels.
    """
    height, width = size
    for click in clicks:
        if not isinstance(click, Click):
            raise ClickError(f'Expected a click, got {click!r}; write Click(y=.., x=.., positive=..).')
        if not all(isinstance(value, numbers.Real) for value in (click.y, click.x)):
            raise ClickError(f'The coordinates of a click must be numbers, got x={click.x!r}, '
                             f'y={click.y!r}.')
        if click.positive not in (True, False):
            raise ClickError(f'positive must be True or False in a click, got '
                             f'{click.positive!r}.')
        if not (-0.5 <= click.y <= height - 0.5 and -0.5 <= click.x <= width - 0.5):
            raise ClickError(f'The click at x={click.x}, y={click.y} lies outside the image, '
                             f'whose x goes from 0 to {width - 1} and y from 0 to {height - 1}.')


def pixel_of(click: Click) -> tuple[int, int]:
    """The pixel (row, column) of an image that a click inside it lies on."""
    # The edge of the image, half a pixel outside the centres, belongs to the outermost pixels.
    return max(0, math.ceil(click.y - 0.5)), max(0, math.ceil(click.x - 0.5))


def click_points(clicks: Sequence[Click]) -> np.ndarray:
    """Clicks as an array (K, 3) float32 of y, x and sign: 1 for positive and -1 for negative clicks."""
    rows = [(click.y, click.x, 1 if click.positive else -1) for click in clicks]
    return np.array(rows, np.float32).reshape(-1, 3)


def click_maps(clicks: Sequence[Click], size: tuple[int, int], *, scale: float = 1.0,
               mean: float = 0.0) -> np.ndarray:
    """Distance of each pixel to the nearest positive and to the nearest negative click.

    Args:
        clicks: A sequence of :class:`Click`.
        size: (H, W) in pixels.
        scale: Distances are multiplied by this before they are truncated to 255: 1 in the paper,
            6 in the TensorFlow implementation.
        mean: Subtracted afterwards: 0 in the paper, 131 in the TensorFlow implementation.

    Returns:
        (2, H, W) float32: the positive map, then the negative one.
    """
    return point_maps(click_points(clicks)[None], size, scale=scale, mean=mean)[0]


def point_maps(points: np.ndarray, size: tuple[int, int], *, scale: float = 1.0,
               mean: float = 0.0) -> np.ndarray:
    """:func:`click_maps` of a batch.

    Args:
        points: (B, K, 3) float32 of y, x and sign, as of :func:`click_points`; rows with sign 0 are
            padding.
        size, scale, mean: As those of :func:`click_maps`.

    Returns:
        (B, 2, H, W) float32, on the device of ``points``.
    """
    from chainer import backend
    nearest = squared_distances(points, size, (LARGEST_DISTANCE / scale) ** 2)
    xp = backend.get_array_module(points)
    distance = xp.sqrt(nearest) * np.float32(scale)
    return xp.minimum(distance, np.float32(LARGEST_DISTANCE)) - np.float32(mean)


def disk_maps(points: np.ndarray, size: tuple[int, int], *, radius: float = 5.0,
              mean: float = 0.0) -> np.ndarray:
    """Disks around the clicks (arXiv 2102.06583, section 3.1).

    A map is 0 on the disks and 255 elsewhere, like truncated distances, so that a network trained with
    distances can be fine-tuned with disks.

    Args:
        points, size: As those of :func:`point_maps`.
        radius: Radius of the disks in pixels; a pixel whose centre is exactly this far belongs to the disk.
        mean: Subtracted afterwards.

    Returns:
        (B, 2, H, W) float32, on the device of ``points``: the positive map, then the negative one.
    """
    from chainer import backend
    nearest = squared_distances(points, size, np.inf)
    values = np.array([LARGEST_DISTANCE - mean, -mean], np.float32)
    xp = backend.get_array_module(points)
    return xp.where(nearest <= radius ** 2, values[1], values[0])


def squared_distances(points: np.ndarray, size: tuple[int, int], largest: float) -> np.ndarray:
    """(B, 2, H, W) float32, squared distances to the nearest click of each sign, at most ``largest``.

    ``points`` and ``size`` are as those of :func:`point_maps`.
    """
    from chainer import backend
    xp = backend.get_array_module(points)
    nearest = xp.full((len(points), 2, *size), largest, np.float32)
    rows = xp.arange(size[0], dtype=np.float32)[:, None]
    columns = xp.arange(size[1], dtype=np.float32)
    for number in range(points.shape[1]):
        y, x, sign = (points[:, number, part, None, None] for part in range(3))
        squared = (rows - y) ** 2 + (columns - x) ** 2
        for channel, wanted in enumerate((1, -1)):
            chosen = xp.where(sign == wanted, squared, np.float32(np.inf))
            xp.minimum(nearest[:, channel], chosen, out=nearest[:, channel])
    return nearest
