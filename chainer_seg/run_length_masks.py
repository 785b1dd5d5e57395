"""Masks in run-length form: small in memory, and fast to convert to arrays or COCO's encodings."""

import dataclasses
import functools
from collections.abc import Iterable, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg.rle import compress, read_compressed


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
        count, height, width = masks.shape
        parts = [_find_runs(mask) for mask in masks]
        numbers = np.repeat(np.arange(count), [len(part[0]) for part in parts])
        columns, tops, bottoms = np.concatenate([np.zeros((3, 0), int), *parts], axis=1)
        return cls(numbers, columns, tops, bottoms, count, (height, width))

    @classmethod
    def from_rle(cls, codes: Sequence[dict[str, Any]], size: tuple[int, int]) -> 'RunLengthMasks':
        """The masks of compressed encodings that :mod:`chainer_seg.rle` has checked or made.

        Args:
            codes: COCO's run-length encodings; their ``counts`` are str or bytes.
            size: (height, width) of the image.
        """
        if not len(codes):
            return cls.collect([], 0, size)
        counts = [code['counts'] for code in codes]
        lengths, starts = read_compressed([text.encode('ascii') if isinstance(text, str) else text
                                           for text in counts])
        height, width = size
        owner = np.repeat(np.arange(len(codes)), np.diff(starts, append=len(lengths)))
        ends = np.cumsum(lengths) - owner * (height * width)
        # In each mask, every second run is one of ones; it may continue in the next columns.
        ones = ((np.arange(len(lengths)) - starts[owner]) % 2 == 1) & (lengths > 0)
        first, last = (ends - lengths)[ones], ends[ones] - 1
        run, column = spans(first // height, last // height + 1)
        tops = np.where(column == first[run] // height, first[run] % height, 0)
        bottoms = np.where(column == last[run] // height, last[run] % height + 1, height)
        return cls(owner[ones][run], column, tops, bottoms, len(codes), (height, width))

    @classmethod
    def from_boxes(cls, boxes: npt.NDArray[np.integer], size: tuple[int, int]) -> 'RunLengthMasks':
        """Masks that fill boxes (R, 4) int (y_min, x_min, y_max, x_max) of an image of ``size``."""
        boxes = np.clip(boxes, 0, np.tile(size, 2))
        number, column = spans(boxes[:, 1], boxes[:, 3])
        tops, bottoms = boxes[number, 0], boxes[number, 2]
        seen = tops < bottoms
        return cls(number[seen], column[seen], tops[seen], bottoms[seen], len(boxes), size)

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

    @functools.cached_property
    def starts(self) -> npt.NDArray[np.int64]:
        """(R + 1,) int: the first run of each mask, and the number of all runs."""
        return np.searchsorted(self.numbers, np.arange(self.count + 1))

    def take(self, chosen: slice | npt.NDArray | Sequence[int]) -> 'RunLengthMasks':
        """``masks[chosen]``: those with the numbers (N,) int, in this order, or of a slice or bools (R,)."""
        chosen = np.arange(self.count)[chosen]
        place, run = spans(self.starts[chosen], self.starts[chosen + 1])
        return RunLengthMasks(place, self.columns[run], self.tops[run], self.bottoms[run], len(chosen),
                              self.size)

    def sampled(self, rows: npt.NDArray[np.integer], columns: npt.NDArray[np.integer]) -> 'RunLengthMasks':
        """``masks[:, rows[:, None], columns]``: a part of the masks, or the masks at a smaller size.

        Args:
            rows: (h,) int, in ascending order.
            columns: (w,) int, in ascending order, each at most once.
        """
        place = np.searchsorted(columns, self.columns)
        tops, bottoms = np.searchsorted(rows, self.tops), np.searchsorted(rows, self.bottoms)
        seen = np.isin(self.columns, columns) & (tops < bottoms)
        return RunLengthMasks(self.numbers[seen], place[seen], tops[seen], bottoms[seen], self.count,
                              (len(rows), len(columns)))

    def areas(self) -> npt.NDArray[np.int64]:
        """The number of pixels (R,) int64 of each mask."""
        pixels = np.concatenate([[0], np.cumsum(self.bottoms - self.tops)])
        return np.diff(pixels[self.starts])

    def bboxes(self) -> npt.NDArray[np.float32]:
        """The tight boxes (R, 4) float32 (y_min, x_min, y_max, x_max); (0, 0, 0, 0) of empty masks."""
        boxes = np.zeros((self.count, 4), np.float32)
        filled = np.flatnonzero(np.diff(self.starts))
        if len(filled):
            first = self.starts[filled]
            boxes[filled, 0] = np.minimum.reduceat(self.tops, first)
            boxes[filled, 1] = np.minimum.reduceat(self.columns, first)
            boxes[filled, 2] = np.maximum.reduceat(self.bottoms, first)
            boxes[filled, 3] = np.maximum.reduceat(self.columns, first) + 1
        return boxes

    def to_masks(self) -> npt.NDArray[np.bool_]:
        """The masks (R, height, width) bool."""
        # Only the parts in the boxes are written, because untouched zeros take neither time nor memory.
        masks = np.zeros((self.count, *self.size), bool)
        for number, (top, left, bottom, right) in enumerate(self.bboxes().astype(int).tolist()):
            runs = slice(*self.starts[number:number + 2])
            edges = np.stack([self.tops[runs], self.bottoms[runs]], axis=1) - top
            edges += ((self.columns[runs] - left) * (bottom - top))[:, None]
            lengths = np.diff(edges.ravel(), prepend=0, append=(bottom - top) * (right - left))
            flat = np.repeat(np.arange(len(lengths), dtype=np.uint8) & 1, lengths)
            if flat.size:
                masks[number, top:bottom, left:right] = cv2.transpose(
                    flat.reshape(right - left, bottom - top))
        return masks

    def topmost(self) -> npt.NDArray[np.uint16]:
        """The mask that is visible at each pixel if smaller masks are on top of larger ones.

        Returns:
            (height, width) uint16: 1 + the number of the mask; 0 for pixels without a mask.
        """
        height, width = self.size
        # The place of each mask in the pile, from 1 at the bottom.
        pile = np.argsort(-self.areas(), kind='stable')
        place = np.empty(self.count, np.uint16)
        place[pile] = np.arange(1, self.count + 1)
        # Between two neighbouring edges of any runs, the same mask is on top.
        edges = self._edges()
        bounds = np.unique(np.concatenate([[0], edges]))
        highest = _highest(np.searchsorted(bounds, edges).reshape(-1, 2), place[self.numbers], len(bounds))
        owner = np.concatenate([[0], pile + 1]).astype(np.uint16)[highest]
        lengths = np.diff(bounds, append=height * width)
        if not height * width:
            return np.zeros(self.size, np.uint16)
        return np.asarray(cv2.transpose(np.repeat(owner, lengths).reshape(width, height)), np.uint16)

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


def spans(first: npt.NDArray[np.integer], last: npt.NDArray[np.integer]
          ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """i for each of the numbers first[i] to last[i] - 1 for each i in turn, and these numbers."""
    lengths = np.maximum(last - first, 0)
    owner = np.repeat(np.arange(len(first)), lengths)
    start = np.cumsum(lengths) - lengths
    return owner, np.arange(len(owner)) - start[owner] + first[owner]


def _find_runs(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    """(3, E) int: the columns, tops and bottoms of the runs of a mask (H, W) bool."""
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return np.zeros((3, 0), int)
    top = rows[0]
    part = mask[top:rows[-1] + 1]
    columns = np.flatnonzero(part.any(axis=0))
    left = columns[0]
    padded = np.pad(part[:, left:columns[-1] + 1], ((1, 1), (0, 0)))
    row, column = np.divmod(np.flatnonzero(padded[1:] != padded[:-1]), padded.shape[1])
    # Column by column, every run is two changes.
    column, row = np.divmod(np.sort(column * len(padded) + row), len(padded))
    return np.stack([column[::2] + left, row[::2] + top, row[1::2] + top])


def _highest(ranges: npt.NDArray[np.integer], values: npt.NDArray[np.uint16], length: int
             ) -> npt.NDArray[np.uint16]:
    """(length,) the largest value of all ranges that contain a position; 0 where none does.

    Args:
        ranges: (E, 2) int, the first position of each range, and the first after it; none is empty.
        values: (E,) the value of each range.
        length: The number of positions.
    """
    order = np.argsort(values, kind='stable')
    (first, stop), values = ranges[order].T, values[order]
    # A range is two overlapping ones whose length is a power of two. Those are halved until they are of
    # length 1, which takes as many steps for all ranges together as for the longest.
    power = np.frexp(stop - first)[1] - 1
    highest = np.zeros(length, np.uint16)
    for exponent in range(power.max(initial=0), -1, -1):
        here, side = power == exponent, 1 << exponent
        for start in (first[here], stop[here] - side):
            # Of several values for a position, the last and largest one is kept.
            fresh = np.zeros(length, np.uint16)
            fresh[start] = values[here]
            np.maximum(highest, fresh, out=highest)
        if exponent:
            half = side // 2
            highest[half:] = np.maximum(highest[half:], highest[:-half])
    return highest
