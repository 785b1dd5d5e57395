"""Non-maximum suppression against its definition written pair by pair, and its CUDA kernel."""

import numpy as np
import pytest

from chainer_seg import boxes as geometry
from chainer_seg.boxes import batched_nms, nms
from chainer_seg.functions import suppression
from tests.by_definition import iou
from tests.cuda_host import run_gpu_code


def nms_by_definition(boxes, scores, labels, threshold, offset):
    boxes, kept = boxes.tolist(), []
    for i in sorted(range(len(boxes)), key=lambda i: (-scores[i], i)):
        if all(labels[i] != labels[j] or iou(boxes[i], boxes[j], offset) < threshold for j in kept):
            kept.append(i)
    return kept


@pytest.fixture
def boxes(rng):
    corners = rng.uniform(0, 60, (200, 2))
    return np.hstack([corners, corners + rng.uniform(6, 25, (200, 2))]).astype(np.float32)


@pytest.fixture
def scores(rng, boxes):
    # Some scores are equal.
    return rng.integers(0, 300, len(boxes)).astype(np.float32)


@pytest.fixture
def labels(rng, boxes):
    return rng.integers(0, 4, len(boxes)).astype(np.int32)


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('threshold', [0.2, 0.5, 0.7])
def test_boxes_are_kept_by_descending_score(boxes, scores, threshold, offset):
    expected = nms_by_definition(boxes, scores, np.zeros(len(boxes)), threshold, offset)
    assert 1 < len(expected) < len(boxes)
    assert nms(boxes, scores, threshold, offset).tolist() == expected


def test_blocks_do_not_change_the_result(boxes, scores, monkeypatch):
    expected = nms(boxes, scores, 0.5).tolist()
    monkeypatch.setattr(suppression, '_BLOCK', 7)
    monkeypatch.setattr(suppression, '_PAIRS', 20)
    assert nms(boxes, scores, 0.5).tolist() == expected


def test_no_more_boxes_than_the_limit_are_kept(boxes, scores):
    everything = nms(boxes, scores, 0.5)
    assert nms(boxes, scores, 0.5, limit=7).tolist() == everything[:7].tolist()


def test_the_threshold_is_inclusive():
    boxes = np.array([[0, 0, 4, 4], [0, 0, 2, 4]], np.float32)
    scores = np.array([2, 1], np.float32)
    assert nms(boxes, scores, 0.5).tolist() == [0]
    assert nms(boxes, scores, 0.51).tolist() == [0, 1]


def test_with_offset_1_the_last_pixels_are_inclusive():
    # 2x2 and 2x1 pixels share 2 of 4; as half-open boxes they have no area in common.
    boxes = np.array([[0, 0, 1, 1], [0, 0, 1, 0]], np.float32)
    scores = np.array([2, 1], np.float32)
    assert nms(boxes, scores, 0.5, offset=1).tolist() == [0]
    assert nms(boxes, scores, 0.5, offset=0).tolist() == [0, 1]


def test_every_second_box_of_a_chain_is_kept():
    # Each overlaps only the next: whether one stays depends on all before it.
    starts = np.arange(300, dtype=np.float32)
    boxes = np.stack([starts, starts * 0, starts + 1.5, starts * 0 + 1], axis=1)
    kept = nms(boxes, -starts, 0.2)
    assert kept.tolist() == list(range(0, 300, 2))


@pytest.mark.parametrize('offset', [0, 1])
def test_labels_do_not_suppress_each_other(boxes, scores, labels, offset):
    expected = nms_by_definition(boxes, scores, labels, 0.4, offset)
    kept = batched_nms(boxes, scores, labels, 0.4, offset)
    assert kept.tolist() == expected
    assert len(kept) > len(nms(boxes, scores, 0.4, offset))


def test_no_boxes_give_an_empty_array():
    none = np.zeros((0, 4), np.float32), np.zeros(0, np.float32)
    assert nms(*none, 0.5).shape == (0,)
    assert batched_nms(*none, np.zeros(0, np.int32), 0.5).shape == (0,)


@pytest.mark.parametrize('offset', [0, 1])
@pytest.mark.parametrize('count', [0, 1, 64, 65, 200])
def test_cuda_kernel_on_the_host_matches_the_cpu(boxes, labels, monkeypatch, offset, count):
    run_gpu_code(monkeypatch)
    boxes, labels = boxes[:count], labels[:count]
    expected = nms_by_definition(boxes, -np.arange(count), labels, 0.4, offset)
    kept = geometry._suppress_on_gpu(boxes, labels, 0.4, offset)
    assert kept.tolist() == expected


@pytest.mark.gpu
def test_gpu_matches_the_cpu(boxes, scores, labels):
    cupy = pytest.importorskip('cupy')
    on_gpu = [cupy.asarray(array) for array in (boxes, scores, labels)]
    assert nms(*on_gpu[:2], 0.5, 1, 50).get().tolist() == nms(boxes, scores, 0.5, 1, 50).tolist()
    expected = batched_nms(boxes, scores, labels, 0.5)
    assert batched_nms(*on_gpu, 0.5).get().tolist() == expected.tolist()
