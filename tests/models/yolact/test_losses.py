"""The losses of YOLACT against their definitions, pixel by pixel and anchor by anchor."""

import chainer
import numpy as np
import pytest

from chainer_seg.models.yolact import losses
from chainer_seg.models.yolact.masks import assemble_masks


def sigmoid(x):
    return 1 / (1 + np.exp(-x.astype(np.float64)))


def test_the_box_loss_is_smooth_l1_over_positive_anchors():
    codes = np.array([[[0.5, 0, 0, 0], [2, 0, 0, 0], [9, 9, 9, 9]]], np.float32)
    classes = np.array([[3, 1, 0]], np.int32)
    # Half of the square below 1, the distance less a half above.
    loss = losses.box_loss(chainer.Variable(codes), np.zeros_like(codes), classes)
    assert loss.item() == pytest.approx(0.125 + 1.5)


def test_there_are_three_hard_negatives_per_positive():
    classes = np.array([[1, 0, 0, 0, 0, 0, -1], [2, 1, 0, 0, 0, 0, 0]], np.int32)
    logits = np.zeros((2, 7, 3), np.float32)
    # The larger the logit of a class, the less an anchor looks like background.
    logits[0, :, 1] = [9, 1, 4, 3, 2, 0, 9]
    negatives = losses.hard_negatives(logits, classes, 3)
    assert np.flatnonzero(negatives[0]).tolist() == [2, 3, 4]
    # Six are wanted and five are there; positives do not take their place.
    assert np.flatnonzero(negatives[1]).tolist() == [2, 3, 4, 5, 6]


def test_an_image_without_objects_has_no_negatives():
    assert not losses.hard_negatives(np.ones((1, 5, 3), 'f'), np.zeros((1, 5), np.int32), 3).any()


def test_huge_logits_neither_overflow_nor_change_the_order():
    logits = np.zeros((1, 4, 2), np.float32)
    logits[0, :, 1] = [0, 1e4, 2e4, -1e4]
    classes = np.array([[1, 0, 0, 0]], np.int32)
    assert losses.hard_negatives(logits, classes, 2)[0].tolist() == [False, True, True, False]
    assert np.isfinite(losses.class_loss(chainer.Variable(logits), classes).item())


def test_the_class_loss_is_the_cross_entropy_of_positives_and_hard_negatives(rng):
    logits = rng.normal(0, 2, (2, 30, 4)).astype(np.float32)
    classes = rng.integers(0, 4, (2, 30)) * (rng.random((2, 30)) < 0.1)
    classes[:, 7], classes[:, 3] = -1, 2
    chosen = (classes > 0) | losses.hard_negatives(logits, classes, 3)
    powers = np.exp(logits.astype(np.float64))
    expected = sum(-np.log(powers[i, j, classes[i, j]] / powers[i, j].sum())
                   for i, j in zip(*np.nonzero(chosen)))
    loss = losses.class_loss(chainer.Variable(logits), classes.astype(np.int32))
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_mask_logits_equal_those_of_detection(rng):
    prototypes = rng.normal(size=(6, 5, 3)).astype(np.float32)
    coefficients = rng.normal(size=(4, 3)).astype(np.float32)
    logits = losses.mask_logits(chainer.Variable(prototypes), chainer.Variable(coefficients),
                                np.array([2, 0]))
    whole = np.tile(np.array([0, 0, 1, 1], np.float32), (2, 1))
    np.testing.assert_allclose(sigmoid(logits.array),
                               assemble_masks(prototypes, coefficients[[2, 0]], whole), rtol=1e-5)


def test_the_mask_loss_covers_the_box_and_a_margin_of_one_pixel():
    """The definition one pixel at a time, for a box that begins within a pixel."""
    rng = np.random.default_rng(1)
    logits, objects = rng.normal(0, 2, (3, 8, 10)).astype(np.float32), np.array([1, 0, 1])
    masks = rng.random((2, 8, 10)) < 0.5
    bboxes = np.array([[0.3, 0.22, 0.61, 0.83], [0, 0.5, 1, 0.77]], np.float32)
    expected = 0
    for mask, number in zip(sigmoid(logits), objects):
        top, left, bottom, right = bboxes[number] * [8, 10, 8, 10]
        inside = [(y, x) for y in range(8) for x in range(10)
                  if max(top - 1, 0) <= y < min(bottom + 1, 8)
                  and max(left - 1, 0) <= x < min(right + 1, 10)]
        expected -= sum(np.log(mask[at] if masks[number][at] else 1 - mask[at])
                        for at in inside) / ((bottom - top) * (right - left))
    loss = losses.mask_loss(chainer.Variable(logits), masks, bboxes, objects)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_a_completely_wrong_mask_has_a_gradient():
    logits = chainer.Variable(np.full((1, 4, 4), 200, np.float32))
    losses.mask_loss(logits, np.zeros((1, 4, 4), bool), np.array([[0, 0, 1, 1]], 'f'),
                     np.array([0])).backward()
    np.testing.assert_allclose(logits.grad, 1 / 16)


def test_the_semantic_loss_unites_the_masks_of_a_class(rng):
    logits = rng.normal(size=(3, 4, 5)).astype(np.float32)
    masks, labels = rng.random((3, 4, 5)) < 0.4, np.array([2, 0, 2], np.int32)
    target = np.stack([masks[1], np.zeros((4, 5), bool), masks[0] | masks[2]])
    expected = -np.where(target, np.log(sigmoid(logits)), np.log(1 - sigmoid(logits))).sum() / 20
    loss = losses.semantic_loss(chainer.Variable(logits), masks, labels)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


def test_the_semantic_loss_without_objects_is_that_of_the_background(rng):
    logits = rng.normal(size=(2, 3, 3)).astype(np.float32)
    loss = losses.semantic_loss(chainer.Variable(logits), np.zeros((0, 3, 3), bool),
                                np.zeros(0, np.int32))
    assert loss.item() == pytest.approx(-np.log(1 - sigmoid(logits)).sum() / 9, rel=1e-5)


def test_the_rescoring_loss_uses_the_true_overlap():
    """A found mask of 6x6 pixels in a true one of 6x8: three quarters, predicted as a half."""
    truth = np.zeros((2, 16, 16), bool)
    truth[0, 4:10, 4:12] = True
    truth[1, :5, :5] = True  # 25 pixels are too few to count.
    logits = np.full((3, 16, 16), -9, np.float32)
    logits[:, 4:10, 4:10] = 9
    bboxes = np.array([[4, 4, 10, 12], [0, 0, 5, 5]], np.float32) / 16
    seen = []

    def rescore(masks):
        seen.append(masks.shape)
        return chainer.Variable(np.tile(np.float32([0.9, 0.5]), (len(masks), 1)))

    loss = losses.rescoring_loss(rescore, chainer.Variable(logits), truth, bboxes,
                                 np.array([1, 0], np.int32), np.array([0, 1, 0]))
    assert seen == [(2, 1, 16, 16)]
    assert loss.item() == pytest.approx(2 * 0.5 * 0.25 ** 2, rel=1e-4)


def test_shrunk_masks_contain_pixels_covered_by_more_than_half(rng):
    masks = np.zeros((1, 4, 4), bool)
    masks[0, :2, :3] = True  # A half of the second square is not enough.
    assert losses.shrink_masks(masks, (2, 2)).tolist() == [[[True, False], [False, False]]]
    assert losses.shrink_masks(masks[:0], (2, 3)).shape == (0, 2, 3)
