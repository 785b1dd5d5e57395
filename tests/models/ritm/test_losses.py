"""The losses of RITM against their definitions in NumPy, in double precision."""

import chainer
import numpy as np
import pytest
from chainer import gradient_check

from chainer_seg.models.ritm.losses import cross_entropy, normalised_focal_loss


@pytest.fixture
def batch(rng):
    logits = rng.normal(0, 3, (3, 5, 7)).astype(np.float32)
    target = rng.integers(-1, 2, (3, 5, 7)).astype(np.int32)
    return logits, target


def focal_by_hand(logits, target, alpha, gamma):
    """One pixel after the other, as in equations 1 to 3 of the paper."""
    samples = []
    for scores, truth in zip(logits.astype(np.float64), target):
        p = 1 / (1 + np.exp(-scores))
        terms, focus = [], []
        for value, wanted in zip(p.ravel(), truth.ravel()):
            if wanted == -1:
                continue
            right = value if wanted == 1 else 1 - value
            focus.append((1 - right) ** gamma)
            terms.append(-(alpha if wanted == 1 else 1 - alpha) * focus[-1] * np.log(right))
        samples.append(sum(terms) * len(terms) / sum(focus) / len(terms))
    return np.mean(samples)


@pytest.mark.parametrize('alpha, gamma', [(0.5, 2.0), (0.25, 2.0), (0.5, 0.0), (0.9, 1.0)])
def test_focal_loss_is_the_definition(batch, alpha, gamma):
    found = normalised_focal_loss(*batch, alpha, gamma).array
    np.testing.assert_allclose(found, focal_by_hand(*batch, alpha, gamma), rtol=1e-5)


def test_without_focus_it_is_half_the_cross_entropy(batch):
    found, wanted = normalised_focal_loss(*batch, 0.5, 0.0).array, cross_entropy(*batch).array
    np.testing.assert_allclose(found, wanted / 2, rtol=1e-5)


def test_cross_entropy_is_the_mean_of_the_samples_whatever_they_ignore(batch):
    logits, target = batch
    target[0] = -1
    target[0, 0, :2] = 0, 1
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    each = -np.where(target == 1, np.log(p), np.log(1 - p))
    wanted = np.mean([each[number][target[number] != -1].mean() for number in range(3)])
    np.testing.assert_allclose(cross_entropy(logits, target).array, wanted, rtol=1e-5)


def test_gradient_does_not_go_through_the_normalisation(batch):
    logits, target = (each.astype(dtype) for each, dtype in zip(batch, (np.float64, np.int32)))
    variable = chainer.Variable(batch[0])
    normalised_focal_loss(variable, target).backward()
    p = 1 / (1 + np.exp(-logits))
    right = np.where(target == 1, p, 1 - p)
    counted = target != -1
    norm = counted.sum(axis=(1, 2)) / ((1 - right) ** 2 * counted).sum(axis=(1, 2))
    # d/dp of -(1 - p)^2 log p, times dp/dlogit = p (1 - p)
    slope = (2 * (1 - right) * np.log(right) - (1 - right) ** 2 / right) * right * (1 - right)
    wanted = 0.5 * slope * np.where(target == 1, 1, -1) * norm[:, None, None] * counted
    wanted /= counted.sum(axis=(1, 2))[:, None, None] * len(logits)
    np.testing.assert_allclose(variable.grad, wanted, rtol=1e-3, atol=1e-7)


@pytest.mark.parametrize('loss', [normalised_focal_loss, cross_entropy])
def test_extreme_logits_and_samples_without_pixels_stay_finite(loss):
    logits = chainer.Variable(np.array([[[80, -80, 80]], [[1, 2, 3]]], np.float32))
    value = loss(logits, np.array([[[1, 0, 0]], [[-1, -1, -1]]], np.int32))
    value.backward()
    assert np.isfinite(value.array) and np.isfinite(logits.grad).all()
    assert not logits.grad[1].any()


def test_cross_entropy_gradient_is_numerically_right(batch):
    logits, target = batch
    gradient_check.check_backward(lambda x: cross_entropy(x, target), logits.astype(np.float64), None,
                                  dtype=np.float64, atol=1e-4)
