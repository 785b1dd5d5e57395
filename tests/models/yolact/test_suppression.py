"""The three suppressions against their definitions, one box at a time."""

import numpy as np
import pytest

from chainer_seg.models.yolact.suppression import cross_class_fast_nms, fast_nms, traditional_nms
from tests.by_definition import iou

A = (0.0, 0.0, 1.0, 1.0)  # Overlaps B by 0.6 and C by 0.2.
B = (0.0, 0.0, 1.0, 0.6)  # Overlaps C by 1 / 3.
C = (0.0, 0.0, 1.0, 0.2)
D = (0.0, 0.4, 1.0, 1.0)  # Overlaps A by 0.6, B by 0.2 and C not at all.


def naive_fast(boxes, scores, threshold, top_k):
    found = []
    for label, row in enumerate(scores):
        ranked = sorted(range(len(row)), key=lambda i: -row[i])[:top_k]
        found += [(row[i], i, label) for rank, i in enumerate(ranked)
                  if all(iou(boxes[i], boxes[better]) <= threshold for better in ranked[:rank])]
    return [(i, label) for _, i, label in sorted(found, key=lambda item: -item[0])]


def naive_traditional(boxes, scores, threshold, side, floor):
    found = []
    for label, row in enumerate(scores):
        kept = []
        for i in sorted(np.flatnonzero(row > floor), key=lambda i: -row[i]):
            if all(iou(boxes[i] * side, boxes[j] * side, 1) < threshold for j in kept):
                kept.append(i)
        found += [(row[i], i, label) for i in kept]
    return [(i, label) for _, i, label in sorted(found, key=lambda item: -item[0])]


def random_candidates(rng, count=60, classes=5):
    corners = rng.uniform(0, 0.7, (count, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(0.1, 0.5, (count, 2))], axis=1)
    return boxes.astype(np.float32), rng.uniform(0, 1, (classes, count)).astype(np.float32)


def pairs(found):
    return [(int(i), int(label)) for i, label in zip(*found)]


def candidates(boxes, *scores):
    return np.array(boxes, np.float32), np.array(scores, np.float32)


@pytest.mark.parametrize('top_k', [1, 7, 200])
def test_fast_nms_equals_its_definition(rng, top_k):
    boxes, scores = random_candidates(rng)
    assert pairs(fast_nms(boxes, scores, 0.5, top_k)) == naive_fast(boxes, scores, 0.5, top_k)


def test_fast_nms_in_pieces_gives_the_same_result(rng, monkeypatch):
    boxes, scores = random_candidates(rng)
    monkeypatch.setattr('chainer_seg.models.yolact.suppression._AT_ONCE', 2 * 60 ** 2)
    assert pairs(fast_nms(boxes, scores, 0.5, 200)) == naive_fast(boxes, scores, 0.5, 200)


def test_the_floor_removes_only_lower_scores(rng):
    boxes, scores = random_candidates(rng)
    everything = naive_fast(boxes, scores, 0.5, 20)
    assert pairs(fast_nms(boxes, scores, 0.5, 20, floor=0.8)) == [
        (i, label) for i, label in everything if scores[label, i] > 0.8]


def test_cross_class_nms_is_fast_nms_on_the_best_classes(rng):
    boxes, scores = random_candidates(rng)
    labels = scores.argmax(axis=0)
    expected = [(i, labels[i]) for i, _ in naive_fast(boxes, scores.max(axis=0)[None], 0.5, 20)]
    assert pairs(cross_class_fast_nms(boxes, scores, 0.5, 20)) == expected


def test_traditional_nms_equals_its_definition(rng):
    boxes, scores = random_candidates(rng)
    assert pairs(traditional_nms(boxes, scores, 0.5, 100, 0.3)) == naive_traditional(
        boxes, scores, 0.5, 100, 0.3)


def test_dropped_boxes_suppress_others_only_in_fast_nms():
    boxes, scores = candidates([B, A, D], [0.9, 0.8, 0.7])
    assert pairs(fast_nms(boxes, scores, 0.5, 200)) == [(0, 0)]
    assert pairs(traditional_nms(boxes, scores, 0.5, 1000)) == [(0, 0), (2, 0)]


def test_boxes_of_different_classes_suppress_each_other_only_in_cross_class_nms():
    boxes, scores = candidates([A, B], [0.9, 0.1], [0.1, 0.8])
    assert (0, 0) in pairs(fast_nms(boxes, scores, 0.5, 200, floor=0.5))
    assert (1, 1) in pairs(fast_nms(boxes, scores, 0.5, 200, floor=0.5))
    assert pairs(cross_class_fast_nms(boxes, scores, 0.5, 200)) == [(0, 0)]


def test_only_traditional_nms_has_inclusive_maxima():
    """Of 10 pixels, A and C overlap by 11 * 3 / 11 ** 2, and not by 0.2."""
    boxes, scores = candidates([A, C], [0.9, 0.8])
    assert len(fast_nms(boxes, scores, 0.25, 200)[0]) == 2
    assert len(traditional_nms(boxes, scores, 0.25, 10)[0]) == 1


@pytest.mark.parametrize('suppress', [fast_nms, cross_class_fast_nms, traditional_nms])
def test_without_candidates_nothing_is_detected(suppress):
    chosen, labels = suppress(np.zeros((0, 4), np.float32), np.zeros((3, 0), np.float32), 0.5, 200)
    assert len(chosen) == len(labels) == 0
