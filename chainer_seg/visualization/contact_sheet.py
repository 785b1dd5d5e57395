"""Many small pictures with their objects on one sheet, as pixels."""

import numpy as np

from chainer_seg.images import fit_within, resize
from chainer_seg.instances import Instances
from chainer_seg.visualization.detections import overlay_detections

_GAP, _PAPER = 6, 255


def contact_sheet(examples, columns=4, side=320, captions=(), **options):
    """Draws pictures with their objects in rows.

    Args:
        examples: Pairs of an image (H, W, 3) uint8 RGB and its :class:`chainer_seg.Instances`.
        columns: Pictures in a row.
        side: Longer side of a picture on the sheet in pixels; smaller ones stay as they are.
        captions: A line of text for each; may be shorter.
        options: Passed to :func:`chainer_seg.visualization.overlay_detections`.

    Returns:
        (h, w, 3) uint8 RGB; every row is as tall as its tallest picture.
    """
    captions = [*captions, *[None] * (len(examples) - len(captions))]
    pictures = [overlay_detections(*shrink_example(*example, side), caption=caption, **options)
                for example, caption in zip(examples, captions)]
    rows = [pictures[start:start + columns] for start in range(0, len(pictures), columns)]
    heights = [max(len(picture) for picture in row) for row in rows]
    sheet = np.full((sum(heights) + _GAP * (len(rows) + 1), columns * (side + _GAP) + _GAP, 3), _PAPER,
                    np.uint8)
    top = _GAP
    for row, height in zip(rows, heights):
        for column, picture in enumerate(row):
            left = _GAP + column * (side + _GAP)
            sheet[top:top + picture.shape[0], left:left + picture.shape[1]] = picture
        top += height + _GAP
    return sheet


def shrink_example(image, instances, longest_side):
    """An image and its objects, with a longer side of at most so many pixels."""
    size = instances.image_size
    small = fit_within(size, longest_side)
    scale = np.divide(small, size).astype(np.float32)
    rows, columns = ((2 * np.arange(few) + 1) * many // (2 * few) for few, many in zip(small, size))
    points = instances.keypoints
    return resize(image, small), Instances(
        instances.masks[:, rows[:, None], columns], instances.bboxes * np.tile(scale, 2),
        instances.labels, instances.scores, None if points is None else points * np.append(scale, 1),
        instances.class_names, instances.crowds)
