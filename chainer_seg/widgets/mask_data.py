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

_JPEG_QUALITY = 92


def encode_jpeg(image: npt.NDArray[np.uint8], quality: int = _JPEG_QUALITY) -> bytes:
    """Encodes an image (H, W, 3) uint8 RGB as a JPEG file; quality is from 0 to 100."""
    return cv2.imencode('.jpg', np.ascontiguousarray(image[:, :, ::-1]),
                        [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def shrink_mask(rle: dict[str, Any], size: tuple[int, int]) -> dict[str, Any]:
    """Resizes a run-length encoded mask to the size (height, width) at which it is displayed."""
    if tuple(rle['size']) == tuple(size):
        return rle
    mask = decode_rle([rle], rle['size'])[0]
    share = resize(mask.astype(np.float32), size)
    # Parts too thin to fill half a pixel anywhere must not vanish.
    return encode_rle((share >= min(0.5, share.max()))[None] & mask.any())[0]


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
