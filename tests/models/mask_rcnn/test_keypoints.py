"""Keypoints against OpenCV's cubic enlargement and a search for the maximum, a heat map at a time."""

import cv2
import numpy as np
import pytest

from chainer_seg.models.mask_rcnn import keypoints
from chainer_seg.models.mask_rcnn.keypoints import find_keypoints


def find_one(heatmap, box):
    """(y, x, logit) by the reference's steps."""
    height, width = max(box[2] - box[0], 1), max(box[3] - box[1], 1)
    rows, columns = int(np.ceil(height)), int(np.ceil(width))
    large = cv2.resize(heatmap, (columns, rows), interpolation=cv2.INTER_CUBIC)
    row, column = np.unravel_index(large.argmax(), large.shape)
    return [(row + 0.5) * height / rows + box[0], (column + 0.5) * width / columns + box[1],
            large[row, column]]


@pytest.fixture
def boxes(rng):
    corners = rng.uniform(0, 50, (8, 2))
    sides = np.concatenate([rng.uniform(0.2, 30, (4, 2)), rng.uniform(60, 200, (4, 2))])
    return np.concatenate([corners, corners + sides], axis=1).astype(np.float32)


@pytest.fixture
def heatmaps(rng):
    small = rng.normal(size=(8, 5, 7, 7)).astype(np.float32)
    return np.stack([[cv2.resize(x, (56, 56), interpolation=cv2.INTER_CUBIC) for x in maps]
                     for maps in small])


def expected_of(heatmaps, boxes):
    return [[find_one(heatmap, box) for heatmap in maps] for maps, box in zip(heatmaps, boxes)]


def test_keypoints_equal_those_of_the_reference(heatmaps, boxes):
    found = find_keypoints(heatmaps, boxes)
    np.testing.assert_allclose(found, expected_of(heatmaps, boxes), rtol=1e-4, atol=1e-3)


def test_grouping_does_not_change_the_keypoints(heatmaps, boxes, monkeypatch):
    whole = find_keypoints(heatmaps, boxes)
    monkeypatch.setattr(keypoints, 'GROUP_VALUES', 100_000)
    np.testing.assert_allclose(find_keypoints(heatmaps, boxes), whole, rtol=1e-5, atol=1e-5)


def test_without_boxes_there_are_no_keypoints():
    found = find_keypoints(np.zeros((0, 17, 56, 56), np.float32), np.zeros((0, 4), np.float32))
    assert found.shape == (0, 17, 3)
