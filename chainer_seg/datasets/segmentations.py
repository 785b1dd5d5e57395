"""COCO's three ways to write a mask, checked and decoded: polygons and run lengths."""

import math

import numpy as np
from pycocotools import mask as coco_mask

from chainer_seg.datasets.coco_json import is_number

# A polygon is walked point by point when it is filled: a corner light years away takes years.
_FARTHEST = 20  # image sides


def rle_counts(text):
    """The run lengths of a compressed COCO run-length code.

    Five bits a character from '0' on, the sixth says that more follow; from the fourth run on
    the difference to the run before the previous one is stored.

    Args:
        text (str or bytes): The code's ``counts``.

    Returns:
        (N,) int64 array.

    Raises:
        ValueError: If the text is cut short or has characters that cannot occur.
    """
    data = np.frombuffer(text.encode('latin-1', 'replace') if isinstance(text, str) else text,
                         np.uint8).astype(np.int64) - 48
    if data.size == 0:
        return np.zeros(0, np.int64)
    if data.min() < 0 or data.max() > 63 or data[-1] & 32:
        raise ValueError('it is no compressed run-length code')
    ends = np.flatnonzero((data & 32) == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    if (ends - starts).max() > 11:
        raise ValueError('it is no compressed run-length code')
    position = np.arange(data.size) - np.repeat(starts, ends - starts + 1)
    runs = np.add.reduceat((data & 31) << (5 * position), starts)
    negative = (data[ends] & 16) != 0
    runs -= np.where(negative, np.int64(1) << (5 * (ends - starts + 1)), 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs


def segmentation_faults(segmentation, size):
    """Everything that is wrong with one annotation's segmentation.

    Args:
        segmentation: The JSON value.
        size: (height, width) of the image.

    Returns:
        list of (kind, sentence) str pairs; empty for a good one.
    """
    if isinstance(segmentation, dict):
        return _rle_faults(segmentation, size)
    if not isinstance(segmentation, list) or not all(isinstance(p, list) for p in segmentation):
        return [('segmentation', 'the segmentation is neither polygons nor a run-length code')]
    if not segmentation:
        return [('empty segmentation', 'the segmentation holds no polygon')]
    faults = []
    for number, polygon in enumerate(segmentation):
        faults += [(kind, f'polygon {number} {sentence}')
                   for kind, sentence in _polygon_faults(polygon, size)]
    return faults


def _polygon_faults(polygon, size):
    if not polygon:
        return [('empty polygon', 'is empty')]
    if not all(is_number(value) for value in polygon):
        return [('not a number', 'has a coordinate that is not a finite number')]
    if len(polygon) % 2:
        return [('polygon', f'has an odd number of coordinates ({len(polygon)})')]
    if len(polygon) < 6:
        return [('polygon', f'has {len(polygon) // 2} points; a polygon needs 3')]
    points = np.asarray(polygon, np.float64).reshape(-1, 2)
    limit = np.array([size[1], size[0]])
    if (points < -1).any() or (points > limit + 1).any():
        return [('outside the image', f'reaches outside its image of {size[0]}x{size[1]} pixels')]
    return []


def _rle_faults(code, size):
    counts = code.get('counts')
    if not isinstance(code.get('size'), list) or not isinstance(counts, (list, str, bytes)):
        return [('run-length code', 'the run-length code lacks its size or its counts')]
    if list(code['size']) != list(size):
        return [('run-length code',
                 f'the run-length code is for {code["size"]}, its image is {list(size)}')]
    if isinstance(counts, list):
        if not all(is_number(run) and 0 <= run <= size[0] * size[1] and run == int(run)
                   for run in counts):
            return [('run-length code', 'the run-length code has a run that is no whole number '
                                        'of pixels of its image')]
        runs = np.asarray(counts, np.int64)
    else:
        try:
            runs = rle_counts(counts)
        except ValueError as error:
            return [('run-length code', f'the run-length code cannot be read: {error}')]
    total = int(runs.sum())
    if (runs < 0).any() or total != size[0] * size[1]:
        return [('run-length code', f'the run-length code covers {total} pixels, its image has '
                                    f'{size[0] * size[1]}')]
    return []


def segmentation_to_rle(segmentation, size):
    """The compressed run-length code of a segmentation.

    Polygons without an area (less than three points) are passed over, and parts outside the
    image are cut off.

    Args:
        segmentation: Polygons or a run-length code, as in a COCO JSON file.
        size: (height, width) of the image.

    Returns:
        dict or None: pycocotools' code; None where there is nothing to draw.

    Raises:
        ValueError: For what has no meaning, saying why.
    """
    faults = segmentation_faults(segmentation, size)
    fatal = [sentence for kind, sentence in faults if kind in (
        'segmentation', 'not a number', 'run-length code') or 'odd number' in sentence]
    if fatal:
        raise ValueError(fatal[0])
    height, width = size
    if isinstance(segmentation, dict):
        counts = segmentation['counts']
        if isinstance(counts, list):
            whole = {'size': [height, width], 'counts': [int(run) for run in counts]}
            return coco_mask.frPyObjects(whole, height, width)
        return {'size': [height, width], 'counts': counts}
    polygons = [list(map(float, polygon)) for polygon in segmentation if len(polygon) >= 6]
    if not polygons:
        return None
    if max(max(map(abs, polygon)) for polygon in polygons) > _FARTHEST * max(size):
        raise ValueError('a polygon reaches far outside its image')
    return coco_mask.merge(coco_mask.frPyObjects(polygons, height, width))


def box_to_rle(box, size):
    """The run-length code of a COCO box (x, y, width, height): the pixels it touches."""
    height, width = size
    x, y, box_width, box_height = box
    mask = np.zeros((height, width, 1), np.uint8, order='F')
    top, left = max(math.floor(y), 0), max(math.floor(x), 0)
    mask[top:max(math.ceil(y + box_height), 0), left:max(math.ceil(x + box_width), 0)] = 1
    return coco_mask.encode(mask)[0]
