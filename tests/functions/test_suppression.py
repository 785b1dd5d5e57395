"""Non-maximum suppression for ChainerCV, against the definition written box by box."""

import numpy as np
import pytest
from chainer_seg.compat.nms_gpu_post import _nms_gpu_post
from chainer_seg.functions import suppression
from tests.by_definition import iou


def suppress_one_by_one(boxes, thresh, order, limit=None):
    kept = []
    for i in order:
        if all(iou(boxes[i], boxes[j]) < thresh for j in kept) and len(kept) != limit:
            kept.append(i)
    return kept


@pytest.fixture
def boxes(rng):
    corners = rng.uniform(0, 30, (150, 2))
    return np.hstack([corners, corners + rng.uniform(2, 12, (150, 2))]).astype(np.float32)


@pytest.mark.parametrize('thresh', [0.1, 0.5, 0.9])
@pytest.mark.parametrize('limit', [None, 7])
def test_boxes_are_kept_by_descending_score(boxes, rng, thresh, limit):
    score = rng.permutation(len(boxes)).astype(np.float32)
    kept = suppression.suppress(boxes, thresh, score, limit)
    assert kept.dtype == np.int32
    assert kept.tolist() == suppress_one_by_one(boxes, thresh, np.argsort(-score), limit)


def test_without_scores_boxes_are_in_descending_order(boxes):
    kept = suppression.suppress(boxes, 0.3)
    assert kept.tolist() == suppress_one_by_one(boxes, 0.3, range(len(boxes)))


def test_touching_boxes_do_not_overlap():
    boxes = np.array([[0, 0, 1, 1], [0, 1, 1, 2], [1, 1, 2, 2]], np.float32)
    assert suppression.suppress(boxes, 1e-6).tolist() == [0, 1, 2]


def test_equal_boxes_without_area_are_kept():
    assert suppression.suppress(np.zeros((2, 4), np.float32), 0.5).tolist() == [0, 1]


def test_no_boxes_give_an_empty_array():
    assert suppression.suppress(np.zeros((0, 4), np.float32), 0.5).shape == (0,)


def test_chainercv_uses_the_replacements():
    module = pytest.importorskip('chainercv.utils.bbox.non_maximum_suppression')
    boxes = np.array([[0, 0, 2, 2], [0, 0, 2, 2.1], [5, 5, 6, 6]], np.float32)
    assert module.non_maximum_suppression(boxes, 0.5, np.float32([1, 3, 2])).tolist() == [1, 2]
    assert 'chainer_seg.functions.suppression' in module._non_maximum_suppression_cpu.__doc__
    assert module._nms_gpu_post.__module__ == 'chainercv.utils.bbox._nms_gpu_post'


@pytest.mark.parametrize('n_bbox', [1, 64, 65, 150])
def test_walk_over_the_bit_mask_of_the_gpu_kernel(boxes, n_bbox):
    boxes = boxes[:n_bbox]
    n_words = -(-n_bbox // 64)
    mask = np.zeros((n_bbox, n_words), np.uint64)
    for i in range(n_bbox):
        for j in range(i + 1, n_bbox):
            if iou(boxes[i], boxes[j]) >= 0.3:
                mask[i, j // 64] |= np.uint64(1) << np.uint64(j % 64)
    kept, n_kept = _nms_gpu_post(mask.ravel(), n_bbox, 64, np.int32(n_words))
    assert kept[:n_kept].tolist() == suppress_one_by_one(boxes, 0.3, range(n_bbox))
