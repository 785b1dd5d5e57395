"""Masks that may be the object that a user clicks on, as runs of pixels, and what clicks ask of them."""

import dataclasses
import functools

import numpy as np
import numpy.typing as npt

from chainer_seg.run_length_masks import RunLengthMasks

Numbers = npt.NDArray[np.float64]  # (N,), one for each candidate


@dataclasses.dataclass(frozen=True, eq=False)
class CandidateMasks:
    """N masks of one image, which take as much memory as they have runs.

    Attributes:
        runs: The masks; none is empty.
        scores: (N,) float32 in [0, 1], how sure the model is that there is an object.
    """

    runs: RunLengthMasks
    scores: npt.NDArray[np.float32]

    @classmethod
    def of(cls, runs: RunLengthMasks, scores: npt.NDArray[np.float32]) -> 'CandidateMasks':
        """The candidates of R masks and their scores (R,), without those that are empty."""
        filled = np.flatnonzero(np.bincount(runs.numbers, minlength=runs.count))
        return cls(runs.take(filled), np.asarray(scores, np.float32)[filled])

    @classmethod
    def none(cls, size: tuple[int, int]) -> 'CandidateMasks':
        """No candidates in an image of ``size`` (height, width)."""
        return cls(RunLengthMasks.collect([], 0, size), np.zeros(0, np.float32))

    def __len__(self) -> int:
        return self.runs.count

    def joined(self, *others: 'CandidateMasks') -> 'CandidateMasks':
        """These candidates, and behind them others of the same image."""
        parts, count = [], 0
        for each in (self, *others):
            parts.append((each.runs, count + np.arange(len(each))))
            count += len(each)
        return CandidateMasks(RunLengthMasks.collect(parts, count, self.runs.size),
                              np.concatenate([each.scores for each in (self, *others)]))

    @functools.cached_property
    def areas(self) -> Numbers:
        """(N,) the number of pixels of each."""
        return self._sums(self.runs.bottoms - self.runs.tops)

    @functools.cached_property
    def centers(self) -> npt.NDArray[np.float64]:
        """(N, 2) y and x of the mean of the pixels of each."""
        lengths = self.runs.bottoms - self.runs.tops
        y = self._sums(lengths * (self.runs.bottoms + self.runs.tops - 1) / 2)
        x = self._sums(lengths * self.runs.columns)
        return np.stack([y, x], axis=1) / self.areas[:, None]

    def contain(self, row: int, column: int) -> npt.NDArray[np.bool_]:
        """(N,) which of them contain a pixel."""
        here = (self.runs.columns == column) & (self.runs.tops <= row) & (row < self.runs.bottoms)
        contained = np.zeros(len(self), bool)
        contained[self.runs.numbers[here]] = True
        return contained

    def overlaps(self, mask: npt.NDArray[np.bool_]) -> Numbers:
        """(N,) the number of pixels that each has in common with a mask (H, W)."""
        part = window_of(mask)
        if part is None:
            return np.zeros(len(self))
        inside = np.pad(np.cumsum(mask[part].T, axis=1, dtype=np.int32), ((1, 1), (1, 0)))
        # Columns and rows beyond the window count as its empty border.
        columns = np.clip(self.runs.columns - part[1].start + 1, 0, len(inside) - 1)
        tops, bottoms = (np.clip(ends - part[0].start, 0, inside.shape[1] - 1)
                         for ends in (self.runs.tops, self.runs.bottoms))
        return self._sums(inside[columns, bottoms] - inside[columns, tops])

    def mask(self, number: int) -> npt.NDArray[np.bool_]:
        """(H, W) one of them."""
        return self.runs.take(np.array([number])).to_masks()[0]

    def _sums(self, values: np.ndarray) -> np.ndarray:
        return np.bincount(self.runs.numbers, values, len(self))


def window_of(mask: npt.NDArray[np.bool_], margin: int = 0) -> tuple[slice, slice] | None:
    """The rows and columns of an image that a mask (H, W) and a margin take; None of an empty mask."""
    used = [np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0)]
    if not all(map(len, used)):
        return None
    rows, columns = (slice(max(0, int(places[0]) - margin), int(places[-1]) + 1 + margin) for places in used)
    return rows, columns
