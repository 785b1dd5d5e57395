"""Images and masks as the bytes that widgets send to the browser, where run_lengths.js decodes them."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from chainer_seg.images import resize
from chainer_seg.masks import decode_rle, encode_rle
from chainer_seg.rle import rle_counts
from chainer_seg.run_length_masks import RunLengthMasks

_JPEG_QUALITY = 92


def encode_jpeg(image: npt.NDArray[np.uint8], quality: int = _JPEG_QUALITY) -> bytes:
    """Encodes an image (H, W, 3) uint8 RGB as a JPEG file; quality is from 0 to 100."""
    return cv2.imencode('.jpg', np.ascontiguousarray(image[:, :, ::-1]),
                        [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def shrink_mask(rle: dict[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    """Resizes a run-length encoded mask to the smaller size (height, width) at which it is sent."""
    if tuple(rle['size']) == tuple(size):
        return rle
    left, top, width, height = coco_mask.toBbox(rle).astype(int)
    rows = rle['size'][0]
    # Only its columns are decoded: masks of photographs are mostly background.
    ends = np.clip(np.cumsum(rle_counts(rle['counts'])) - left * rows, 0, width * rows)
    runs = np.diff(ends, prepend=0)
    columns = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, rows)
    crop = columns[:, top:top + height].T
    small = np.zeros(size, bool)
    if crop.size:
        share, small_rows = _area_means(crop, top, rows, size[0])
        share, small_columns = _area_means(share.T, left, rle['size'][1], size[1])
        # Parts too thin to fill half a pixel anywhere must not vanish.
        least = min(0.5, share.max())
        small[small_rows, small_columns] = least <= share.T
    return encode_rle(small[None])[0]


def _area_means(values: np.ndarray, first: int, old: int, new: int) -> tuple[np.ndarray, slice]:
    """Shrinks ``old`` rows, of which ``values`` (n, m) are those from ``first`` on, to ``new`` rows.

    Returns:
        The means of those of the new rows that ``values`` are in, and which ones these are.
    """
    count, scale = len(values), old / new
    begin, end = int(first / scale), min(new, -int(-(first + count) // scale))
    edges = np.clip(np.arange(begin, end + 1) * scale - first, 0, count)
    sums = np.concatenate([np.zeros((1, values.shape[1]), np.float32),
                           np.cumsum(values, axis=0, dtype=np.float32)])
    below = edges.astype(int)
    part = (edges - below)[:, None]
    at_edges = sums[below] * (1 - part) + sums[np.minimum(below + 1, count)] * part
    return np.diff(at_edges, axis=0) / scale, slice(begin, end)


def resize_masks(codes: Sequence[dict[str, Any]], size: tuple[int, int]) -> RunLengthMasks:
    """Run-length encoded masks of one image at another size (height, width)."""
    parts = []
    for number, code in enumerate(codes):
        mask = decode_rle([code], code['size'])[0].astype(np.float32)
        parts.append((RunLengthMasks.from_masks((resize(mask, size) >= 0.5)[None]), np.array([number])))
    return RunLengthMasks.collect(parts, len(codes), size)


def pack_masks(codes: Sequence[dict[str, Any]]) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Packs run-length encoded masks into two arrays.

    Returns:
        tuple: the ends of the runs of all masks, concatenated, (E,) uint32, in column-major order;
        the first run of a mask is background. And for each mask (R, 6) uint32: the index of its
        first end, the number of its ends, and x, y, width and height of its box.
    """
    ends = [np.cumsum(rle_counts(code['counts'])) for code in codes]
    lengths = np.array([len(each) for each in ends], np.int64)
    starts = np.cumsum(lengths) - lengths
    boxes = np.array(coco_mask.toBbox(codes)).reshape(-1, 4) if codes else np.zeros((0, 4))
    places = np.concatenate([starts[:, None], lengths[:, None], boxes], axis=1)
    return np.concatenate([*ends, np.zeros(0)]).astype('<u4'), places.astype('<u4')
