"""The maps that show the network the clicks (section 3.2 of arXiv 2102.06583)."""

from collections.abc import Sequence

import numpy as np
from chainer import backend

from chainer_seg.models.deeplab.clicks import Click, click_points, squared_distances


def click_maps(points: np.ndarray, size: tuple[int, int], encoding: str, radius: float) -> np.ndarray:
    """Maps of the positive and of the negative clicks of a batch.

    Args:
        points: (B, K, 3) float32 of y, x and sign; rows of sign 0 are padding.
        size: (H, W) in pixels.
        encoding: ``'disk'``, 1 on disks around the clicks and 0 elsewhere, or ``'distance'``,
            tanh(2 d / radius) of the distance d to the nearest click; 1 without one.
        radius: In pixels.

    Returns:
        (B, 2, H, W) float32, on the device of ``points``.
    """
    xp = backend.get_array_module(points)
    nearest = squared_distances(points, size, np.inf)
    if encoding == 'disk':
        return (nearest <= np.float32(radius ** 2)).astype(np.float32)
    return xp.tanh(xp.sqrt(nearest) * np.float32(2 / radius))


def view_points(clicks: Sequence[Click], width: int, flip: bool) -> np.ndarray:
    """Clicks as :func:`click_maps` takes them, (1 or 2, K, 3) float32.

    Args:
        clicks: In pixels of the network's input. One that lies above and to the left of it is not
            shown, as in the original; other ones outside may reach in.
        width: Of the network's input in pixels.
        flip: Whether the mirrored clicks follow.
    """
    views = [click_points(clicks)]
    if flip:
        mirrored = views[0].copy()
        mirrored[:, 1] = np.array([width - 1 - click.x for click in clicks], np.float32)
        views.append(mirrored)
    points = np.stack(views)
    points[..., 2] *= points[..., :2].max(axis=-1) >= 0
    return points
