"""Masks of YOLACT: prototypes times coefficients, cropped, enlarged (arXiv 1904.02689, section 3.3)."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import numpy.typing as npt
from chainer import backend

from chainer_seg.arrays import Array
from chainer_seg.run_length_masks import RunLengthMasks

# Margin around the box within which masks are kept, in prototype pixels.
CROP_MARGIN = 1

# A pixel belongs to a mask above this probability.
MASK_THRESHOLD = 0.5

# Approximate number of pixels of an enlarged mask that are computed at once, which fit into the cache.
_STRIP_PIXELS = 2 ** 20


def assemble_masks(prototypes: Array, coefficients: Array, boxes: Array) -> Array:
    """The probabilities of R masks at the size of the prototypes, 0 outside of their boxes.

    Args:
        prototypes: (h, w, K) float32.
        coefficients: (R, K) float32.
        boxes: (R, 4) float32 (y_min, x_min, y_max, x_max) as fractions of the sides.

    Returns:
        (R, h, w) float32.
    """
    xp = backend.get_array_module(prototypes)
    height, width, count = prototypes.shape
    masks = -coefficients @ prototypes.reshape(height * width, count).T
    with np.errstate(over='ignore'):
        xp.exp(masks, out=masks)  # In place, as the arrays are large.
    masks += 1
    xp.divide(1, masks, out=masks)
    masks = masks.reshape(-1, height, width)
    first, stop = crop_limits(boxes, (height, width))
    masks *= _between(first[:, 0], stop[:, 0], height)[:, :, None]
    masks *= _between(first[:, 1], stop[:, 1], width)[:, None, :]
    return masks


def crop_limits(boxes: Array, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The limits to which masks are cropped.

    Args:
        boxes: (R, 4) float32, as fractions of the sides; their corners may be swapped.
        size: (height, width) of the masks.

    Returns:
        First row and column (R, 2), and those after the last (R, 2), whole numbers as float32.
    """
    xp = backend.get_array_module(boxes)
    sides = xp.asarray(size, np.float32)
    low = xp.minimum(boxes[:, :2], boxes[:, 2:]) * sides - CROP_MARGIN
    high = xp.maximum(boxes[:, :2], boxes[:, 2:]) * sides + CROP_MARGIN
    return xp.ceil(xp.maximum(low, 0)), xp.ceil(xp.minimum(high, sides))


def enlarged_runs(masks: npt.NDArray[np.float32], boxes: npt.NDArray[np.float32], size: tuple[int, int]
                  ) -> RunLengthMasks:
    """The pixels of R masks in the image, resized bilinearly from the prototypes.

    Args:
        masks: (R, h, w) float32 of :func:`assemble_masks`, on the CPU.
        boxes: (R, 4) float32, their boxes.
        size: (height, width) of the image.
    """
    windows = _enlarged_windows(boxes, masks.shape[1:], size).tolist()
    return RunLengthMasks.collect(
        [(runs, np.array([number])) for number, (mask, window) in enumerate(zip(masks, windows))
         for runs in _strips_of_runs(mask, window, size)], len(masks), size)


def _strips_of_runs(mask: npt.NDArray[np.float32], window: Sequence[int], size: tuple[int, int]
                    ) -> Iterator[RunLengthMasks]:
    """The runs of an enlarged mask in its window, a few columns at a time, which fit into the cache."""
    top, left, bottom, right = window
    if top >= bottom or left >= right:
        return
    # OpenCV resizes the width first, so that strips are the same as those of the whole image.
    wide = cv2.resize(mask, (size[1], mask.shape[0]), interpolation=cv2.INTER_LINEAR)
    # OpenCV rounds alike at equal places of the vectors that it computes with.
    step = max(64, _STRIP_PIXELS // size[0] // 64 * 64)
    for start in range(left // 64 * 64, right, step):
        strip = np.ascontiguousarray(wide[:, start:start + step])
        values = cv2.resize(strip, (strip.shape[1], size[0]), interpolation=cv2.INTER_LINEAR)
        first, last = max(left - start, 0), min(right - start, step)
        runs = RunLengthMasks.from_masks((values[top:bottom, first:last] > MASK_THRESHOLD)[None])
        yield RunLengthMasks(runs.numbers, runs.columns + (start + first), runs.tops + top,
                             runs.bottoms + top, 1, size)


def _enlarged_windows(boxes: Array, small: tuple[int, int],
                      size: tuple[int, int]) -> npt.NDArray[np.int64]:
    """(R, 4) int: the boxes in the image that interpolated cropped masks can reach."""
    first, stop = crop_limits(boxes, small)
    scale = np.array(size) / small
    low = np.floor((first - 0.5) * scale - 0.5)
    high = np.ceil((stop + 0.5) * scale - 0.5) + 1
    return np.concatenate([np.clip(low, 0, size), np.clip(high, 0, size)], axis=1).astype(int)


def _between(first: Array, stop: Array, length: int) -> Array:
    """(R, length) bool: which positions are in [first, stop)."""
    xp = backend.get_array_module(first)
    places = xp.arange(length, dtype=np.float32)
    return (places >= first[:, None]) & (places < stop[:, None])
