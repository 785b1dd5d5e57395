"""Pastes the mask logits of windows into the image, as runs of pixels, without filling images.

Torch's ``image.scale`` resizes a mask to its window, the width first: bilinearly with aligned corners
when it is enlarged, and by averaging areas when it is shrunk. Along a column of the image an enlarged mask
is linear between two samples, so it crosses the threshold there at most once, at a position that can be
computed. The cost of a mask is that of its samples, not of its pixels.
"""

import numpy as np
import numpy.typing as npt

from chainer_seg.run_length_masks import RunLengthMasks

# Approximate number of samples of the masks that are pasted together, which fit into a processor's cache.
GROUP_SAMPLES = 2 ** 19

# Minimum distance of a crossing from the samples on both sides, against rounding.
_NEAR = 1e-9


def paste_windows(logits: np.ndarray, tops: np.ndarray, lefts: np.ndarray, window: int, scale: float,
                  size: tuple[int, int], threshold: float) -> RunLengthMasks:
    """Pastes the masks of windows of a pyramid's level into the image.

    Args:
        logits, size, threshold: As those of :func:`paste`.
        tops, lefts: (R,) int, the first row and column of each window in pixels of the padded level.
        window: Side of the windows in pixels of the level; its border is half of it.
        scale: Scale of the level.
    """
    tops, lefts = (np.floor(first / scale - window / 2 / scale).astype(int) for first in (tops, lefts))
    return paste(logits, tops, lefts, int(window / scale), size, threshold)


def paste(logits: np.ndarray, tops: np.ndarray, lefts: np.ndarray, side: int, size: tuple[int, int],
          threshold: float) -> RunLengthMasks:
    """Pastes square masks into an image.

    Args:
        logits: (R, S, S) float32.
        tops, lefts: (R,) int, the first row and column of each window in pixels of the image; windows
            are clipped to the image.
        side: Side of the windows in pixels.
        size: (H, W) of the image.
        threshold: Probability above which a pixel belongs to the mask, in (0, 1).

    Returns:
        The R masks as :class:`chainer_seg.run_length_masks.RunLengthMasks`.
    """
    limit = np.float32(np.log(threshold / (1 - threshold)))
    group = max(1, GROUP_SAMPLES // (side * min(side, logits.shape[1])))
    parts = np.split(np.arange(len(logits)), range(group, len(logits), group))
    return RunLengthMasks.collect(
        [(_paste_group(logits[part], tops[part], lefts[part], side, size, limit), part)
         for part in parts], len(logits), size)


def _paste_group(logits: np.ndarray, tops: np.ndarray, lefts: np.ndarray, side: int, size: tuple[int, int],
                 limit: np.float32) -> RunLengthMasks:
    first = int(np.clip(-lefts, 0, side).min(initial=side))
    last = int(np.clip(size[1] - lefts, first, side).max(initial=first))
    columns, exact = _columns(logits, side, first, last)
    number, column, row = _crossings(columns, limit, None if exact else side)
    row = np.clip(row + tops[number], 0, size[0])
    # Every run is two crossings in one column of one mask.
    number, column, top, bottom = number[::2], column[::2], row[::2], row[1::2]
    column = column + lefts[number] + first
    seen = (column >= 0) & (column < size[1]) & (top < bottom)
    return RunLengthMasks(number[seen], column[seen], top[seen], bottom[seen], len(logits), size)


def resize_masks(masks: np.ndarray, side: int) -> np.ndarray:
    """Masks (R, S, S) resized to (R, side, side) float32 like Torch's ``image.scale``."""
    columns, exact = _columns(masks, side, 0, side)
    if not exact:
        columns = _interpolate(columns.transpose(0, 2, 1), side, 0, side).transpose(0, 2, 1)
    return columns.transpose(0, 2, 1)


def _columns(masks: np.ndarray, side: int, first: int, last: int) -> tuple[np.ndarray, bool]:
    """The columns from ``first`` to ``last`` of masks at the width ``side``.

    Returns:
        (R, last - first, h) float32, and whether h is already ``side``.
    """
    flipped = np.ascontiguousarray(masks.transpose(0, 2, 1))
    length = masks.shape[1]
    if side == length:
        return flipped[:, first:last], True
    if side < length:
        weights = _area_weights(length, side)
        return weights[first:last] @ flipped @ weights.T, True
    return _interpolate(flipped, side, first, last), False


def _interpolate(x: np.ndarray, side: int, first: int, last: int) -> np.ndarray:
    """Samples ``first`` to ``last`` of the second axis of (R, n, h) at the length ``side``."""
    length = x.shape[1]
    place = np.arange(first, last) * ((length - 1) / (side - 1))
    below = np.minimum(place.astype(int), max(length - 2, 0))
    part = (place - below).astype(np.float32)[:, None]
    result = x[:, np.minimum(below + 1, length - 1)]
    result *= part
    lower = x[:, below]
    lower *= 1 - part
    result += lower
    return result


def _area_weights(length: int, side: int) -> npt.NDArray[np.float32]:
    """(side, length) float32: the weight of each sample in the mean over ``length / side`` of them."""
    ratio = length / side
    start = np.arange(side)[:, None] * ratio
    sample = np.arange(length)
    overlap = np.minimum(start + ratio, sample + 1) - np.maximum(start, sample)
    return (np.maximum(overlap, 0) / ratio).astype(np.float32)


def _crossings(columns: np.ndarray, limit: np.float32,
               side: int | None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The rows at which columns (R, C, h) of masks cross the threshold.

    Args:
        side: The height to which the columns are interpolated; None if they have it already.

    Returns:
        Number of the mask, column, and row of each first pixel above or not above ``limit`` in turn,
        ordered by mask, column and row. Rows go up to the height of the column.
    """
    count, width, length = columns.shape
    above = np.zeros((count, width, length + 2), bool)
    np.greater(columns, limit, out=above[:, :, 1:-1])
    flat = np.flatnonzero(above[:, :, 1:] != above[:, :, :-1])
    column, after = np.divmod(flat, length + 1)
    row = after if side is None else _rows(columns, column, after, limit, side)
    number, column = np.divmod(column, width)
    return number, column, row


def _rows(columns: np.ndarray, column: np.ndarray, after: np.ndarray, limit: np.float32,
          side: int) -> npt.NDArray[np.int64]:
    """The rows at which interpolated columns cross ``limit`` between samples after - 1 and after."""
    length = columns.shape[2]
    flat = columns.reshape(-1)
    inner = np.clip(after, 1, max(length - 1, 1))
    start = column * length + inner - 1
    low = flat[start].astype(np.float64)
    high = flat[np.minimum(start + 1, flat.size - 1)].astype(np.float64)
    with np.errstate(divide='ignore', invalid='ignore'):
        part = np.clip((limit - low) / (high - low), _NEAR, 1 - _NEAR)
    place = (inner - 1 + part) * ((side - 1) / max(length - 1, 1))
    row = np.where(high > low, np.floor(place) + 1, np.ceil(place))
    return np.select([after == 0, after == length], [0, side], row).astype(int)
