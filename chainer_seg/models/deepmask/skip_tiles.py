"""The parts of SharpMask's skips that chosen windows need, since those of large images take gigabytes.

Windows begin at multiples of 16 pixels and overlap, so the parts are kept as squares of 16 pixels, each once.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from chainer.backend import get_array_module

from chainer_seg.arrays import Array


@dataclasses.dataclass
class SkipTiles:
    """Tiles of the skips of a level.

    Attributes:
        numbers: (h, w) int32, the number of each tile; -1 for those that are not kept.
        tiles: For the skip with 2 ** k values to the side of a tile, (T, C, 2 ** k, 2 ** k).
    """

    numbers: npt.NDArray[np.int32]
    tiles: list[Array]

    @classmethod
    def of(cls, skips: Sequence[Array], rows: npt.NDArray[np.integer], columns: npt.NDArray[np.integer],
           side: int) -> 'SkipTiles':
        """The tiles of windows.

        Args:
            skips: (C, h, w) each; the last rows and columns are repeated for windows that reach beyond them,
                because the side of a finer map need not be a multiple of 16 pixels.
            rows, columns: (M,) int, the first tile of each window.
            side: Tiles along a window.
        """
        needed = np.zeros((rows.max(initial=0) + side, columns.max(initial=0) + side), bool)
        needed[_places(rows, side)[:, :, None], _places(columns, side)[:, None]] = True
        rows, columns = np.nonzero(needed)
        return cls(_numbered(needed), [_cut(skip, rows << k, columns << k, 1 << k)
                                       for k, skip in enumerate(skips)])

    def keep(self, rows: npt.NDArray[np.integer], columns: npt.NDArray[np.integer], side: int) -> 'SkipTiles':
        """The tiles of some of the windows."""
        needed = np.zeros(self.numbers.shape, bool)
        needed[_places(rows, side)[:, :, None], _places(columns, side)[:, None]] = True
        return SkipTiles(_numbered(needed), [tiles[get_array_module(tiles).asarray(self.numbers[needed])]
                                             for tiles in self.tiles])

    def windows(self, rows: npt.NDArray[np.integer], columns: npt.NDArray[np.integer], side: int
                ) -> list[Array]:
        """The parts (m, C, s, s) of each skip for windows that begin at these tiles."""
        numbers = self.numbers[_places(rows, side)[:, :, None], _places(columns, side)[:, None]]
        return [_joined(tiles[get_array_module(tiles).asarray(numbers)]) for tiles in self.tiles]


def _places(first: npt.NDArray[np.integer], count: int) -> npt.NDArray[np.integer]:
    return first[:, None] + np.arange(count)


def _numbered(needed: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    return np.where(needed, np.cumsum(needed).reshape(needed.shape) - 1, -1).astype(np.int32)


def _cut(image: Array, tops: npt.NDArray[np.integer], lefts: npt.NDArray[np.integer], side: int) -> Array:
    """Squares (T, C, side, side) of an array (C, h, w), whose last rows and columns are repeated."""
    xp = get_array_module(image)
    rows = xp.asarray(np.minimum(_places(tops, side), image.shape[1] - 1))
    columns = xp.asarray(np.minimum(_places(lefts, side), image.shape[2] - 1))
    if xp is not np:  # In few launches; the loop takes half of the memory.
        return image[:, rows[:, :, None], columns[:, None]].swapaxes(0, 1)
    squares = xp.empty((len(tops), len(image), side, side), image.dtype)
    for channel, values in enumerate(image):
        squares[:, channel] = values[rows[:, :, None], columns[:, None]]
    return squares


def _joined(tiles: Array) -> Array:
    """(m, C, n * side, n * side) of tiles (m, n, n, C, side, side)."""
    count, along, _, channels, side, _ = tiles.shape
    return tiles.transpose(0, 3, 1, 4, 2, 5).reshape(count, channels, along * side, along * side)
