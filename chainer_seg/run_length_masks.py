"""Masks in run-length form: small in memory, and fast to convert to arrays or COCO's encodings."""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_seg.rle import compress


@dataclasses.dataclass
class RunLengthMasks:
    """R masks as vertical runs of pixels.

    Attributes:
        numbers: (E,) int, the mask to which each run belongs, in ascending order.
        columns: (E,) int, the column of each run, in ascending order within a mask.
        tops, bottoms: (E,) int, the first row of a run and the first row below it. The runs of a
            column are in order and do not overlap.
        count: The number of masks R; some may have no run.
        size: (height, width) of the image.
    """

    numbers: npt.NDArray[np.integer]
    columns: npt.NDArray[np.integer]
    tops: npt.NDArray[np.integer]
    bottoms: npt.NDArray[np.integer]
    count: int
    size: tuple[int, int]

    @classmethod
    def from_masks(cls, masks: npt.NDArray[np.bool_]) -> 'RunLengthMasks':
        """The runs of masks (R, H, W) bool."""
        height, width = masks.shape[1:]
        rows, columns = (np.flatnonzero(masks.any(axis=axes)) for axes in ((0, 2), (0, 1)))
        if not len(rows):
            return cls.collect([], len(masks), (height, width))
        top, left = rows[0], columns[0]
        part = masks[:, top:rows[-1] + 1, left:columns[-1] + 1].transpose(0, 2, 1)
        padded = np.pad(part, ((0, 0), (0, 0), (1, 1)))
        number, column, row = np.nonzero(padded[:, :, 1:] != padded[:, :, :-1])
        # Every run is two changes in one column of one mask.
        return cls(number[::2], column[::2] + left, row[::2] + top, row[1::2] + top, len(masks),
                   (height, width))

    @classmethod
    def collect(cls, parts: Sequence[tuple['RunLengthMasks', npt.NDArray[np.integer]]], count: int,
                size: Iterable[int]) -> 'RunLengthMasks':
        """Joins several sets of masks.

        Args:
            parts: Pairs of a :class:`RunLengthMasks` of r masks and (r,) int, the new numbers of these.
            count: The total number of masks.
            size: (height, width) of the image.
        """
        columns, tops, bottoms = (
            np.concatenate([np.zeros(0, int)] + [getattr(runs, name) for runs, _ in parts])
            for name in ('columns', 'tops', 'bottoms'))
        numbers = np.concatenate([np.zeros(0, int)] + [given[runs.numbers] for runs, given in parts])
        order = np.argsort(numbers, kind='stable')
        height, width = size
        return cls(numbers[order], columns[order], tops[order], bottoms[order], count, (height, width))

    def take(self, chosen: npt.NDArray[np.integer] | Sequence[int]) -> 'RunLengthMasks':
        """The masks with the numbers ``chosen`` (N,) int, each at most once, in this order."""
        place = np.full(self.count, -1)
        place[chosen] = np.arange(len(chosen))
        place = place[self.numbers]
        order = np.argsort(place, kind='stable')[np.count_nonzero(place < 0):]
        return RunLengthMasks(place[order], self.columns[order], self.tops[order], self.bottoms[order],
                        len(chosen), self.size)

    def bboxes(self) -> npt.NDArray[np.float32]:
        """The tight boxes (R, 4) float32 (y_min, x_min, y_max, x_max); (0, 0, 0, 0) of empty masks."""
        boxes = np.zeros((self.count, 4), np.float32)
        if len(self.numbers):
            owners, first = np.unique(self.numbers, return_index=True)
            boxes[owners, 0] = np.minimum.reduceat(self.tops, first)
            boxes[owners, 1] = np.minimum.reduceat(self.columns, first)
            boxes[owners, 2] = np.maximum.reduceat(self.bottoms, first)
            boxes[owners, 3] = np.maximum.reduceat(self.columns, first) + 1
        return boxes

    def to_masks(self) -> npt.NDArray[np.bool_]:
        """The masks (R, height, width) bool."""
        height, width = self.size
        edges = self._edges() + np.repeat(self.numbers, 2) * (height * width)
        lengths = np.diff(edges, prepend=0, append=self.count * height * width)
        flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
        return flat.reshape(self.count, width, height).transpose(0, 2, 1)

    def to_rle(self) -> list[dict[str, Any]]:
        """COCO's compressed run-length encodings, as returned by :func:`chainer_seg.masks.encode_rle`."""
        if self.count == 0:
            return []
        pixels = self.size[0] * self.size[1]
        numbers, edges = _lasting(np.repeat(self.numbers, 2), self._edges(), pixels)
        # The edges of each mask, then the end of the image.
        ends = np.cumsum(np.bincount(numbers, minlength=self.count) + 1)
        starts = np.concatenate([[0], ends[:-1]])
        bounds = np.full(len(edges) + self.count, pixels)
        bounds[np.arange(len(edges)) + numbers] = edges
        lengths = np.diff(bounds, prepend=0)
        lengths[starts] = bounds[starts]
        return [{'size': list(self.size), 'counts': text} for text in compress(lengths, starts)]

    def _edges(self) -> npt.NDArray[np.integer]:
        """(2 E,) int: the positions where runs begin and end, counted column by column."""
        return np.stack([self.tops, self.bottoms], axis=1).ravel() + np.repeat(
            self.columns, 2) * self.size[0]


def _lasting(numbers: npt.NDArray[np.integer], edges: npt.NDArray[np.integer],
             pixels: int) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]]:
    """The edges without the end of the image, and without those where one run continues in the next."""
    meets = np.zeros(len(edges) + 1, bool)
    meets[1:-1] = (edges[1:] == edges[:-1]) & (numbers[1:] == numbers[:-1])
    kept = ~meets[1:] & ~meets[:-1] & (edges < pixels)
    return numbers[kept], edges[kept]
