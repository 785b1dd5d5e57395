"""Which windows of a pyramid become proposals: the best of all levels, or those of the Torch code."""

import dataclasses

import numpy as np
from chainer.backend import get_array_module
from chainer.backends import cuda

from chainer_seg.models.deepmask.pyramid import PyramidLevel


@dataclasses.dataclass
class Candidates:
    """The best windows of one level, the best first.

    Attributes:
        level: Their :class:`chainer_seg.models.deepmask.pyramid.PyramidLevel`.
        scores: (M,) float32 in [0, 1].
        rows, columns: (M,) int, their positions among the windows of the level.
        features: (M, features, 1, 1) float32, on the device of the model.
        skips: What the horizontal nets of SharpMask made of the level: arrays (C, h, w).
        available: The number of windows that the level has.
    """

    level: PyramidLevel
    scores: np.ndarray
    rows: np.ndarray
    columns: np.ndarray
    features: np.ndarray
    skips: list
    available: int

    def windows(self, chosen, side):
        """What lies in some windows: features, and each skip's (m, C, s, s).

        Args:
            chosen: (m,) int, numbers of candidates.
            side: Side of a window in positions of the trunk's last stage.
        """
        skips = [_cut(skip, self.rows[chosen] << k, self.columns[chosen] << k, side << k)
                 for k, skip in enumerate(self.skips)]
        return self.features[get_array_module(self.features).asarray(chosen)], skips


def best_candidates(level, maps, n):
    """The ``n`` best windows of a level.

    Args:
        level: The level.
        maps: What :meth:`chainer_seg.models.deepmask.proposals.ProposalModel.predict_logits` saw in it.
    """
    scores = _probabilities(maps)
    best = np.argsort(-scores, kind='stable')[:n]
    rows, columns = np.divmod(best, level.positions[1])
    return _candidates(level, maps, scores[best], rows, columns)


def torch_candidates(level, maps, n):
    """As :func:`best_candidates`, but at the positions that the Torch code takes for these.

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
                       np.append(rows, 0), np.append(columns, 0))


def best_selection(candidates, n):
    """The ``n`` best of all levels.

    Args:
        candidates: :class:`Candidates` for each level.

    Returns:
        (R,) int, the number of the level, (R,) int, the number among its candidates, and (R,)
        float32, the scores, which fall.
    """
    scores = np.concatenate([each.scores for each in candidates])
    counts = [len(each.scores) for each in candidates]
    levels = np.repeat(np.arange(len(counts)), counts)
    within = np.concatenate([np.arange(count) for count in counts])
    best = np.argsort(-scores, kind='stable')[:n]
    return levels[best], within[best], scores[best]


def torch_selection(candidates, n):
    """As :func:`best_selection`, but of :func:`torch_candidates` and ``n`` rows in any case.

    The Torch code fills its table as far as the last level has windows. Further rows keep ones:
    the score 1 and the top left window of the first level.
    """
    filled = min(n, candidates[-1].available)
    levels, within, scores = best_selection(candidates, filled)
    real = scores >= 0
    missing = n - int(real.sum())
    return (np.append(levels[real], np.zeros(missing, int)),
            np.append(within[real], np.full(missing, len(candidates[0].scores) - 1)),
            np.append(scores[real], np.ones(missing, np.float32)))


def _probabilities(maps):
    logits = cuda.to_cpu(maps.scores).ravel()
    return (0.5 * np.tanh(0.5 * logits) + 0.5).astype(np.float32)


def _candidates(level, maps, scores, rows, columns):
    xp = get_array_module(maps.features)
    features = maps.features[:, xp.asarray(rows), xp.asarray(columns)].T[:, :, None, None]
    return Candidates(level, scores, rows, columns, features, maps.skips, maps.scores.size)


def _cut(image, tops, lefts, side):
    """Squares (m, C, side, side) of an array (C, h, w); its last rows and columns are repeated where a
    square reaches beyond it, as the side of a finer map need not be a multiple of 16 pixels."""
    xp = get_array_module(image)
    inner = np.arange(side)
    rows = xp.asarray(np.minimum(tops[:, None] + inner, image.shape[1] - 1))
    columns = xp.asarray(np.minimum(lefts[:, None] + inner, image.shape[2] - 1))
    return image[:, rows[:, :, None], columns[:, None, :]].swapaxes(0, 1)
