"""Arithmetic of masks, (R, H, W) bool arrays, and their run-length encodings in COCO's format."""

import types
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from chainer import backend
from pycocotools import mask as coco_mask

from chainer_seg import rle
from chainer_seg.arrays import Array
from chainer_seg.errors import DatasetError
from chainer_seg.run_length_masks import RunLengthMasks


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
    return RunLengthMasks.from_masks(np.asarray(masks, bool)).to_rle()


def decode_rle(codes: Sequence[dict[str, Any]], size: tuple[int, int]) -> npt.NDArray[np.bool_]:
    """The masks (R, height, width) bool of a list of COCO run-length encodings.

    Args:
        codes: Dicts of ``size`` and ``counts``: compressed (str or bytes) or a list of lengths.
        size: (height, width) of the image.

    Raises:
        chainer_seg.errors.DatasetError: An encoding is damaged, or belongs to an image of another size.
    """
    return runs_of_rle(codes, size).to_masks()


def runs_of_rle(codes: Sequence[dict[str, Any]], size: tuple[int, int]) -> RunLengthMasks:
    """As :func:`decode_rle`, but as runs, which take little memory."""
    try:
        return RunLengthMasks.from_rle([rle.checked_rle(code, size) for code in codes], size)
    except ValueError as error:
        raise DatasetError(f'A mask cannot be decoded: {error}.') from error


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
