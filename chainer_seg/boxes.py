"""Box arithmetic: boxes are (R, 4) arrays (y_min, x_min, y_max, x_max) in pixels, NumPy's or CuPy's."""

import numpy as np
from chainer import backend


def box_area(boxes):
    """Areas (R,) of the boxes (R, 4)."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def box_iou(boxes_a, boxes_b):
    """Intersection over union of every pair.

    Args:
        boxes_a: (A, 4) float array.
        boxes_b: (B, 4) float array.

    Returns:
        (A, B) float array in [0, 1]; 0 where both boxes are empty.
    """
    xp = backend.get_array_module(boxes_a)
    top_left = xp.maximum(boxes_a[:, None, :2], boxes_b[None, :, :2])
    bottom_right = xp.minimum(boxes_a[:, None, 2:], boxes_b[None, :, 2:])
    shared = xp.prod(xp.maximum(bottom_right - top_left, 0), axis=2)
    union = box_area(boxes_a)[:, None] + box_area(boxes_b)[None, :] - shared
    return xp.where(union > 0, shared / xp.maximum(union, np.finfo(np.float32).tiny), 0)


def clip_boxes(boxes, size):
    """The boxes (R, 4) cut off at the borders of an image of ``size`` = (height, width)."""
    xp = backend.get_array_module(boxes)
    limits = xp.asarray([size[0], size[1], size[0], size[1]], dtype=boxes.dtype)
    return xp.clip(boxes, 0, limits)


def to_xywh(boxes):
    """COCO's (x, y, width, height) of the boxes (R, 4)."""
    xp = backend.get_array_module(boxes)
    return xp.stack([boxes[:, 1], boxes[:, 0], boxes[:, 3] - boxes[:, 1],
                     boxes[:, 2] - boxes[:, 0]], axis=1)


def from_xywh(boxes):
    """Boxes (R, 4) of COCO's (x, y, width, height)."""
    xp = backend.get_array_module(boxes)
    return xp.stack([boxes[:, 1], boxes[:, 0], boxes[:, 1] + boxes[:, 3],
                     boxes[:, 0] + boxes[:, 2]], axis=1)
