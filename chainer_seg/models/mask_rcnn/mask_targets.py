"""Targets of the mask head: the true masks of objects, cropped by regions at its resolution.

arXiv 1703.06870, section 3. Polygons are rasterised at the mask's resolution, as in Detectron, not at
that of the image; masks given as pixels are interpolated.
"""

import dataclasses
from collections.abc import Sequence
from typing import Self

import numpy as np
import numpy.typing as npt

from chainer_seg.masks import decode_columns, mask_to_bbox
from chainer_seg.rle import rles_of_polygons

# From boxes with inclusive maxima to the edges of the pasted mask, half a pixel beyond the centres of the
# first and last pixels. Detectron does this in pasting but not here, so that its masks are a pixel too large.
EDGES = np.array([-0.5, -0.5, 0.5, 0.5], np.float32)


@dataclasses.dataclass
class ObjectMasks:
    """The masks of G objects of one image, each as polygons or as pixels.

    Attributes:
        polygons: For each object a list of (P, 2) float arrays (x, y) in pixels of the image, where
            pixel i covers [i, i + 1); an empty list for an object given as pixels.
        bitmaps: For each object a (h, w) uint8 array of 0 and 1; of shape (0, 0) for an object given as
            polygons.
        corners: (G, 2) int, the row and the column of each bitmap's first pixel.
    """

    polygons: list[list[np.ndarray]]
    bitmaps: list[np.ndarray]
    corners: np.ndarray

    @classmethod
    def collect(cls, masks: np.ndarray, polygons: Sequence[Sequence | None] | None = None) -> Self:
        """The masks of Instances.

        Args:
            masks: (G, H, W) bool.
            polygons: For each object a list of polygons (x0, y0, x1, y1, ...) in pixels, or None for
                an object without polygons, of which the pixels are used.
        """
        if polygons is None:
            polygons = [None] * len(masks)
        boxes = mask_to_bbox(masks).astype(int)
        nothing = np.zeros((0, 0), np.uint8)
        bitmaps = [nothing if drawn else mask[top:bottom, left:right].astype(np.uint8)
                   for mask, drawn, (top, left, bottom, right) in zip(masks, polygons, boxes)]
        points = [[np.reshape(polygon, (-1, 2)) for polygon in drawn or ()] for drawn in polygons]
        return cls(points, bitmaps, boxes[:, :2])

    def __len__(self) -> int:
        return len(self.bitmaps)

    def take(self, numbers: np.ndarray) -> 'ObjectMasks':
        """The masks of these objects, in this order."""
        return ObjectMasks([self.polygons[n] for n in numbers], [self.bitmaps[n] for n in numbers],
                           self.corners[numbers])

    def flip(self, width: int) -> 'ObjectMasks':
        """The masks in the mirror image of an image of this width in pixels."""
        polygons = [[np.array([[width, 0]]) + polygon * [-1, 1] for polygon in drawn]
                    for drawn in self.polygons]
        widths = np.array([bitmap.shape[1] for bitmap in self.bitmaps], int)
        corners = np.stack([self.corners[:, 0], width - self.corners[:, 1] - widths], axis=1)
        return ObjectMasks(polygons, [bitmap[:, ::-1] for bitmap in self.bitmaps], corners)

    def project(self, numbers: np.ndarray, boxes: np.ndarray, size: int) -> npt.NDArray[np.bool_]:
        """The masks of objects, cropped by regions.

        Args:
            numbers: (N,) int, the object of each region.
            boxes: (N, 4) float32 with inclusive maxima, in pixels of the image.
            size: Side M of the result.

        Returns:
            (N, M, M) bool.
        """
        regions = (boxes + EDGES).astype(np.float64)
        result = self._interpolate(numbers, regions, size)
        drawn = np.flatnonzero([bool(self.polygons[number]) for number in numbers])
        if len(drawn):
            result[drawn] = self._draw([self.polygons[n] for n in numbers[drawn]], regions[drawn], size)
        return result

    @staticmethod
    def _draw(polygons: Sequence[list[np.ndarray]], regions: np.ndarray, size: int) -> npt.NDArray[np.bool_]:
        """Polygons of N objects in N regions, by COCO's rasterisation: (N, M, M) bool."""
        counts = [len(drawn) for drawn in polygons]
        owner = np.repeat(np.arange(len(polygons)), counts)
        parts = [part for drawn in polygons for part in drawn]
        lengths = [len(part) for part in parts]
        of_point = np.repeat(owner, lengths)
        corners, sides = regions[:, 1::-1], (regions[:, 2:] - regions[:, :2])[:, ::-1]
        places = (np.concatenate(parts) - corners[of_point]) * (size / sides[of_point])
        moved = np.split(places, np.cumsum(lengths)[:-1])
        pixels = decode_columns(rles_of_polygons(moved, (size, size))).transpose(2, 0, 1)
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(int)
        return np.maximum.reduceat(pixels, starts).astype(bool)

    def _interpolate(self, numbers: np.ndarray, regions: np.ndarray, size: int) -> npt.NDArray[np.bool_]:
        """Interpolated bitmaps of N objects in N regions: (N, M, M) bool, true from a half on."""
        heights, widths = (np.array([bitmap.shape[axis] for bitmap in self.bitmaps], int)[numbers]
                           for axis in (0, 1))
        sizes = np.array([bitmap.size for bitmap in self.bitmaps], int)
        first = (np.cumsum(sizes) - sizes)[numbers]
        # One additional value, a zero for everything outside.
        flat = np.concatenate([bitmap.ravel() for bitmap in self.bitmaps] + [np.zeros(1, np.uint8)])
        outside = len(flat) - 1
        steps = (np.arange(size) + 0.5) / size
        (top, top_part), (left, left_part) = (
            _cells(regions[:, axis], regions[:, 2 + axis], self.corners[numbers, axis], steps)
            for axis in (0, 1))
        total = np.zeros((len(numbers), size, size), np.float32)
        for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
            row, column = top + down, left + right
            in_rows = (row >= 0) & (row < heights[:, None])
            in_columns = (column >= 0) & (column < widths[:, None])
            place = (first + row.T * widths).T[:, :, None] + column[:, None, :]
            place = np.where(in_rows[:, :, None] & in_columns[:, None, :], place, outside)
            share = np.abs(1 - down - top_part)[:, :, None] * np.abs(1 - right - left_part)[:, None, :]
            total += flat[place] * share
        return total >= 0.5


def _cells(starts: np.ndarray, ends: np.ndarray, corners: np.ndarray,
           steps: np.ndarray) -> tuple[np.ndarray, npt.NDArray[np.float32]]:
    """The pixel before each of M samples of N ranges (N, M), and the fractional distance to the next."""
    place = starts[:, None] + (ends - starts)[:, None] * steps - corners[:, None] - 0.5
    before = np.floor(place).astype(int)
    return before, (place - before).astype(np.float32)
