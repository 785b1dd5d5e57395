"""From heat maps of regions to keypoints of the image (arXiv 1703.06870, section 5), as in Detectron."""

from collections.abc import Iterator

import numpy as np
from chainer import backend

from chainer_seg.arrays import Array

# Maximum number of values of the heat maps that are enlarged together, to bound the memory.
GROUP_VALUES = 2 ** 22

# The free parameter of the cubic of OpenCV's INTER_CUBIC.
_CUBIC = -0.75


def find_keypoints(heatmaps: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """The position of the maximum of each heat map, at the resolution of its box.

    Args:
        heatmaps: (R, K, S, S) float32 logits.
        boxes: (R, 4) float32 with inclusive maxima, in pixels of the image.

    Returns:
        (R, K, 3) float32 (y, x, logit), in pixels of the image.
    """
    xp = backend.get_array_module(heatmaps)
    # Detectron treats these boxes as half-open.
    sides = xp.maximum(boxes[:, 2:] - boxes[:, :2], 1)
    pixels = xp.ceil(sides).astype(int)
    found = xp.zeros(heatmaps.shape[:2] + (3,), np.float32)
    for part in _groups(pixels, heatmaps.shape[1]):
        place, found[part, :, 2] = _highest(heatmaps[part], pixels[part])
        step = (sides[part] / pixels[part])[:, None]
        found[part, :, :2] = (place + np.float32(0.5)) * step + boxes[part, None, :2]
    return found


def _groups(pixels: Array, keypoints: int) -> Iterator[Array]:
    """Splits boxes of (R, 2) pixels into groups of similar size within the memory limit."""
    xp = backend.get_array_module(pixels)
    order = xp.argsort(pixels.prod(axis=1))
    size = np.asarray(pixels[order].tolist(), int).reshape(-1, 2)
    start = 0
    while start < len(order):
        # All heat maps of a group are enlarged to its largest height and width.
        largest = np.maximum.accumulate(size[start:], axis=0).prod(axis=1)
        values = largest * keypoints * np.arange(1, len(largest) + 1)
        count = max(1, int(np.searchsorted(values, GROUP_VALUES, side='right')))
        yield order[start:start + count]
        start += count


def _highest(heatmaps: Array, pixels: Array) -> tuple[Array, Array]:
    """The positions (r, K, 2) and values (r, K) of the maxima of heat maps at the sizes of their boxes."""
    xp = backend.get_array_module(heatmaps)
    height, width = (int(length) for length in pixels.max(axis=0))
    rows = _cubic_weights(heatmaps.shape[2], pixels[:, 0], height)
    columns = _cubic_weights(heatmaps.shape[3], pixels[:, 1], width)
    large = xp.matmul(rows[:, None], xp.matmul(heatmaps, columns.transpose(0, 2, 1)[:, None]))
    flat = large.reshape(heatmaps.shape[:2] + (-1,))
    best = flat.argmax(axis=2)
    place = xp.stack([best // width, best % width], axis=2)
    value = xp.take_along_axis(flat, best[..., None], axis=2)[..., 0]
    # Beyond the end of a box its last pixels were repeated.
    return xp.minimum(place, pixels[:, None] - 1), value


def _cubic_weights(side: int, lengths: Array, count: int) -> Array:
    """The weights of ``side`` samples in the pixels of resized lines (OpenCV's cubic interpolation).

    Args:
        side: Number of samples.
        lengths: (R,) int, pixels of each line.
        count: Number of pixels to compute; those beyond the end of a line repeat its last one.

    Returns:
        (R, count, side) float32.
    """
    xp = backend.get_array_module(lengths)
    pixel = xp.minimum(xp.arange(count), lengths[:, None] - 1)
    position = (pixel + 0.5) * (side / lengths)[:, None] - 0.5
    # Two more samples at each end repeat the first and the last one.
    weights = _cubic(xp.abs(position[..., None] - xp.arange(-2, side + 2)))
    weights[..., 2] += weights[..., :2].sum(axis=2)
    weights[..., -3] += weights[..., -2:].sum(axis=2)
    return xp.ascontiguousarray(weights[..., 2:-2], dtype=np.float32)


def _cubic(distance: Array) -> Array:
    """The cubic convolution kernel (Keys 1981, equation 15)."""
    xp = backend.get_array_module(distance)
    near = ((_CUBIC + 2) * distance - (_CUBIC + 3)) * distance ** 2 + 1
    far = ((_CUBIC * distance - 5 * _CUBIC) * distance + 8 * _CUBIC) * distance - 4 * _CUBIC
    return xp.where(distance <= 1, near, xp.where(distance < 2, far, 0))
