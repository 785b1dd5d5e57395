"""The matching of anchors against its definition, written naively, and against the reference's."""

import json

import numpy as np
import pytest

from chainer_seg.models.yolact.anchors import anchor_boxes, anchor_corners
from chainer_seg.models.yolact.targets import (
    BACKGROUND, NEUTRAL, Thresholds, anchor_targets, best_anchors, match_anchors)
from tests.by_definition import iou

REFERENCES = ('yolact_resnet50', 'yolact_darknet53', 'yolact_resnet50_pascal', 'yolact_plus_resnet50')

# Three anchors side by side, each a third of the image wide and as tall as the image.
THIRDS = np.array([[1 / 6, 0.5, 1 / 3, 1], [0.5, 0.5, 1 / 3, 1], [5 / 6, 0.5, 1 / 3, 1]], np.float32)


def boxes(*rows):
    return np.array(rows, np.float32).reshape(-1, 4)


def match(bboxes, labels=(), crowds=None, anchors=THIRDS, **thresholds):
    labels = np.array(labels if len(labels) else range(len(bboxes)), np.int32)
    crowds = np.zeros(len(bboxes), bool) if crowds is None else np.array(crowds)
    return match_anchors(anchors, bboxes, labels, crowds, Thresholds(**thresholds))


def naive_match(anchors, bboxes, labels, crowds):
    """The definition one box and one anchor at a time."""
    corners, objects = anchor_corners(anchors), np.flatnonzero(~crowds)
    overlaps = np.array([[iou(bboxes[i], corner) for corner in corners] for i in objects])
    left, own = overlaps.copy(), {}
    for _ in objects:
        row, column = np.unravel_index(left.argmax(), left.shape)
        own[column] = objects[row]
        left[row], left[:, column] = -1, -1
    classes, nearest = [], []
    for number, corner in enumerate(corners):
        row = overlaps[:, number].argmax()
        nearest.append(own.get(number, objects[row]))
        best = 2 if number in own else overlaps[row, number]
        classes.append(labels[nearest[-1]] + 1 if best >= 0.5 else NEUTRAL if best >= 0.4
                       else BACKGROUND)
        area = (corner[2] - corner[0]) * (corner[3] - corner[1])
        for crowd in bboxes[crowds]:
            sides = np.minimum(corner[2:], crowd[2:]) - np.maximum(corner[:2], crowd[:2])
            if classes[-1] <= 0 and np.maximum(sides, 0).prod() / area > 0.7:
                classes[-1] = NEUTRAL
    return classes, nearest


def test_an_anchor_is_matched_with_the_object_that_it_overlaps_by_half():
    classes, objects = match(boxes([0, 0, 1, 1 / 3], [0, 1 / 3, 1, 0.51]), [7, 3])
    assert classes.tolist() == [8, 4, BACKGROUND]
    assert objects[:2].tolist() == [0, 1]


def test_anchors_between_the_thresholds_are_neutral():
    # The first anchor is the object's own; the second one overlaps it by 0.45 of their union.
    anchors = np.array([[0.5, 0.5, 1, 1], [0.225, 0.5, 0.45, 1]], np.float32)
    assert match(boxes([0, 0, 1, 1]), anchors=anchors)[0].tolist() == [1, NEUTRAL]
    assert match(boxes([0, 0, 1, 1]), anchors=anchors, negative=0.46)[0].tolist() == [1, BACKGROUND]
    assert match(boxes([0, 0, 1, 1]), anchors=anchors, positive=0.44)[0].tolist() == [1, 1]


def test_every_object_has_an_anchor_even_if_tiny():
    assert match(boxes([0.4, 0.7, 0.41, 0.71]), [4])[0].tolist() == [BACKGROUND, BACKGROUND, 5]


def test_two_objects_do_not_share_their_best_anchor():
    # Both overlap the first anchor most; the second one more than the first.
    classes, objects = match(boxes([0, 0, 0.5, 0.4], [0, 0, 1, 0.35]), [0, 1])
    assert classes.tolist() == [2, 1, BACKGROUND]
    assert objects[:2].tolist() == [1, 0]


def test_anchors_in_a_crowd_are_neutral():
    bboxes = boxes([0, 0, 1, 1 / 3], [0, 0, 1, 0.6])
    # 0.8 of the second anchor lies in the crowd.
    classes, _ = match(bboxes, [0, -1], [False, True])
    assert classes.tolist() == [1, NEUTRAL, BACKGROUND]
    assert match(bboxes, [0, -1], [False, True], crowd=0.85)[0].tolist() == [1, BACKGROUND, BACKGROUND]


@pytest.mark.parametrize('crowds', [[], [True]])
def test_without_objects_there_is_only_background(crowds):
    classes, objects, codes = anchor_targets(
        THIRDS, boxes(*[[0, 0, 0.1, 0.1]] * len(crowds)), np.zeros(len(crowds), np.int32),
        np.array(crowds, bool))
    assert classes.tolist() == [BACKGROUND] * 3 and not objects.any() and not codes.any()


def test_matching_equals_its_definition(rng):
    anchors = anchor_boxes([(6, 6), (3, 3)], [[16], [32]], [1, 0.5, 2], 48, False)
    for _ in range(20):
        middle, sides = rng.uniform(0.1, 0.9, (9, 2)), rng.uniform(0.05, 0.7, (9, 2))
        bboxes = np.clip(np.concatenate([middle - sides / 2, middle + sides / 2], axis=1), 0, 1)
        bboxes = bboxes.astype(np.float32)
        labels, crowds = rng.integers(0, 5, 9).astype(np.int32), rng.random(9) < 0.2
        classes, objects = match_anchors(anchors, bboxes, labels, crowds)
        expected, nearest = naive_match(anchors, bboxes, labels, crowds)
        np.testing.assert_array_equal(classes, expected)
        np.testing.assert_array_equal(objects, nearest)


def test_more_objects_than_anchors_are_an_error():
    with pytest.raises(ValueError, match='3 anchors are not enough for 4 objects'):
        best_anchors(np.zeros((4, 3)))


@pytest.mark.parametrize('name', REFERENCES)
def test_matching_equals_the_reference(shared_data, name):
    folder = shared_data / 'formats' / 'pytorch'
    config = json.loads((folder / f'{name}_config.json').read_text())
    truth, recorded = (np.load(folder / file) for file in (
        'train_ground_truth.npz', f'{name}_train.npz'))
    anchors = reference_anchors(config)
    codes = []
    for image in range(2):
        rows = truth[f'targets{image}']
        bboxes, labels = rows[:, [1, 0, 3, 2]], rows[:, 4].astype(np.int32)
        classes, objects, targets = anchor_targets(anchors, bboxes, labels, labels < 0)
        np.testing.assert_array_equal(classes, recorded['conf_t'][image])
        np.testing.assert_array_equal(objects, recorded['idx_t'][image])
        codes.append(targets)
    np.testing.assert_allclose(np.concatenate(codes)[recorded['loc_t_rows']], recorded['loc_t'],
                               rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(np.stack(codes)[:, ::29], recorded['loc_t_sample'],
                               rtol=1e-5, atol=1e-5)


def reference_anchors(config):
    side, sizes = config['max_size'], []
    for stride in (8, 16, 32, 64, 128):
        sizes.append((-(-side // stride),) * 2)
    return anchor_boxes(sizes, config['pred_scales_px'], config['pred_aspect_ratios'][0][0], side,
                        config['use_square_anchors'])
