"""Masks of YOLACT: prototypes times coefficients, cropped, enlarged (arXiv 1904.02689, section 3.3)."""

import cv2
import numpy as np
from chainer import backend

# Margin around the box within which masks are kept, in prototype pixels.
CROP_MARGIN = 1

# A pixel belongs to a mask above this probability.
MASK_THRESHOLD = 0.5


def assemble_masks(prototypes: np.ndarray, coefficients: np.ndarray, boxes: np.ndarray) -> np.ndarray:
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


def crop_limits(boxes: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The windows to which masks are cropped.

    Args:
        boxes: (R, 4) float32, as fractions of the sides; their corners may be exchanged.
        size: (height, width) of the masks.

    Returns:
        First row and column (R, 2), and the ones behind the last (R, 2), float32 whole numbers.
    """
    xp = backend.get_array_module(boxes)
    size = xp.asarray(size, np.float32)
    low = xp.minimum(boxes[:, :2], boxes[:, 2:]) * size - CROP_MARGIN
    high = xp.maximum(boxes[:, :2], boxes[:, 2:]) * size + CROP_MARGIN
    return xp.ceil(xp.maximum(low, 0)), xp.ceil(xp.minimum(high, size))


def enlarge_masks(masks: np.ndarray, boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The pixels of R masks in the image.

    Args:
        masks: (R, h, w) float32 of :func:`assemble_masks`, on the CPU.
        boxes: (R, 4) float32, its boxes.
        size: (height, width) of the image.

    Returns:
        (R, height, width) bool.
    """
    height, width = size
    # Zeros that are not touched take no time: only the part around the box is written.
    enlarged = np.zeros((len(masks), height, width), bool)
    buffer = np.empty((height, width), np.float32)
    windows = _enlarged_windows(boxes, masks.shape[1:], size)
    for mask, (top, left, bottom, right), target in zip(masks, windows.tolist(), enlarged):
        cv2.resize(mask, (width, height), dst=buffer, interpolation=cv2.INTER_LINEAR)
        window = np.s_[top:bottom, left:right]
        np.greater(buffer[window], MASK_THRESHOLD, out=target[window])
    return enlarged


def _enlarged_windows(boxes, small, size):
    """(R, 4) int: the windows of the image that interpolation reaches from cropped masks."""
    first, stop = crop_limits(boxes, small)
    scale = np.array(size) / small
    low = np.floor((first - 0.5) * scale - 0.5)
    high = np.ceil((stop + 0.5) * scale - 0.5) + 1
    return np.concatenate([np.clip(low, 0, size), np.clip(high, 0, size)], axis=1).astype(int)


def _between(first, stop, length):
    """(R, length) bool: which places lie in [first, stop)."""
    xp = backend.get_array_module(first)
    places = xp.arange(length, dtype=np.float32)
    return (places >= first[:, None]) & (places < stop[:, None])
