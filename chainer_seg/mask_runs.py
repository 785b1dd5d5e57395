"""Masks as vertical runs of pixels: small in memory, and quickly turned into COCO's codes or arrays."""

import dataclasses

import numpy as np


@dataclasses.dataclass
class MaskRuns:
    """R masks, each known by where it begins and ends in the columns of the image.

    Attributes:
        numbers: (E,) int, the mask to which each run belongs; not falling.
        columns: (E,) int, not falling within a mask.
        tops, bottoms: (E,) int, the first row of a run and the first row below it. The runs of a
            column come in order and do not overlap.
        count: The number of masks R; some may have no run.
        size: (height, width) of the image.
    """

    numbers: np.ndarray
    columns: np.ndarray
    tops: np.ndarray
    bottoms: np.ndarray
    count: int
    size: tuple

    @classmethod
    def from_masks(cls, masks: np.ndarray) -> 'MaskRuns':
        """The runs of masks (R, H, W) bool."""
        used = [np.flatnonzero(masks.any(axis=axes)) for axes in ((0, 2), (0, 1))]
        if not all(map(len, used)):
            return cls.collect([], len(masks), masks.shape[1:])
        (top, left), (bottom, right) = ([places[end] for places in used] for end in (0, -1))
        part = masks[:, top:bottom + 1, left:right + 1].transpose(0, 2, 1)
        columns = np.pad(part.astype(np.int8), ((0, 0), (0, 0), (1, 1)))
        number, column, row = np.nonzero(np.diff(columns, axis=2))
        # Every run is two changes in one column of one mask.
        return cls(number[::2], column[::2] + left, row[::2] + top, row[1::2] + top, len(masks),
                   masks.shape[1:])

    @classmethod
    def collect(cls, parts, count, size):
        """Masks from several places.

        Args:
            parts: Pairs of a :class:`MaskRuns` of r masks and (r,) int, the numbers that these
                shall have.
            count: The number of masks in all.
            size: (height, width) of the image.
        """
        columns = [np.concatenate([np.zeros(0, int)] + [getattr(runs, name) for runs, _ in parts])
                   for name in ('columns', 'tops', 'bottoms')]
        numbers = np.concatenate([np.zeros(0, int)] + [given[runs.numbers] for runs, given in parts])
        order = np.argsort(numbers, kind='stable')
        return cls(numbers[order], *(column[order] for column in columns), count, tuple(size))

    def take(self, chosen: np.ndarray) -> 'MaskRuns':
        """The masks whose numbers are in ``chosen`` (N,) int, each at most once, in that order."""
        place = np.full(self.count, -1)
        place[chosen] = np.arange(len(chosen))
        place = place[self.numbers]
        order = np.argsort(place, kind='stable')[np.count_nonzero(place < 0):]
        return MaskRuns(place[order], self.columns[order], self.tops[order], self.bottoms[order],
                        len(chosen), self.size)

    def bboxes(self) -> np.ndarray:
        """The tight boxes (R, 4) float32 (y_min, x_min, y_max, x_max); (0, 0, 0, 0) of empty masks."""
        boxes = np.zeros((self.count, 4), np.float32)
        if len(self.numbers):
            owners, first = np.unique(self.numbers, return_index=True)
            boxes[owners, 0] = np.minimum.reduceat(self.tops, first)
            boxes[owners, 1] = np.minimum.reduceat(self.columns, first)
            boxes[owners, 2] = np.maximum.reduceat(self.bottoms, first)
            boxes[owners, 3] = np.maximum.reduceat(self.columns, first) + 1
        return boxes

    def to_masks(self) -> np.ndarray:
        """The masks (R, height, width) bool."""
        height, width = self.size
        edges = self._edges() + np.repeat(self.numbers, 2) * (height * width)
        lengths = np.diff(edges, prepend=0, append=self.count * height * width)
        flat = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths)
        return flat.reshape(self.count, width, height).transpose(0, 2, 1)

    def to_rle(self) -> list[dict]:
        """COCO's compressed run-length encodings, as :func:`chainer_seg.masks.encode_rle` gives them."""
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
        return [{'size': list(self.size), 'counts': text} for text in _compress(lengths, starts)]

    def _edges(self):
        """(2 E,) int: where runs begin and end, counted down the columns."""
        return np.stack([self.tops, self.bottoms], axis=1).ravel() + np.repeat(
            self.columns, 2) * self.size[0]


def _lasting(numbers, edges, pixels):
    """The edges without the end of the image, and without those where one run goes on as the next."""
    meets = np.zeros(len(edges) + 1, bool)
    meets[1:-1] = (edges[1:] == edges[:-1]) & (numbers[1:] == numbers[:-1])
    kept = ~meets[1:] & ~meets[:-1] & (edges < pixels)
    return numbers[kept], edges[kept]


