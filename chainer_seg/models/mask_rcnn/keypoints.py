"""From heat maps of regions to keypoints of the image (arXiv 1703.06870, section 5), as in Detectron."""

import numpy as np
from chainer import backend

# Heat maps are enlarged in groups of at most so many values, for the memory (256 MB).
GROUP_VALUES = 2 ** 26

# The free parameter of the cubic of OpenCV's INTER_CUBIC.
_CUBIC = -0.75


def find_keypoints(heatmaps, boxes):
    """The place of the highest value of each heat map, at the resolution of its box.

    Args:
        heatmaps: (R, K, S, S) float32 logits.
        boxes: (R, 4) float32 with inclusive maxima, in pixels of the image.

    Returns:
        (R, K, 3) float32 (y, x, logit), in pixels of the image.
    """
    xp = backend.get_array_module(heatmaps)
    # Detectron measures these boxes as half-open ones.
    sides = xp.maximum(boxes[:, 2:] - boxes[:, :2], 1)
    pixels = xp.ceil(sides).astype(int)
    found = xp.zeros(heatmaps.shape[:2] + (3,), np.float32)
    for part in _groups(pixels, heatmaps.shape[1]):
        place, found[part, :, 2] = _highest(heatmaps[part], pixels[part])
        step = (sides[part] / pixels[part])[:, None]
        found[part, :, :2] = (place + np.float32(0.5)) * step + boxes[part, None, :2]
    return found


def _groups(pixels, keypoints):
    """Splits boxes of (R, 2) pixels into groups of similar size, small enough together."""
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


def _highest(heatmaps, pixels):
    """The places (r, K, 2) and the values (r, K) of the maxima of heat maps at their boxes' sizes."""
    xp = backend.get_array_module(heatmaps)
    side = heatmaps.shape[2]
    height, width = (int(length) for length in pixels.max(axis=0))
    rows = _cubic_weights(side, pixels[:, 0], height)[:, None]
    columns = _cubic_weights(side, pixels[:, 1], width)[:, None].transpose(0, 1, 3, 2)
    large = xp.matmul(rows, xp.matmul(heatmaps, columns))
    large = xp.where(xp.arange(height)[:, None] < pixels[:, 0, None, None, None], large, -np.inf)
    large = xp.where(xp.arange(width) < pixels[:, 1, None, None, None], large, -np.inf)
    flat = large.reshape(heatmaps.shape[:2] + (-1,))
    place = flat.argmax(axis=2)
    return xp.stack([place // width, place % width], axis=2), flat.max(axis=2)


def _cubic_weights(side, lengths, count):
    """What each of ``side`` samples counts for the first ``count`` pixels of lines of some lengths.

    Args:
        side: Number of samples.
        lengths: (R,) int, pixels of each line.
        count: Number of pixels; those beyond the end of a line count for nothing.

    Returns:
        (R, count, side) float32.
    """
    xp = backend.get_array_module(lengths)
    position = (xp.arange(count) + 0.5) * (side / lengths)[:, None] - 0.5
    below = xp.floor(position)
    # Four neighbours; the samples at both ends go on beyond them.
    neighbours = below[..., None] + xp.arange(-1, 3)
    weights = _cubic(xp.abs(position[..., None] - neighbours))
    chosen = xp.clip(neighbours, 0, side - 1)[..., None] == xp.arange(side)
    return (weights[..., None] * chosen).sum(axis=2).astype(np.float32)


def _cubic(distance):
    """The cubic convolution kernel (Keys 1981, equation 15) at distances up to 2."""
    xp = backend.get_array_module(distance)
    near = ((_CUBIC + 2) * distance - (_CUBIC + 3)) * distance ** 2 + 1
    far = ((_CUBIC * distance - 5 * _CUBIC) * distance + 8 * _CUBIC) * distance - 4 * _CUBIC
    return xp.where(distance <= 1, near, far)
