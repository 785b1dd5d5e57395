"""Pictures and masks as the bytes that widgets send to the browser; mask_runs.js reads them there."""

import cv2
import numpy as np
from pycocotools import mask as coco_mask

from chainer_seg.images import resize
from chainer_seg.masks import decode_rle, encode_rle
from chainer_seg.run_lengths import rle_counts

_JPEG_QUALITY = 92


def encode_jpeg(picture, quality=_JPEG_QUALITY):
    """The bytes of a JPEG file of a picture (H, W, 3) uint8 RGB."""
    return cv2.imencode('.jpg', np.ascontiguousarray(picture[:, :, ::-1]),
                        [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def shrink_mask(code, size):
    """The run-length code of a mask at the size (height, width) at which it is shown."""
    if tuple(code['size']) == tuple(size):
        return code
    mask = decode_rle([code], code['size'])[0]
    share = resize(mask.astype(np.float32), size)
    # What is too thin to fill half a pixel anywhere must not vanish.
    return encode_rle((share >= min(0.5, share.max()))[None] & mask.any())[0]


def pack_masks(codes):
    """Run-length codes as two arrays.

    Returns:
        tuple: the ends of the runs of all masks one after the other, (E,) uint32, counted down the
        columns; the first run of a mask lies outside of it. And for each mask (R, 6) uint32: the
        first of its ends, their number, and x, y, width and height of its box.
    """
    ends = [np.cumsum(rle_counts(code['counts'])) for code in codes]
    lengths = np.array([len(each) for each in ends], np.int64)
    starts = np.cumsum(lengths) - lengths
    boxes = np.array(coco_mask.toBbox(codes)).reshape(-1, 4) if codes else np.zeros((0, 4))
    places = np.concatenate([starts[:, None], lengths[:, None], boxes], axis=1)
    return np.concatenate([*ends, np.zeros(0)]).astype('<u4'), places.astype('<u4')
