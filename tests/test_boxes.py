import numpy as np

from chainer_seg.boxes import box_area, box_iou, clip_boxes, from_xywh, to_xywh
from tests.by_definition import iou


def random_boxes(rng, count):
    corners = rng.uniform(0, 50, (count, 2, 2))
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).astype(np.float32)


def test_area_of_a_box():
    assert box_area(np.array([[1, 2, 4, 7.]])).tolist() == [15]


def test_iou_is_that_of_the_definition(rng):
    a, b = random_boxes(rng, 7), random_boxes(rng, 5)
    expected = [[iou(p, q) for q in b] for p in a]
    np.testing.assert_allclose(box_iou(a, b), expected, atol=1e-6)


def test_empty_boxes_share_nothing():
    assert box_iou(np.zeros((1, 4)), np.zeros((1, 4))).tolist() == [[0]]
    assert box_iou(np.zeros((0, 4)), np.zeros((3, 4))).shape == (0, 3)


def test_boxes_are_cut_at_the_image():
    clipped = clip_boxes(np.array([[-1., 2, 9, 30]]), (8, 20))
    assert clipped.tolist() == [[0, 2, 8, 20]]


def test_coco_form_and_back():
    boxes = np.array([[1., 2, 4, 7]])
    assert to_xywh(boxes).tolist() == [[2, 1, 5, 3]]
    assert from_xywh(to_xywh(boxes)).tolist() == boxes.tolist()
