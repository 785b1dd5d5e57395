"""Zooming in on the object (section 4 of f-BRS, arXiv 2001.10331, as RITM does it): boxes and crops.

A box is (first row, last row, first column, last column) in whole pixels, the last ones inside it.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from chainer_seg.models.deeplab.clicks import Click, pixel_of

Box = tuple[int, int, int, int]

FOUND = 0.5  # From this probability on, a pixel counts as found.
_SAME_BOX = 0.5  # A box is kept while its intersection over union with the one now wanted is as large.


@dataclasses.dataclass(frozen=True)
class ZoomIn:
    """When to zoom in, and how far.

    Attributes:
        side: Longer side of the crop in pixels after scaling.
        after: Number of clicks for which the whole image is shown. With 0, a small object is looked at
            again right after the first click. With -1 the whole image, scaled as a crop, is the first box.
        margin: Sides of the box in sides of the object.
        least: Minimum side of the box in pixels of the image.
        square: Whether crops are scaled to side x side, whatever their shape.
    """

    side: int = 400
    after: int = 1
    margin: float = 1.4
    least: int = 200
    square: bool = False

    def next_box(self, kept: Box | None, found: np.ndarray, clicks: Sequence[Click]) -> Box | None:
        """The box to look at; None for the whole image as it is.

        Args:
            kept: The box of the click before, or None.
            found: (H, W) float32, the probability after the click before.
            clicks: All clicks, in pixels of the image.
        """
        if len(clicks) <= self.after:
            return None
        mask = found > FOUND
        if mask.any():
            wanted = self.around(mask, clicks)
        elif self.after >= 0:
            return None
        else:
            wanted = whole(found.shape)
        if kept is not None and _holds(kept, clicks) and box_iou(wanted, kept) >= _SAME_BOX:
            return kept
        return wanted

    def looks_again(self, found: np.ndarray) -> bool:
        """Whether an object found in the whole image is so small that the same click is answered again."""
        mask = found > FOUND
        if self.after > 0 or not mask.any():
            return False
        return box_iou(self.around(mask), whole(mask.shape)) < _SAME_BOX

    def around(self, mask: np.ndarray, clicks: Sequence[Click] = ()) -> Box:
        """The box around an object (H, W) bool, which is not empty, and the positive clicks."""
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        points = [pixel_of(click) for click in clicks if click.positive]
        ends = [(side[0], side[-1]) for side in (rows, columns)]
        for axis, (low, high) in enumerate(ends):
            positions = [point[axis] for point in points]
            ends[axis] = min(low, *positions, high), max(low, *positions, high)
        return enlarged(ends, self.margin, self.least, mask.shape)

    def crop_size(self, box: Box) -> tuple[int, int]:
        """(height, width) in pixels to which a box is scaled."""
        if self.square:
            return self.side, self.side
        return scaled(box_size(box), self.side)


def whole(size: Sequence[int]) -> Box:
    """The box of an image of this (height, width)."""
    return 0, size[0] - 1, 0, size[1] - 1


def box_size(box: Box) -> tuple[int, int]:
    """(height, width) of a box."""
    return box[1] - box[0] + 1, box[3] - box[2] + 1


def scaled(size: Sequence[int], side: int) -> tuple[int, int]:
    """The (height, width) whose longer side is ``side`` pixels; halves are rounded to even numbers."""
    factor = side / max(size)
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def enlarged(ends: Sequence[tuple[int, int]], margin: float, least: float | None,
             size: Sequence[int]) -> Box:
    """A box around the same centre, as far as the image reaches.

    Args:
        ends: The first and the last row, the first and the last column.
        margin: Factor of both sides.
        least: Minimum of both sides in pixels.
        size: (height, width) of the image.
    """
    box: list[int] = []
    for (first, last), length in zip(ends, size):
        half = max(margin * (last - first + 1), least or 0) / 2
        centre = (first + last) / 2
        box += [max(0, round(centre - half)), min(length - 1, round(centre + half))]
    return box[0], box[1], box[2], box[3]


def box_iou(a: Box, b: Box) -> float:
    """Product of the intersections over union of the rows and of the columns of two boxes."""
    result = 1.0
    for low, high in ((0, 1), (2, 3)):
        shared = max(0, min(a[high], b[high]) - max(a[low], b[low]) + 1)
        result *= shared / max(1e-6, max(a[high], b[high]) - min(a[low], b[low]) + 1)
    return result


def _holds(box: Box, clicks: Sequence[Click]) -> bool:
    """Whether all positive clicks are in a box; its last row and column count as outside."""
    return all(box[0] <= click.y < box[1] and box[2] <= click.x < box[3]
               for click in clicks if click.positive)