def _compress(lengths, starts):
    """COCO's text for each mask: from the fourth run on the change from the last but one, in base 32."""
    changes = lengths.copy()
    changes[2:] -= lengths[:-2]
    within = np.arange(len(lengths)) - np.repeat(starts, np.diff(starts, append=len(lengths)))
    values = np.where(within > 2, changes, lengths)
    digits, used = [], []
    more = np.ones(len(values), bool)
    while more.any():
        digit = values & 31
        values = values >> 5
        used.append(more)
        more = more & (values != np.where(digit & 16, -1, 0))
        digits.append(digit + 32 * more + 48)
    used = np.stack(used, axis=1)
    text = np.stack(digits, axis=1).astype(np.uint8)[used].tobytes().decode('ascii')
    ends = np.cumsum(used.sum(axis=1))[np.append(starts[1:], len(lengths)) - 1].tolist()
    return [text[start:end] for start, end in zip([0] + ends, ends)]


# Of all masks of an image together: 90 objects in a photograph of 12 megapixels.
MAX_PIXELS = 2 ** 30

_RUN_CHARACTERS = 7  # of 5 bits: more than any image has pixels


def check_runs(codes: list[bytes], size: tuple[int, int]) -> None:
    """Makes sure that pycocotools can decode masks: its C code trusts what it is given.

    Args:
        codes: The compressed run-length encoding of each mask, COCO's ``counts``.
        size: (height, width) of the image.

    Raises:
        ValueError: A code cannot be read or does not have as many pixels as the image, or there are
            more masks than :func:`check_room` allows.
    """
    check_room(len(codes), size)
    if not codes:
        return
    pixels = size[0] * size[1]
    lengths, starts = read_runs(codes)
    if lengths.min() < 0 or (np.add.reduceat(lengths, starts) != pixels).any():
        raise ValueError(f'a run-length encoding does not cover the {pixels} pixels of its image')


def check_room(count: int, size: tuple[int, int]) -> None:
    """Makes sure that ``count`` masks of ``size`` (height, width) do not fill the memory.

    Raises:
        ValueError: They, and one more that is being decoded, have more pixels than
            :data:`MAX_PIXELS`.
    """
    if count and size[0] * size[1] * (count + 1) > MAX_PIXELS:
        raise ValueError(f'{count} masks of {size[0]}x{size[1]} pixels are more than are read at '
                         f'once; split the image into parts')


def read_runs(codes: list[bytes]) -> tuple[np.ndarray, np.ndarray]:
    """The run lengths of compressed codes; the inverse of what :meth:`MaskRuns.to_rle` writes.

    Args:
        codes: At least one, as of :func:`check_runs`.

    Returns:
        (N,) int64, the runs of all masks one after the other, and (R,) int64, where each begins.

    Raises:
        ValueError: One is empty, ends too early, or has characters that cannot occur.
    """
    data = np.frombuffer(b''.join(codes), np.uint8).astype(np.int64) - 48
    ends = np.cumsum([len(code) for code in codes])
    if min(map(len, codes)) == 0 or data.min() < 0 or data.max() > 63 or (data[ends - 1] & 32).any():
        raise ValueError('a run-length encoding is empty, cut short or damaged')
    last = np.flatnonzero((data & 32) == 0)  # The last character of each run.
    first = np.concatenate([[0], last[:-1] + 1])
    if (last - first).max() >= _RUN_CHARACTERS:
        raise ValueError('a run-length encoding has a run longer than any image')
    digit = np.arange(len(data)) - np.repeat(first, last - first + 1)
    runs = np.add.reduceat((data & 31) << (5 * digit), first)
    runs -= np.where(data[last] & 16, 1 << (5 * (last - first + 1)), 0)
    starts = np.searchsorted(last, np.concatenate([[0], ends[:-1]]))
    return _undo_changes(runs, starts), starts


def _undo_changes(runs, starts):
    """The runs of which from the fourth of each mask on the change from the last but one is given."""
    place = np.arange(len(runs)) - np.repeat(starts, np.diff(starts, append=len(runs)))
    for chain in (np.flatnonzero(place % 2 == 1), np.flatnonzero((place % 2 == 0) & (place > 0))):
        sums = np.cumsum(runs[chain])
        begins = np.flatnonzero(place[chain] <= 2)
        before = sums[begins] - runs[chain][begins]
        runs[chain] = sums - np.repeat(before, np.diff(begins, append=len(chain)))
    return runs
