"""Selection of the windows that become proposals: the best of all levels, or those of Torch's DeepMask."""

import dataclasses
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from chainer.backend import get_array_module
from chainer.backends import cuda

from chainer_seg.arrays import Array
from chainer_seg.models.deepmask.pyramid import PyramidLevel
from chainer_seg.models.deepmask.skip_tiles import SkipTiles

# Level (R,) int, number among the candidates of the level (R,) int, and score (R,) float32.
Selection: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclasses.dataclass
class Maps:
    """The outputs of the network for a level, on its device.

    Attributes:
        features: (features, h, w), a vector for each window.
        scores: (h, w), the score logits.
        skips: The outputs of SharpMask's horizontal nets at stride 16, 8, 4 and 2, (C, h, w) each.
    """

    features: np.ndarray
    scores: np.ndarray
    skips: list[Array]


@dataclasses.dataclass
class Candidates:
    """The best windows of one level, or of a piece of it, the best first.

    Attributes:
        level: Their :class:`chainer_seg.models.deepmask.pyramid.PyramidLevel`.
        scores: (M,) float32 in [0, 1].
        rows, columns: (M,) int, their positions among the windows of the level.
        features: (M, features, 1, 1) float32, on the device of the model.
        skips: What they need of the skips of the level's :class:`Maps`.
        side: Side of a window in positions of the trunk's last stage.
        available: Number of windows of the level.
        first: Row and column of the level's window at which the skips begin.
    """

    level: PyramidLevel
    scores: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    features: np.ndarray
    skips: SkipTiles
    side: int
    available: int
    first: tuple[int, int] = (0, 0)

    def windows(self, chosen: Sequence[int] | np.ndarray) -> tuple[Array, list[Array]]:
        """The features of windows, and their part (m, C, s, s) of each skip.

        Args:
            chosen: (m,) int, numbers of candidates.
        """
        return (self.features[get_array_module(self.features).asarray(chosen)],
                self.skips.windows(self.rows[chosen] - self.first[0], self.columns[chosen] - self.first[1],
                                   self.side))

    def keep(self, count: int) -> 'Candidates':
        """The ``count`` best, without what only the others need."""
        if count == len(self.scores):
            return self
        rows, columns = self.rows[:count], self.columns[:count]
        return dataclasses.replace(
            self, scores=self.scores[:count], rows=rows, columns=columns,
            features=self.features[:count].copy(),
            skips=self.skips.keep(rows - self.first[0], columns - self.first[1], self.side))


def best_candidates(level: PyramidLevel, maps: Maps, n: int, side: int, first: tuple[int, int] = (0, 0)
                    ) -> Candidates:
    """The ``n`` best windows of a level, or of a piece of it.

    Args:
        level: The level.
        maps: The maps of the level or the piece, as of
            :meth:`chainer_seg.models.deepmask.proposals.ProposalModel.level_pieces`.
        n: Maximum number of windows.
        side: Side of a window in positions of the trunk's last stage.
        first: Row and column of the first window of the maps.
    """
    scores = _probabilities(maps)
    best = np.argsort(-scores, kind='stable')[:n]
    rows, columns = np.divmod(best, maps.scores.shape[1])
    return _candidates(level, maps, scores[best], rows, columns, side, first)


def torch_candidates(level: PyramidLevel, maps: Maps, n: int, side: int) -> Candidates:
    """As :func:`best_candidates`, but at the positions that the Torch implementation computes for them.

    It counts from 1 and computes row max(1, floor(t / w)) and column max(1, t mod w + 1) of the
    t-th of all windows, w in a row: mostly one row up and one column to the right of the window
    that has the score. The window of the top left corner comes last, see :func:`torch_selection`.
    """
    scores = _probabilities(maps)
    best = np.argsort(-scores, kind='stable')[:n]
    counted = best + 1
    rows = np.maximum(counted // level.positions[1], 1) - 1
    columns = counted % level.positions[1]
    return _candidates(level, maps, np.append(scores[best], np.float32(-1)),
                       np.append(rows, 0), np.append(columns, 0), side)


def best_selection(candidates: Sequence[Candidates], n: int) -> Selection:
    """The ``n`` best of all levels.

    Args:
        candidates: :class:`Candidates` for each level.

    Returns:
        The levels, the numbers among their candidates, and the scores in descending order.
    """
    scores = np.concatenate([each.scores for each in candidates])
    counts = [len(each.scores) for each in candidates]
    levels = np.repeat(np.arange(len(counts)), counts)
    within = np.concatenate([np.arange(count) for count in counts])
    best = np.argsort(-scores, kind='stable')[:n]
    return levels[best], within[best], scores[best]


def drop_beaten(candidates: Sequence[Candidates], n: int) -> list[Candidates]:
    """The candidates without those that :func:`best_selection` cannot choose, whatever is added to them."""
    chosen, _, _ = best_selection(candidates, n)
    # Those of an entry are in descending order, so the first ones are chosen.
    counts = np.bincount(chosen, minlength=len(candidates)).tolist()
    return [each.keep(count) for each, count in zip(candidates, counts) if count]


def torch_selection(candidates: Sequence[Candidates], n: int) -> Selection:
    """As :func:`best_selection`, but of :func:`torch_candidates` and always ``n`` rows.

    The Torch implementation fills its table with at most the number of windows of the last level. Further
    rows remain ones: the score 1 and the top left window of the first level.
    """
    filled = min(n, candidates[-1].available)
    levels, within, scores = best_selection(candidates, filled)
    real = scores >= 0
    missing = n - int(real.sum())
    return (np.append(levels[real], np.zeros(missing, int)),
            np.append(within[real], np.full(missing, len(candidates[0].scores) - 1)),
            np.append(scores[real], np.ones(missing, np.float32)))


def _probabilities(maps: Maps) -> npt.NDArray[np.float32]:
    logits = cuda.to_cpu(maps.scores).ravel()
    return (0.5 * np.tanh(0.5 * logits) + 0.5).astype(np.float32)


def _candidates(level: PyramidLevel, maps: Maps, scores: np.ndarray, rows: np.ndarray, columns: np.ndarray,
                side: int, first: tuple[int, int] = (0, 0)) -> Candidates:
    """Candidates at rows and columns (M,) of the maps, which begin at the window ``first`` of the level."""
    xp = get_array_module(maps.features)
    features = maps.features[:, xp.asarray(rows), xp.asarray(columns)].T[:, :, None, None]
    skips = SkipTiles.of(maps.skips, rows, columns, side)
    return Candidates(level, scores, rows + first[0], columns + first[1], features, skips, side,
                      maps.scores.size, first)
