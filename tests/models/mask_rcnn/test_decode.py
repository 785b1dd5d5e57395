"""Final boxes by the definition, and how they become Instances."""

import numpy as np
import pytest

from chainer_seg.models.mask_rcnn.decode import best_boxes, class_boxes, to_instances
from chainer_seg.models.mask_rcnn.preparation import InputSize

SIZE = (30, 40)


def test_class_boxes_are_in_pixels_of_the_image_and_clipped():
    rois = np.array([[20, 20, 39, 59]], np.float32)
    # One pixel of the image is two of the input, so the RoI is (10, 10, 19.5, 29.5).
    deltas = np.array([[0, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 100]], np.float32)
    found = class_boxes(rois, deltas, InputSize(SIZE, (40, 80), (2.0, 2.0)))
    np.testing.assert_allclose(found[0, 0], [10, 10, 19.5, 29.5], atol=1e-5)
    np.testing.assert_allclose(found[0, 1], [20.5, 10, 29, 29.5], atol=1e-5)  # moved by its height
    np.testing.assert_allclose(found[0, 2], [10, 0, 19.5, 39], atol=1e-5)


def boxes_of(*places):
    """(R, 3, 4): for both classes the same boxes of 10x10 pixels at some columns."""
    boxes = np.array([[0, x, 9, x + 9] for x in places], np.float32)
    return np.repeat(boxes[:, None], 3, axis=1)


def test_boxes_are_ordered_by_class_and_roi():
    boxes = boxes_of(0, 15, 30)
    probabilities = np.array([[0.1, 0.3, 0.6], [0.1, 0.8, 0.1], [0.2, 0.0, 0.8]], np.float32)
    found, labels, scores = best_boxes(boxes, probabilities, 0.2, 0.5, 100)
    assert labels.tolist() == [0, 0, 1, 1]
    assert found[:, 1].tolist() == [0, 15, 0, 30]
    assert scores.tolist() == pytest.approx([0.3, 0.8, 0.6, 0.8])


def test_the_score_threshold_is_exclusive():
    probabilities = np.array([[0.5, 0.5, 0.0]], np.float32)
    assert len(best_boxes(boxes_of(0), probabilities, 0.5, 0.5, 100)[0]) == 0
    assert len(best_boxes(boxes_of(0), probabilities, 0.499, 0.5, 100)[0]) == 1


def test_only_boxes_of_the_same_class_suppress_each_other():
    # Shifted by 3 of 10 columns, two boxes share 70 of 130 pixels.
    boxes = boxes_of(0, 3)
    probabilities = np.array([[0, 0.6, 0.9], [0, 0.9, 0.05]], np.float32)
    found, labels, _ = best_boxes(boxes, probabilities, 0.1, 70 / 130 - 1e-4, 100)
    assert labels.tolist() == [0, 1] and found[:, 1].tolist() == [3, 0]
    assert len(best_boxes(boxes, probabilities, 0.1, 70 / 130 + 1e-4, 100)[0]) == 3


def test_ties_with_the_last_box_are_kept_beyond_the_maximum():
    probabilities = np.array([[0, 0.9, 0], [0, 0.4, 0], [0, 0.4, 0]], np.float32)
    found, _, scores = best_boxes(boxes_of(0, 15, 30), probabilities, 0.1, 0.5, 2)
    assert scores.tolist() == pytest.approx([0.9, 0.4, 0.4])
    assert len(best_boxes(boxes_of(0, 15, 30), probabilities, 0.1, 0.5, 1)[0]) == 1


def instances_of(boxes, masks=None, heatmaps=None):
    count = len(boxes)
    return to_instances(np.array(boxes, np.float32).reshape(-1, 4), np.zeros(count, np.int32),
                        np.ones(count, np.float32), masks, heatmaps, InputSize(SIZE, SIZE, (1.0, 1.0)),
                        ('thing',))


def test_boxes_of_instances_are_half_open():
    found = instances_of([[2, 3, 11, 22]], masks=np.ones((1, 14, 14), np.float32))
    assert found.bboxes.tolist() == [[2, 3, 12, 23]]
    assert found.scores.tolist() == [1] and found.name(0) == 'thing'
    assert found.masks[0, 3:11, 4:22].all()


def test_without_masks_the_mask_is_the_box():
    found = instances_of([[2, 3, 11, 22]])
    expected = np.zeros(SIZE, bool)
    expected[2:12, 3:23] = True
    np.testing.assert_array_equal(found.masks[0], expected)


def test_without_detections_there_is_no_error():
    found = instances_of([], masks=np.zeros((0, 1, 1), np.float32),
                         heatmaps=np.zeros((0, 17, 1, 1), np.float32))
    assert len(found) == 0 and found.masks.shape == (0, *SIZE) and found.keypoints.shape == (0, 17, 3)


def test_without_regions_there_are_no_boxes():
    boxes = class_boxes(np.zeros((0, 4), np.float32), np.zeros((0, 12), np.float32),
                        InputSize((20, 30), (20, 30), (1.0, 1.0)))
    assert boxes.shape == (0, 3, 4)
