import numpy as np
import pytest
from chainer import functions as F

from chainer_seg.models.yolact.detection import find_candidates, find_detections, pixel_boxes


def anchors_in_a_row(count):
    """Anchors that do not overlap."""
    row = np.full((count, 4), 1 / count, np.float32)
    row[:, 0], row[:, 1] = (np.arange(count) + 0.5) / count, 0.5
    return row


def logits_of(*scores):
    """Logits whose softmax are these rows of scores, the background first."""
    return np.log(np.array(scores, np.float32))


def detect(logits, **options):
    count = len(logits)
    codes, coefficients = np.zeros((count, 4), np.float32), np.eye(count, dtype=np.float32)
    return find_detections(codes, logits, coefficients, anchors_in_a_row(count), 100, **options)


@pytest.mark.parametrize('threshold', [0, 0.05, 0.3, 0.9, 1])
def test_candidates_equal_those_of_the_full_softmax(rng, threshold):
    logits = (5 * rng.normal(size=(400, 6))).astype(np.float32)
    softmax = F.softmax(logits).array[:, 1:]
    expected = np.flatnonzero(softmax.max(axis=1) > threshold)
    found, scores = find_candidates(logits, threshold)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(scores, softmax[expected].T, rtol=1e-5)


def test_an_anchor_is_a_candidate_by_its_best_class():
    found, scores = find_candidates(logits_of([0.5, 0.3, 0.2], [0.6, 0.2, 0.2]), 0.25)
    assert found.tolist() == [0]
    np.testing.assert_allclose(scores[:, 0], [0.3, 0.2], rtol=1e-6)


def test_other_classes_of_a_candidate_may_score_below_the_anchor_threshold():
    logits = logits_of([0.5, 0.47, 0.03])
    assert detect(logits).labels.tolist() == [0, 1]
    assert detect(logits, score_threshold=0.05).labels.tolist() == [0]


def test_traditional_suppression_applies_the_threshold_to_each_class():
    assert detect(logits_of([0.5, 0.47, 0.03]), suppression='traditional').labels.tolist() == [0]


def test_the_best_detections_of_all_classes_are_kept_in_order():
    found = detect(logits_of([0.39, 0.6, 0.01], [0.19, 0.01, 0.8], [0.29, 0.7, 0.01]), max_detections=2)
    np.testing.assert_allclose(found.scores, [0.8, 0.7], rtol=1e-6)
    assert found.labels.tolist() == [1, 0]
    assert found.coefficients.tolist() == [[0, 1, 0], [0, 0, 1]]
    np.testing.assert_allclose(found.boxes[:, 1], [1 / 3, 2 / 3], rtol=1e-6)


@pytest.mark.parametrize('suppression', ['fast', 'cross_class', 'traditional'])
def test_without_detections_the_result_is_empty(suppression):
    assert len(detect(logits_of([0.98, 0.01, 0.01]), suppression=suppression)) == 0


def test_nan_scores_are_not_detected():
    assert len(detect(np.full((2, 3), np.nan, np.float32))) == 0


def test_pixel_boxes_are_ordered_clipped_and_truncated():
    boxes = np.array([[0.11, 0.29, 0.99, 0.5], [-0.3, 0.6, 1.2, 0.2]], np.float32)
    assert pixel_boxes(boxes, (10, 100)).tolist() == [[1, 29, 9, 50], [0, 20, 10, 60]]
