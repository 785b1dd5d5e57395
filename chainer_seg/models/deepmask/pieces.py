"""Large levels of the pyramid in pieces: which pixels of a level a piece reads, and the joined maps."""

import itertools
from collections.abc import Iterable
from types import ModuleType
from typing import NamedTuple, TypeAlias

import numpy as np

from chainer_seg.models.deepmask.pyramid import PyramidLevel
from chainer_seg.models.deepmask.selection import Maps
from chainer_seg.models.deepmask.trunk import STRIDE

# Larger levels are processed in pieces that overlap by the receptive field of the network, to bound the
# memory. With the published sizes of SharpMask a piece takes 1.3 GB, or 0.4 GB in ONNX Runtime.
PIECE_PIXELS = 3 * 2 ** 19

Span: TypeAlias = tuple[int, int]  # first, end


class Piece(NamedTuple):
    """A part of a level, as rows and columns each.

    Attributes:
        windows: The windows of the level that it is for.
        pixels: The pixels of the padded level that it reads.
        inside: These windows among all those of the pixels; the last ones are open to the end.
    """

    windows: tuple[Span, Span]
    pixels: tuple[Span, Span]
    inside: tuple[slice, slice]

    @property
    def first(self) -> tuple[int, int]:
        """The row and the column of its first window."""
        return self.windows[0][0], self.windows[1][0]


def split(level: PyramidLevel, halo: Span) -> list[Piece]:
    """The pieces of a level; a small one is a single piece.

    Args:
        level: The level.
        halo: Number of positions that a piece must include before its windows and after their first ones.
    """
    across = max(level.positions)
    if level.padded[0] * level.padded[1] > PIECE_PIXELS:
        across = max(1, int(PIECE_PIXELS ** 0.5) // STRIDE - sum(halo))
    spans = [[(first, min(first + across, count)) for first in range(0, count, across)]
             for count in level.positions]
    return [_piece(level, rows, columns, halo) for rows, columns in itertools.product(*spans)]


def _piece(level: PyramidLevel, rows: Span, columns: Span, halo: Span) -> Piece:
    (top_bottom, inner_rows), (left_right, inner_columns) = (
        _part(*along, halo) for along in zip((rows, columns), level.positions, level.padded))
    return Piece((rows, columns), (top_bottom, left_right), (inner_rows, inner_columns))


def _part(span: Span, count: int, side: int, halo: Span) -> tuple[Span, slice]:
    """The pixels for a span of the ``count`` windows along a side, and the place of its windows there."""
    start = max(0, span[0] - halo[0])
    pixels = STRIDE * start, min(side, STRIDE * (span[1] + halo[1]))
    return pixels, slice(span[0] - start, None if span[1] == count else span[1] - start)


def join(level: PyramidLevel, outputs: Iterable[tuple[Piece, Maps]], xp: ModuleType) -> Maps:
    """The maps of a level, from its pieces with their maps."""
    joined = None
    for (rows, columns), maps in ((piece.windows, maps) for piece, maps in outputs):
        if (rows[1], columns[1]) == level.positions and joined is None:
            return maps
        joined = joined or _empty_maps(level, maps, xp)
        part = np.s_[..., rows[0]:rows[1], columns[0]:columns[1]]
        joined.features[part], joined.scores[part] = maps.features, maps.scores
        for k, (whole, skip) in enumerate(zip(joined.skips, maps.skips)):
            top, left = rows[0] << k, columns[0] << k
            whole[:, top:top + skip.shape[1], left:left + skip.shape[2]] = skip
    assert joined is not None  # A level has a piece.
    return joined


def _empty_maps(level: PyramidLevel, maps: Maps, xp: ModuleType) -> Maps:
    """Uninitialised maps for a whole level, with the channels of those of a piece."""
    skips = [xp.empty((len(skip),) + tuple(-(-side // (STRIDE >> k)) for side in level.padded),
                      np.float32) for k, skip in enumerate(maps.skips)]
    return Maps(xp.empty((len(maps.features),) + level.positions, np.float32),
                xp.empty(level.positions, np.float32), skips)
