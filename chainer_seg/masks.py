"""Mask arithmetic: masks are (R, H, W) bool arrays; run-length encodings are COCO's."""

from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
from chainer import backend
from pycocotools import mask as coco_mask

from chainer_seg import rle
from chainer_seg.errors import DatasetError

_DECODED_AT_ONCE = 1 << 26  # pixels; more would double the memory of the masks of a large image

# Rows are worked on together until they hold this many mask pixels, so memory stays bounded.
_PIXELS_AT_ONCE = 1 << 22


def mask_to_bbox(masks: np.ndarray) -> np.ndarray:
    """The tight boxes of masks.

    Args:
        masks: (R, H, W) bool.

    Returns:
        (R, 4) float32 (y_min, x_min, y_max, x_max); the maxima lie one past the last pixel. An
        empty mask has the box (0, 0, 0, 0).
    """
    xp = backend.get_array_module(masks)
    if len(masks) == 0:
        return xp.zeros((0, 4), dtype=np.float32)
    y_min, y_max = _extent(masks.any(axis=2), xp)
    x_min, x_max = _extent(masks.any(axis=1), xp)
    return xp.stack([y_min, x_min, y_max, x_max], axis=1).astype(np.float32)


def mask_area(masks: np.ndarray) -> np.ndarray:
    """The number of pixels (R,) int64 of the masks (R, H, W)."""
    return masks.sum(axis=(1, 2), dtype=np.int64)


def mask_iou(masks_a, masks_b):
    """Intersection over union of every pair.

    Args:
        masks_a: (A, H, W) bool.
        masks_b: (B, H, W) bool.

    Returns:
        (A, B) float64 in [0, 1]; 0 where both masks are empty.
    """
    xp = backend.get_array_module(masks_a)
    pixels = int(np.prod(masks_a.shape[1:]))
    # float32 products are exact up to 2 ** 24 pixels and use the fast matrix product.
    dtype = np.float32 if pixels < 2 ** 24 else np.float64
    flat_a = masks_a.reshape(len(masks_a), pixels).astype(dtype)
    flat_b = masks_b.reshape(len(masks_b), pixels).astype(dtype)
    shared = (flat_a @ flat_b.T).astype(np.float64)
    union = mask_area(masks_a)[:, None] + mask_area(masks_b)[None, :] - shared
    return xp.where(union > 0, shared / xp.maximum(union, 1), 0.0)


def encode_rle(masks: np.ndarray) -> list[dict]:
    """COCO's compressed run-length encodings of masks (R, H, W): a list of dicts, JSON-ready."""
    if len(masks) == 0:
        return []
    columns = np.asfortranarray(np.moveaxis(masks, 0, -1).astype(np.uint8))
    codes = coco_mask.encode(columns)
    return [{'size': list(code['size']), 'counts': code['counts'].decode('ascii')}
            for code in codes]


def decode_rle(codes: Sequence[dict], size: tuple[int, int]) -> np.ndarray:
    """The masks (R, height, width) bool of a list of COCO run-length encodings.

    Args:
        codes: Dicts of ``size`` and ``counts``: compressed (str or bytes) or a list of lengths.
        size: (height, width) of the image, which is that of every code.

    Raises:
        chainer_seg.errors.DatasetError: A code is damaged, or of an image of another size.
    """
    try:
        return decode_checked([rle.checked_rle(code, size) for code in codes], size)
    except ValueError as error:
        raise DatasetError(f'A mask cannot be decoded: {error}.') from error


def decode_checked(codes: Sequence[dict], size: tuple[int, int]) -> np.ndarray:
    """As :func:`decode_rle`, of codes that :mod:`chainer_seg.rle` has checked or made."""
    if len(codes) == 0:
        return np.zeros((0,) + tuple(size), dtype=bool)
    decoded = np.empty((len(codes), *size), np.uint8)
    step = max(1, _DECODED_AT_ONCE // max(1, decoded[0].size))
    for start in range(0, len(codes), step):
        columns = decode_columns(codes[start:start + step]).T  # (r, width, height)
        for mask, column in zip(decoded[start:], columns):
            cv2.transpose(column, mask)  # In blocks, which the cache likes better than NumPy's strides.
    return decoded.view(bool)


def decode_columns(codes: Sequence[dict] | dict) -> np.ndarray:
    """pycocotools' own decoding: (height, width, R) uint8 of a list of compressed codes, or of one.

    NumPy 2 first asks pycocotools for a copy in a way that it does not know, and tries again. If
    Ctrl-C comes just then, that failure is raised and the interrupt lost: here it is given back.
    """
    try:
        return coco_mask.decode(codes)
    except TypeError as error:
        if "unexpected keyword argument 'copy'" in str(error):
            raise KeyboardInterrupt from error
        raise


def polygons_to_mask(polygons: Sequence[npt.ArrayLike], size: tuple[int, int]) -> np.ndarray:
    """The mask (height, width) bool that COCO's polygons of one object cover together.

    Args:
        polygons: Lists of numbers x0, y0, x1, y1, ... in pixels, at least three points each.
        size: (height, width).
    """
    return decode_columns(rle.rle_of_polygons(polygons, size)).astype(bool)


def _extent(occupied, xp):
    """First and one past the last True of each row of (R, N); (0, 0) for a row without."""
    length = occupied.shape[1]
    any_there = occupied.any(axis=1)
    first = xp.where(any_there, occupied.argmax(axis=1), 0)
    last = xp.where(any_there, length - occupied[:, ::-1].argmax(axis=1), 0)
    return first, last


def topmost(masks: np.ndarray) -> np.ndarray:
    """Which mask is seen at each pixel when smaller ones lie on larger ones.

    Args:
        masks: (R, H, W) bool or uint8.

    Returns:
        (H, W) uint16: 1 + the number of the mask; 0 where there is none.
    """
    count, height, width = masks.shape
    if count == 0:
        return np.zeros((height, width), np.uint16)
    # A mask's place in the pile, from 1 at the bottom.
    pile = np.argsort(-np.count_nonzero(masks, axis=(1, 2)), kind='stable')
    place = np.empty(count, np.uint16)
    place[pile] = np.arange(1, count + 1)
    number_at = np.concatenate([[0], pile + 1]).astype(np.uint16)
    owner = np.empty((height, width), np.uint16)
    rows = max(1, _PIXELS_AT_ONCE // max(1, count * width))
    for top in range(0, height, rows):
        strip = slice(top, top + rows)
        highest = ((masks[:, strip] != 0) * place[:, None, None]).max(axis=0)
        owner[strip] = number_at[highest]
    return owner
