"""Many small images with their objects on one sheet, as pixels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_seg.images import fit_within, resize
from chainer_seg.instances import Instances
from chainer_seg.visualization.detections import overlay_detections

_GAP, _BACKGROUND = 6, 255

Example = tuple[npt.NDArray[np.uint8], Instances]


def contact_sheet(examples: Sequence[Example], columns: int = 4, side: int = 320,
                  captions: Sequence[str | None] = (), **options: Any) -> npt.NDArray[np.uint8]:
    """Draws images with their objects in rows.

    Args:
        examples: Pairs of an image (H, W, 3) uint8 RGB and its :class:`chainer_seg.Instances`.
        columns: Number of images in a row.
        side: Maximum longer side of an image on the sheet in pixels; smaller images are not enlarged.
        captions: Captions of the images; may be fewer than the examples.
        options: Passed to :func:`chainer_seg.visualization.overlay_detections`.

    Returns:
        (h, w, 3) uint8 RGB; every row is as tall as its tallest image.
    """
    captions = [*captions, *[None] * (len(examples) - len(captions))]
    tiles = [overlay_detections(*shrink_example(*example, side), caption=caption, **options)
             for example, caption in zip(examples, captions)]
    rows = [tiles[start:start + columns] for start in range(0, len(tiles), columns)]
    heights = [max(len(tile) for tile in row) for row in rows]
    sheet = np.full((sum(heights) + _GAP * (len(rows) + 1), columns * (side + _GAP) + _GAP, 3), _BACKGROUND,
                    np.uint8)
    top = _GAP
    for row, height in zip(rows, heights):
        for column, tile in enumerate(row):
            left = _GAP + column * (side + _GAP)
            sheet[top:top + tile.shape[0], left:left + tile.shape[1]] = tile
        top += height + _GAP
    return sheet


def shrink_example(image: npt.NDArray[np.uint8], instances: Instances, longest_side: int) -> Example:
    """Shrinks an image and its objects to a longer side of at most ``longest_side`` pixels."""
    size = instances.image_size
    small = fit_within(size, longest_side)
    scale = np.divide(small, size).astype(np.float32)
    rows, columns = ((2 * np.arange(few) + 1) * many // (2 * few) for few, many in zip(small, size))
    points = instances.keypoints
    return resize(image, small), Instances(
        instances.runs.sampled(rows, columns), instances.bboxes * np.tile(scale, 2),
        instances.labels, instances.scores, None if points is None else points * np.append(scale, 1),
        instances.class_names, instances.crowds)
