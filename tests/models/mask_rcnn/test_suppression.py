"""Soft-NMS and box voting against Detectron's definitions, written box by box."""

import math

import numpy as np
import pytest

from chainer_seg.models.mask_rcnn.decode import best_boxes
from chainer_seg.models.mask_rcnn.suppression import LEAST_SCORE, soft_nms, vote


def overlap(a, b):
    """Intersection over union of boxes whose maxima are the last pixels inside."""
    height = min(a[2], b[2]) - max(a[0], b[0]) + 1
    width = min(a[3], b[3]) - max(a[1], b[1]) + 1
    if height <= 0 or width <= 0:
        return 0
    areas = [(box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (a, b)]
    return height * width / (sum(areas) - height * width)


def naive_soft_nms(boxes, scores, method, threshold, sigma):
    """{number: score} of the kept boxes of one class: the best one in turn lowers those behind it."""
    waiting, kept = dict(enumerate(map(float, scores))), {}
    while waiting:
        best = max(waiting, key=waiting.get)
        kept[best] = waiting.pop(best)
        for number in list(waiting):
            shared = overlap(boxes[best], boxes[number])
            if shared > 0:
                linear = 1 - shared if shared > threshold else 1
                waiting[number] *= linear if method == 'linear' else math.exp(-shared * shared / sigma)
                if waiting[number] < LEAST_SCORE:
                    del waiting[number]
    return kept


@pytest.fixture
def candidates(rng):
    """Forty boxes of two classes in a small image, so that many overlap."""
    corners = rng.uniform(0, 30, (40, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(5, 25, (40, 2))], axis=1).astype(np.float32)
    return boxes, rng.permutation(np.linspace(0.01, 0.99, 40)).astype(np.float32), rng.integers(0, 2, 40)


@pytest.mark.parametrize(('method', 'sigma'), [('linear', 0.5), ('gaussian', 0.5), ('gaussian', 0.05)])
def test_soft_nms_is_that_of_the_definition(candidates, method, sigma):
    boxes, scores, labels = candidates
    kept, found = soft_nms(boxes, scores, labels, method, 0.3, sigma)
    expected = {}
    for label in (0, 1):
        members = np.flatnonzero(labels == label)
        expected |= {members[number]: score for number, score in naive_soft_nms(
            boxes[members], scores[members], method, 0.3, sigma).items()}
    assert kept.tolist() == sorted(expected)
    np.testing.assert_allclose(found, [expected[number] for number in kept], rtol=1e-4)
    assert (found < scores[kept]).any()


def test_a_box_moves_to_the_weighted_mean_of_those_of_its_class_that_overlap_it(candidates):
    boxes, scores, labels = candidates
    chosen = np.array([3, 8, 20])
    moved = vote(boxes[chosen], labels[chosen], boxes, scores, labels, 0.4)
    for place, number in enumerate(chosen):
        voters = [other for other in range(40) if labels[other] == labels[number]
                  and overlap(boxes[number], boxes[other]) >= 0.4]
        assert number in voters
        np.testing.assert_allclose(moved[place], np.average(boxes[voters], axis=0, weights=scores[voters]),
                                   rtol=1e-4)
    assert np.abs(moved - boxes[chosen]).max() > 0.1


def test_detection_uses_both(candidates):
    boxes, scores, labels = candidates
    probabilities = np.zeros((40, 3), np.float32)
    probabilities[np.arange(40), labels + 1] = scores
    options = {'score_threshold': 0.05, 'nms_threshold': 0.3, 'max_detections': 5}
    every = np.repeat(boxes[:, None], 3, axis=1)
    found, kinds, values = best_boxes(every, probabilities, **options, soft_nms='linear', vote_threshold=0.4)
    above = np.flatnonzero(scores > 0.05)
    kept, lowered = soft_nms(boxes[above], scores[above], labels[above], 'linear', 0.3)
    best = np.sort(np.argsort(-lowered)[:5])
    np.testing.assert_allclose(np.sort(values), np.sort(lowered[best]))
    numbers = above[kept[best]]
    expected = vote(boxes[numbers], labels[numbers], boxes[above], scores[above], labels[above], 0.4)
    np.testing.assert_allclose(found[np.argsort(found[:, 0])], expected[np.argsort(expected[:, 0])])
    assert len(found) == 5 and kinds.dtype == np.int32
