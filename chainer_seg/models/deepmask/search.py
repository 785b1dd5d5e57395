"""The search for the best windows of an image pyramid, level by level and piece by piece."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from chainer.backends import cuda

from chainer_seg.models.deepmask.pieces import Piece
from chainer_seg.models.deepmask.pyramid import PyramidLevel
from chainer_seg.models.deepmask.selection import (
    Candidates, Maps, best_candidates, drop_beaten, torch_candidates)
from chainer_seg.models.deepmask.trunk import STRIDE
from chainer_seg.models.inference import total_of

if TYPE_CHECKING:
    from chainer_seg.models.deepmask.proposals import ProposalModel


def best_windows(model: 'ProposalModel', levels: Iterable[PyramidLevel], n: int, dm: bool
                 ) -> list[Candidates]:
    """The ``n`` best windows of all levels, by level and piece.

    Args:
        model: A DeepMask or SharpMask.
        levels: The pyramid.
        n: Maximum number of windows.
        dm: Whether to omit what only SharpMask's refinement needs.

    Raises:
        chainer_seg.errors.ModelError: The network returned values that are not finite.
    """
    candidates: list[Candidates] = []
    totals = []
    for level in levels:
        for piece in model.level_pieces(level):
            best, total = _best_of_piece(model, level, piece, n, dm)
            totals.append(total)
            # Only what the best windows so far need is kept of a piece.
            candidates = drop_beaten([*candidates, best], n)
    model.check_finite(totals)
    return candidates


def torch_windows(model: 'ProposalModel', levels: Iterable[PyramidLevel], n: int, dm: bool
                  ) -> list[Candidates]:
    """As :func:`best_windows`, but the windows of each level that the Torch implementation would choose."""
    candidates, totals = [], []
    for level in levels:
        maps = model.level_maps(level, dm)
        maps.scores, total = _scores_and_total(maps)
        totals.append(total)
        candidates.append(torch_candidates(level, maps, n, model.patch_size // STRIDE))
    model.check_finite(totals)
    return candidates


def _best_of_piece(model: 'ProposalModel', level: PyramidLevel, piece: Piece, n: int, dm: bool
                   ) -> tuple[Candidates, np.float32]:
    """The ``n`` best windows of a piece, and a number that is finite if all outputs are."""
    maps = model.piece_maps(level, piece, dm)
    maps.scores, total = _scores_and_total(maps)
    return best_candidates(level, maps, n, model.patch_size // STRIDE, piece.first), total


def _scores_and_total(maps: Maps) -> tuple[npt.NDArray[np.float32], np.float32]:
    """The scores on the CPU, and a number that is finite if all outputs are, with one synchronisation."""
    xp = cuda.get_array_module(maps.scores)
    total = xp.asarray(total_of(maps.features, maps.scores), np.float32)
    both = cuda.to_cpu(xp.concatenate([maps.scores.ravel(), total.reshape(1)]))
    return both[:-1].reshape(maps.scores.shape), both[-1]
