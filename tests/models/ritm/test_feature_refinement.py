"""f-BRS: its optimum where it is known, its gradient, when it ends, and clicks on networks with it."""

import chainer
import numpy as np
import pytest
from chainer import functions as F
from scipy.optimize import brentq

from chainer_seg.models.deeplab import Click
from chainer_seg.models.ritm.feature_refinement import CLICKS_SHOWN, FeatureRefinement, _Loss
from tests.models.ritm import toys

CLICKS = [Click(20, 25), Click(22, 30, False), Click(30, 30), Click(12, 8)]


def masks_of(*clicks, size=(6, 7), flip=False):
    return FeatureRefinement().click_masks(clicks, size, flip)


def summed(features):
    """A network whose logit is the sum of its features."""
    return F.sum(features, axis=1, keepdims=True)


def test_known_optimum_is_found():
    """With one constant feature f the logit is f (1 + s) + b, so the penalties tie s and b to the shift of
    the logit: s = 10 b f, and b is the root of one equation."""
    feature, weight = -2.0, 0.05
    # No click is ever satisfied, so that the search goes on to the optimum.
    settings = FeatureRefinement(weight=weight, evaluations=200, threshold=1.0)

    def slope(shift):
        p = 1 / (1 + np.exp(-(feature * (1 + 10 * shift * feature) + shift)))
        return -2 * (1 - p) ** 2 * p + 2 * weight * 10 * shift
    wanted = brentq(slope, 0, 1)
    features = np.full((1, 1, 6, 7), feature, np.float32)
    changed, found = settings.refine(summed, features, masks_of(Click(3, 3)), None)
    np.testing.assert_allclose(found, [[10 * wanted * feature], [wanted]], rtol=2e-3)
    np.testing.assert_allclose(changed.ravel(), (feature * (1 + found[0]) + found[1]).repeat(42), rtol=1e-3)


def test_gradient_is_that_of_the_loss(rng):
    settings = FeatureRefinement(weight=0.3, threshold=2.0, least_change=0)
    features = rng.standard_normal((2, 3, 6, 7)).astype(np.float32)
    loss = _Loss(settings, summed, features, masks_of(Click(2, 2), Click(4, 5, False), flip=True))
    values = rng.normal(0, 0.3, 6)
    _, gradient = loss(values)
    step = 1e-2
    for number in range(6):
        moved = np.eye(6)[number] * step
        numeric = (loss(values + moved)[0] - loss(values - moved)[0]) / (2 * step)
        np.testing.assert_allclose(gradient[number], numeric, atol=2e-3)


def test_loss_is_the_definition(rng):
    settings = FeatureRefinement(weight=0.3)
    features = rng.standard_normal((1, 2, 6, 7)).astype(np.float32)
    masks = masks_of(Click(2, 2), Click(4, 5, False))
    scale, shift = np.array([0.2, -0.1]), np.array([0.05, 0.3])
    changed = features * (1 + scale[:, None, None]) + shift[:, None, None]
    p = 1 / (1 + np.exp(-changed.sum(axis=1)))[0]
    wanted = ((1 - p)[1:4, 1:4] ** 2).mean() + (p[3:6, 4:7] ** 2).mean()
    wanted += 0.3 * ((scale ** 2).sum() + 10 * (shift ** 2).sum())
    loss, _ = _Loss(settings, summed, features, masks)(np.concatenate([scale, shift]))
    np.testing.assert_allclose(loss, wanted, rtol=1e-5)


def test_nothing_changes_where_all_clicks_are_satisfied():
    features = np.zeros((1, 1, 6, 7), np.float32)
    features[:, :, :, :4], features[:, :, :, 4:] = 3, -3
    changed, found = FeatureRefinement().refine(
        summed, features, masks_of(Click(3, 1), Click(3, 5, False)), None)
    np.testing.assert_array_equal(changed, features)
    assert not found.any()


def test_masks_are_squares_around_the_clicks_inside_the_image():
    masks = masks_of(Click(0, 6), Click(3, 2, False), Click(-20, 3), flip=True)
    assert masks.shape == (2, 2, 6, 7)
    assert masks[0, 0].sum() == 4 and masks[0, 0, :2, 5:].all()
    assert masks[0, 1].sum() == 9 and masks[0, 1, 2:5, 1:4].all()
    np.testing.assert_array_equal(masks[1], masks[0, :, :, ::-1])


