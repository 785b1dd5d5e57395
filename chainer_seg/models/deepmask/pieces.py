"""Large levels of the pyramid in pieces: the size of a piece, and the joined maps of a level."""

from collections.abc import Iterable
from types import ModuleType
from typing import TypeAlias

import numpy as np

from chainer_seg.models.deepmask.pyramid import PyramidLevel
from chainer_seg.models.deepmask.selection import Maps
from chainer_seg.models.deepmask.trunk import STRIDE

# Larger levels are processed in pieces that overlap by the receptive field of the network, to bound the
# memory. With the published sizes a piece takes 0.9 GB, or 1.8 GB for SharpMask.
PIECE_PIXELS = 2 ** 21

Span: TypeAlias = tuple[int, int]  # first, end


def piece_positions(level: PyramidLevel, halo: Span) -> int:
    """Number of positions of a piece along each side, within the limit of pixels."""
    if level.padded[0] * level.padded[1] <= PIECE_PIXELS:
        return max(level.positions)
    return max(1, int(PIECE_PIXELS ** 0.5) // STRIDE - sum(halo))


def join_pieces(level: PyramidLevel, pieces: Iterable[tuple[Span, Span, Maps]],
            xp: ModuleType) -> Maps:
    """The maps of a level, joined from (rows, columns, maps) of its pieces."""
    joined: Maps | None = None
    for rows, columns, maps in pieces:
        joined = joined or _empty_maps(level, maps, xp)
        part = np.s_[..., rows[0]:rows[1], columns[0]:columns[1]]
        joined.features[part], joined.scores[part] = maps.features, maps.scores
        for k, (whole, skip) in enumerate(zip(joined.skips, maps.skips)):
            top, left = rows[0] << k, columns[0] << k
            whole[:, top:top + skip.shape[1], left:left + skip.shape[2]] = skip
    assert joined is not None  # a level has a window
    return joined


def _empty_maps(level: PyramidLevel, maps: Maps, xp: ModuleType) -> Maps:
    """Uninitialised maps for a whole level, with the channels of those of a piece."""
    skips = [xp.empty((len(skip),) + tuple(-(-side // (STRIDE >> k)) for side in level.padded),
                      np.float32) for k, skip in enumerate(maps.skips)]
    return Maps(xp.empty((len(maps.features),) + level.positions, np.float32),
                xp.empty(level.positions, np.float32), skips)
