"""Arithmetic of masks, (R, H, W) bool arrays, and their run-length encodings in COCO's format."""

import types
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from chainer import backend
from pycocotools import mask as coco_mask

from chainer_seg import rle
from chainer_seg.arrays import Array
from chainer_seg.errors import DatasetError

_DECODED_AT_ONCE = 1 << 26  # pixels; more would double the memory of the masks of a large image

# Mask pixels that are processed at once, which bounds the memory.
_PIXELS_AT_ONCE = 1 << 22


def mask_to_bbox(masks: Array) -> Array:
    """The tight boxes of masks.

    Args:
        masks: (R, H, W) bool.

    Returns:
        (R, 4) float32 (y_min, x_min, y_max, x_max); the maxima are one past the last pixel. An empty
        mask has the box (0, 0, 0, 0).
    """
    xp = backend.get_array_module(masks)
    if len(masks) == 0:
        return xp.zeros((0, 4), dtype=np.float32)
    y_min, y_max = _extent(masks.any(axis=2), xp)
    x_min, x_max = _extent(masks.any(axis=1), xp)
    return xp.stack([y_min, x_min, y_max, x_max], axis=1).astype(np.float32)


def mask_area(masks: Array) -> Array:
    """The number of pixels (R,) int64 of the masks (R, H, W)."""
    return masks.sum(axis=(1, 2), dtype=np.int64)


def mask_iou(masks_a: Array, masks_b: Array) -> Array:
    """Intersection over union of every pair.

    Args:
        masks_a: (A, H, W) bool.
        masks_b: (B, H, W) bool.

    Returns:
        (A, B) float64 in [0, 1]; 0 where both masks are empty.
    """
    xp = backend.get_array_module(masks_a)
    pixels = int(np.prod(masks_a.shape[1:]))
    # Products in float32 are exact up to 2 ** 24 pixels, and fast.
    dtype = np.float32 if pixels < 2 ** 24 else np.float64
    flat_a: Array = masks_a.reshape(len(masks_a), pixels).astype(dtype)
    flat_b: Array = masks_b.reshape(len(masks_b), pixels).astype(dtype)
    shared = (flat_a @ flat_b.T).astype(np.float64)
    union = mask_area(masks_a)[:, None] + mask_area(masks_b)[None, :] - shared
    return xp.where(union > 0, shared / xp.maximum(union, 1), 0.0)


def encode_rle(masks: npt.NDArray) -> list[dict[str, Any]]:
    """COCO's compressed run-length encodings of masks (R, H, W), as JSON-ready dicts."""
    if len(masks) == 0:
        return []
    columns = np.asfortranarray(np.moveaxis(masks, 0, -1).astype(np.uint8))
    codes = coco_mask.encode(columns)
    return [{'size': list(code['size']), 'counts': code['counts'].decode('ascii')}
            for code in codes]


def decode_rle(codes: Sequence[dict[str, Any]], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The masks (R, height, width) bool of a list of COCO run-length encodings.

    Args:
        codes: Dicts of ``size`` and ``counts``: compressed (str or bytes) or a list of lengths.
        size: (height, width) of the image.

    Raises:
        chainer_seg.errors.DatasetError: An encoding is damaged, or belongs to an image of another size.
    """
    try:
        return decode_checked([rle.checked_rle(code, size) for code in codes], size)
    except ValueError as error:
        raise DatasetError(f'A mask cannot be decoded: {error}.') from error


def decode_checked(codes: Sequence[dict[str, Any]], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """As :func:`decode_rle`, for encodings that :mod:`chainer_seg.rle` has checked or made."""
    if len(codes) == 0:
        return np.zeros((0,) + tuple(size), dtype=bool)
    decoded = np.empty((len(codes), *size), np.uint8)
    step = max(1, _DECODED_AT_ONCE // max(1, decoded[0].size))
    for start in range(0, len(codes), step):
        columns = decode_columns(codes[start:start + step]).T  # (r, width, height)
        for mask, column in zip(decoded[start:], columns):
            cv2.transpose(column, mask)  # In blocks, which the cache handles better than NumPy's strides.
    return decoded.view(bool)


def decode_columns(codes: Sequence[dict[str, Any]] | dict[str, Any]) -> npt.NDArray[np.uint8]:
    """Decodes with pycocotools: (height, width, R) uint8 of a list of compressed encodings, or of one.

    NumPy 2 first calls pycocotools with an argument that it does not support, and then tries again.
    If Ctrl-C arrives in between, that TypeError is raised and the interrupt is lost; it is restored here.
    """
    try:
        return coco_mask.decode(codes)
    except TypeError as error:
        if "unexpected keyword argument 'copy'" in str(error):
            raise KeyboardInterrupt from error
        raise


def polygons_to_mask(polygons: Sequence[npt.ArrayLike], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The mask (height, width) bool of the union of COCO's polygons of one object.

    Args:
        polygons: Lists of numbers x0, y0, x1, y1, ... in pixels, at least three points each.
        size: (height, width).
    """
    return decode_columns(rle.rle_of_polygons(polygons, size)).astype(bool)


def _extent(occupied: Any, xp: types.ModuleType) -> tuple[Array, Array]:
    """The first and one past the last True of each row of (R, N); (0, 0) for a row without True."""
    length = occupied.shape[1]
    any_there = occupied.any(axis=1)
    first = xp.where(any_there, occupied.argmax(axis=1), 0)
    last = xp.where(any_there, length - occupied[:, ::-1].argmax(axis=1), 0)
    return first, last


def topmost(masks: npt.NDArray) -> npt.NDArray[np.uint16]:
    """The mask that is visible at each pixel if smaller masks are on top of larger ones.

    Args:
        masks: (R, H, W) bool or uint8.

    Returns:
        (H, W) uint16: 1 + the number of the mask; 0 for pixels without a mask.
    """
    count, height, width = masks.shape
    if count == 0:
        return np.zeros((height, width), np.uint16)
    # The place of each mask in the pile, from 1 at the bottom.
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