def make_soft(kind, **settings):
    """A network without saturated probabilities, so that there are gradients."""
    model = toys.make(kind, zoom_side=None, **settings)
    last = model.context.logits if kind == 'hrnet' else model.logits.last
    last.W.array[...] *= 0.1
    return model


def error_at(probability, clicks):
    """The mean squared errors around the clicks of both signs."""
    positive, negative = FeatureRefinement().click_masks(clicks, probability.shape, False)[0] > 0
    return ((1 - probability[positive]) ** 2).mean() + (probability[negative] ** 2).mean()


@pytest.mark.parametrize('kind', toys.KINDS)
def test_result_agrees_better_with_the_clicks(kind):
    image, previous = toys.image(), np.zeros((40, 56), np.float32)
    errors = []
    for fbrs in (False, True):
        model = make_soft(kind, fbrs=fbrs, flip=False)
        answer = model.answer(image, CLICKS, previous)
        errors.append(error_at(model.decode(answer.logits, answer.view), CLICKS))
    assert answer.adjustment.any()
    assert errors[1] < errors[0]


@pytest.mark.parametrize('kind', toys.KINDS)
def test_both_views_share_one_adjustment(kind):
    model = make_soft(kind, fbrs=True, flip=True)
    image, previous = toys.image(), np.zeros((40, 56), np.float32)
    mirrored = [Click(click.y, 55 - click.x, click.positive) for click in CLICKS]
    one, other = model.answer(image, CLICKS, previous), model.answer(image[:, ::-1], mirrored, previous)
    assert one.adjustment.any()
    np.testing.assert_allclose(other.adjustment, one.adjustment, atol=1e-3)
    np.testing.assert_allclose(other.logits[:, :, ::-1], one.logits, atol=1e-3)


@pytest.mark.parametrize('kind', toys.KINDS)
def test_adjustment_is_passed_on_and_undone(kind):
    session = toys.make(kind, fbrs=True).session(toys.image())
    first = session.add(CLICKS[0])
    np.testing.assert_array_equal(first, toys.make(kind).segment(toys.image(), CLICKS[0]))
    second, third = session.add(CLICKS[1]), session.add(CLICKS[2])
    np.testing.assert_array_equal(session.undo(), second)
    np.testing.assert_array_equal(session.redo(), third)


def test_network_is_shown_the_first_clicks_and_the_others_count_in_the_optimisation():
    model, image = toys.make('hrnet', fbrs=True, zoom_side=None, flip=False), toys.image()
    many = [Click(2 + 3 * number, 4, number % 2 == 0) for number in range(CLICKS_SHOWN + 3)]
    previous = np.zeros((40, 56), np.float32)
    x, _ = model.prepare(image, many, previous)
    wanted, _ = model.prepare(image, many[:CLICKS_SHOWN], previous)
    np.testing.assert_array_equal(x, wanted)
    one, other = (model.answer(image, many[:count], previous).logits for count in (CLICKS_SHOWN, len(many)))
    assert not np.allclose(one, other)


def test_parameters_keep_their_gradients_and_their_values():
    model = toys.make('hrnet', fbrs=True, zoom_side=None)
    model.cleargrads()
    before = {path: parameter.array.copy() for path, parameter in model.namedparams()}
    model.segment(toys.image(), CLICKS)
    for path, parameter in model.namedparams():
        assert parameter.grad is None
        np.testing.assert_array_equal(parameter.array, before[path])


@pytest.mark.gpu
def test_gpu_finds_the_same_adjustment():
    model, image = toys.make('hrnet', fbrs=True, zoom_side=None), toys.image()
    previous = np.zeros((40, 56), np.float32)
    wanted = model.answer(image, CLICKS[:2], previous)
    model.to_device('@cupy:0')
    with chainer.using_device('@cupy:0'):
        found = model.answer(image, CLICKS[:2], previous)
    np.testing.assert_allclose(found.adjustment, wanted.adjustment, atol=1e-3)
