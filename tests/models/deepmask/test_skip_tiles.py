"""Tiles of skips, compared with windows that are cut from the whole maps, pixel by pixel."""

import numpy as np
import pytest

from chainer_seg.models.deepmask.skip_tiles import SkipTiles

SIDE = 3


@pytest.fixture
def skips(rng):
    """Maps of 1, 2 and 4 values to the side of a tile; 7x9 tiles, of which the last ones are cut off."""
    return [rng.normal(size=(channels, *size)).astype(np.float32)
            for channels, size in ((3, (7, 9)), (2, (13, 18)), (1, (26, 35)))]


def window(skip, k, row, column):
    """A window whose first tile is at the row and column, of a map whose last values are repeated."""
    wide = np.pad(skip, ((0, 0), (0, 16), (0, 16)), mode='edge')
    top, left, length = row << k, column << k, SIDE << k
    return wide[:, top:top + length, left:left + length]


def assert_windows(tiles, skips, rows, columns):
    for k, (skip, found) in enumerate(zip(skips, tiles.windows(rows, columns, SIDE), strict=True)):
        expected = [window(skip, k, *place) for place in zip(rows, columns)]
        np.testing.assert_array_equal(found, np.reshape(expected, found.shape))


@pytest.mark.parametrize('places', [[(0, 0)], [(4, 6), (0, 1), (1, 1), (4, 6)], [(5, 7)], []])
def test_windows_are_parts_of_the_maps(skips, places):
    rows, columns = np.array(places, int).reshape(-1, 2).T
    assert_windows(SkipTiles.of(skips, rows, columns, SIDE), skips, rows, columns)


def test_tiles_that_windows_share_are_kept_once(skips):
    tiles = SkipTiles.of(skips, np.array([0, 1, 1]), np.array([0, 0, 0]), SIDE)
    assert [len(each) for each in tiles.tiles] == [12, 12, 12]


def test_fewer_windows_need_fewer_tiles(skips):
    rows, columns = np.array([0, 1, 4]), np.array([0, 5, 2])
    tiles = SkipTiles.of(skips, rows, columns, SIDE).keep(rows[1:2], columns[1:2], SIDE)
    assert [len(each) for each in tiles.tiles] == [9, 9, 9]
    assert_windows(tiles, skips, rows[1:2], columns[1:2])


def test_networks_without_skips_have_no_tiles():
    rows, columns = np.array([2]), np.array([3])
    assert SkipTiles.of([], rows, columns, SIDE).windows(rows, columns, SIDE) == []
