"""Anchors against the tables of Detectron's documentation of its own values."""

import numpy as np
import pytest

from chainer_seg.models.mask_rcnn.anchors import base_anchors, grid_anchors

RATIOS = (0.5, 1, 2)

# (x_min, y_min, x_max, y_max) with inclusive maxima, by stride and sizes.
TABLES = {
    (16, (32, 64, 128, 256, 512)): [
        (-15, -4, 30, 19), (-38, -16, 53, 31), (-84, -40, 99, 55), (-176, -88, 191, 103),
        (-360, -184, 375, 199), (-8, -8, 23, 23), (-24, -24, 39, 39), (-56, -56, 71, 71),
        (-120, -120, 135, 135), (-248, -248, 263, 263), (-3, -14, 18, 29), (-14, -36, 29, 51),
        (-36, -80, 51, 95), (-80, -168, 95, 183), (-168, -344, 183, 359)],
    (4, (32,)): [(-22, -10, 25, 13), (-14, -14, 17, 17), (-10, -22, 13, 25)],
    (8, (64,)): [(-40, -20, 47, 27), (-28, -28, 35, 35), (-20, -44, 27, 51)],
    (16, (128,)): [(-84, -40, 99, 55), (-56, -56, 71, 71), (-36, -80, 51, 95)],
    (32, (256,)): [(-164, -72, 195, 103), (-112, -112, 143, 143), (-76, -168, 107, 199)],
    (64, (512,)): [(-332, -152, 395, 215), (-224, -224, 287, 287), (-148, -328, 211, 391)],
}


@pytest.mark.parametrize('stride, sizes', TABLES)
def test_the_anchors_of_a_position_equal_detectron(stride, sizes):
    found = base_anchors(stride, sizes, RATIOS)
    np.testing.assert_array_equal(found[:, [1, 0, 3, 2]], TABLES[stride, sizes])


def test_the_anchors_of_a_map_are_ordered_by_row_column_and_anchor():
    base = np.array([[-1, -2, 3, 4], [0, 0, 7, 7]], np.float32)
    found = grid_anchors(base, 8, (2, 3))
    expected = [anchor + [row * 8, column * 8, row * 8, column * 8]
                for row in range(2) for column in range(3) for anchor in base]
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == np.float32
