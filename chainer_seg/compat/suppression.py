"""Non-maximum suppression for ChainerCV: the CPU path, and the walk over the GPU's bit mask."""

import numpy as np


def suppress(bbox, thresh, score=None, limit=None):
    """Indices of the boxes kept, by falling score, as ChainerCV's function for the CPU.

    One vectorised IoU of a kept box with all boxes still open, per kept box.

    Args:
        bbox: (R, 4) float array of y_min, x_min, y_max, x_max.
        thresh (float): a box is dropped when its IoU with a kept one is at least this.
        score: (R,) float array; None takes the boxes in the order given.
        limit (int): keep at most this many; None is no limit.

    Returns:
        (K,) int32 array.
    """
    if score is None:
        order = np.arange(len(bbox))
    else:
        order = score.argsort()[::-1]
    kept = []
    while len(order) > 0:
        kept.append(order[0])
        if limit is not None and len(kept) >= limit:
            break
        best, rest = bbox[order[0]], bbox[order[1:]]
        # A box whose IoU is not a number (no area) is kept, as in ChainerCV.
        order = order[1:][~(_iou_of_one(best, rest) >= thresh)]
    return np.array(kept, dtype=np.int32)


def _iou_of_one(box, boxes):
    """IoU of `box` (4,) with each of `boxes` (R, 4) -> (R,)."""
    top_left = np.maximum(box[:2], boxes[:, :2])
    bottom_right = np.minimum(box[2:], boxes[:, 2:])
    overlap = np.prod(bottom_right - top_left, axis=1) * (top_left < bottom_right).all(axis=1)
    area = np.prod(box[2:] - box[:2])
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    with np.errstate(divide='ignore', invalid='ignore'):
        return overlap / (area + areas - overlap)


def _nms_gpu_post(mask, n_bbox, threads_per_block, col_blocks):
    """Walk the boxes in order and keep those that no kept one suppresses.

    Args:
        mask: (n_bbox * col_blocks,) uint64; bit j of word (i, k) says that box i suppresses
            box k * threads_per_block + j, a later one.
        n_bbox (int): number of boxes.
        threads_per_block (int): bits used of each word, 64.
        col_blocks (int): words per box.

    Returns:
        (n_bbox,) int32 array that begins with the kept indices, and their number.
    """
    mask = mask.reshape(n_bbox, col_blocks)
    suppressed = np.zeros(col_blocks, dtype=np.uint64)
    kept = np.zeros(n_bbox, dtype=np.int32)
    n_kept = 0
    block = 0
    for block in range(col_blocks):
        first = block * threads_per_block
        # Python integers: a bit test on one is far quicker than on a NumPy scalar.
        words = mask[first:first + threads_per_block, block].tolist()
        state = int(suppressed[block])
        start = n_kept
        for bit, word in enumerate(words):
            if not state >> bit & 1:
                kept[n_kept] = first + bit
                n_kept += 1
                state |= word
        suppressed |= np.bitwise_or.reduce(mask[kept[start:n_kept]], axis=0)
    return kept, n_kept
