"""Cells of the heat maps in which keypoints lie, by arithmetic."""

import numpy as np

from chainer_seg.models.mask_rcnn.keypoint_targets import keypoint_targets, shows_keypoints

BOX = np.array([[10, 20, 66, 132]], np.float32)  # 56 rows and 112 columns apart


def cell(y, x, visibility=2):
    return keypoint_targets(np.array([[[y, x, visibility]]], np.float32), BOX, 56)[0, 0]


def test_a_keypoint_is_in_the_cell_of_its_position():
    assert cell(10, 20) == 0
    assert cell(13, 20) == 3 * 56
    assert cell(10.9, 23) == 1


def test_a_keypoint_on_the_far_edge_is_in_the_last_cell():
    assert cell(66, 132) == 56 * 56 - 1
    assert cell(66, 20) == 55 * 56


def test_keypoints_outside_or_not_annotated_have_no_cell():
    assert cell(9, 20) == -1 and cell(10, 133) == -1 and cell(10, 20, visibility=0) == -1


def test_a_region_without_height_still_has_cells():
    flat = np.array([[10, 20, 10, 132]], np.float32)
    assert keypoint_targets(np.array([[[10, 20, 1]]], np.float32), flat, 56)[0, 0] >= 0


def test_a_region_shows_annotated_keypoints_inside_it():
    points = np.array([[[12, 30, 1], [500, 30, 2]], [[500, 30, 2], [12, 30, 0]]], np.float32)
    assert shows_keypoints(points, np.repeat(BOX, 2, axis=0)).tolist() == [True, False]
