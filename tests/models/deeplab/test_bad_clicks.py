"""Clicks, masks and images that no model should trip over, whatever it finds itself."""

import math

import numpy as np
import pytest

from chainer_seg import Instances
from chainer_seg.errors import ClickError
from chainer_seg.evaluation.clicks import click_ious
from chainer_seg.models.deeplab import Click, ClickSamples, ClickSegmenter

MODELS = {'published': {}, 'with zoom': {'zoom_side': 48},
          'with zoom and mask input': {'zoom_side': 48, 'mask_input': True}}
SIZE = (40, 60)


def make_model(kind, logit=None):
    """A model that finds ``logit`` everywhere, or whatever its first weights find."""
    model = ClickSegmenter(blocks=(1, 1, 1, 1), width=4, longest_side=64, **MODELS[kind])
    if logit is not None:
        for branch in model.net.pyramid.children():
            branch.W.array[...], branch.b.array[...] = 0, logit / 4
    return model


@pytest.fixture(scope='module', params=MODELS)
def model(request):
    return make_model(request.param)


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (*SIZE, 3), np.uint8)


def square(side, top=10, left=10):
    mask = np.zeros(SIZE, bool)
    mask[top:top + side, left:left + side] = True
    return mask


BAD_CLICKS = {
    'left of the image': (Click(5, -1), 'lies outside the image'),
    'below the image': (Click(40, 5), 'lies outside the image'),
    'x and y swapped': (Click(y=55, x=20), 'lies outside the image'),
    'not a number': (Click(math.nan, 5), 'lies outside the image'),
    'infinite': (Click(5, math.inf), 'lies outside the image'),
    'text': (Click('5', '7'), "must be numbers, got x='7', y='5'"),
    'nothing': (Click(5, None), 'coordinates of a click must be numbers'),
    'an array': (Click(np.array([5]), 7), 'coordinates of a click must be numbers'),
    'a sign in words': (Click(5, 7, 'negative'), "True or False in a click, got 'negative'"),
    'no sign': (Click(5, 7, None), 'True or False'),
    'a pair of numbers': ((5, 7), r'Expected a click, got \(5, 7\)'),
    'a list of clicks': ([Click(5, 7)], 'Expected a click'),
}


@pytest.mark.parametrize('which', BAD_CLICKS)
def test_an_invalid_click_is_an_error_and_none_of_the_call_is_added(model, image, which):
    click, sentence = BAD_CLICKS[which]
    session = model.session(image)
    before = session.add(Click(20, 20))
    with pytest.raises(ClickError, match=sentence):
        session.add(Click(8, 8), click)
    assert session.clicks == (Click(20, 20),) and session.probability is before
    with pytest.raises(ClickError, match=sentence):
        model.segment(image, [click])


@pytest.mark.parametrize('number', [float, np.float32, np.int64, np.uint8])
def test_all_numeric_types_are_accepted_as_coordinates(model, image, number):
    np.testing.assert_array_equal(model.segment(image, [Click(number(5), number(7))]),
                                  model.segment(image, [Click(5, 7)]))


def test_clicks_between_pixels_keep_their_position(model, image):
    session = model.session(image)
    session.add(Click(5.25, 7.5))
    assert session.clicks == (Click(5.25, 7.5),)


def test_a_repeated_point_is_ignored_within_a_call_and_across_calls(model, image):
    once = model.segment(image, [Click(5, 7)])
    np.testing.assert_array_equal(model.segment(image, [Click(5, 7)] * 3), once)


@pytest.mark.parametrize('first', [True, False])
def test_the_later_of_two_signs_on_a_pixel_wins(model, image, first):
    session = model.session(image)
    session.add(Click(20, 20), Click(5, 7, first), Click(5, 7, not first))
    assert session.clicks == (Click(20, 20), Click(5, 7, not first))


def test_undoing_the_only_positive_click_leaves_nothing(model, image):
    assert (model.segment(image, [Click(5, 7), Click(5, 7, False)]) == 0).all()


def test_negative_clicks_alone_give_no_object_but_are_kept(model, image):
    session = model.session(image)
    assert (session.add(Click(5, 7, False), Click(30, 30, False)) == 0).all()
    session.add(Click(20, 20))
    assert len(session.clicks) == 3 and (session.probability > 0).any()


@pytest.mark.parametrize('mask, sentence', [
    (np.ones((40, 61), bool), 'The mask is 40x61 pixels, but the image is 40x60'),
    (np.ones((60, 40), bool), 'The mask is 60x40 pixels'),
    (np.ones((40, 60, 1), bool), 'The mask is 40x60x1 pixels'),
    (np.zeros((0, 0), bool), 'The mask is 0x0 pixels'),
    (None, 'The mask is no pixels'),
    (np.full(SIZE, 0.2), 'got float64; compare it with a threshold'),
    (np.full(SIZE, '1'), 'A mask must be boolean or integer')])
def test_an_invalid_start_mask_is_an_error_and_changes_nothing(model, image, mask, sentence):
    session = model.session(image)
    before = session.add(Click(20, 20))
    with pytest.raises(ClickError, match=sentence):
        session.start_from(mask)
    assert session.clicks == (Click(20, 20),) and session.probability is before


STARTS = {'an empty mask': square(0), 'one pixel': square(1), 'a square': square(20),
          'the whole image': np.ones(SIZE, bool)}
CLICKS = {'positive': [Click(35, 50)], 'negative': [Click(12, 12, False)],
          'both': [Click(35, 50), Click(12, 12, False)],
          'negative on the only pixel': [Click(10, 10, False)]}


@pytest.mark.parametrize('logit', [-20, 20], ids=['finds nothing', 'finds everything'])
@pytest.mark.parametrize('kind', MODELS)
@pytest.mark.parametrize('start', STARTS)
def test_clicks_change_any_start_mask_only_in_their_direction(image, start, kind, logit):
    session = make_model(kind, logit).session(image)
    for clicks in CLICKS.values():
        session.reset()
        session.start_from(STARTS[start])
        session.add(*clicks)
        assert session.probability.shape == SIZE and np.isfinite(session.probability).all()
        if not any(click.positive for click in clicks):
            assert not (session.mask & ~STARTS[start]).any()
        if STARTS[start].any() and all(click.positive for click in clicks):
            assert not (STARTS[start] & ~session.mask).any()
        np.testing.assert_array_equal(session.mask, session.redo() > 0.5)
        for _ in clicks:
            session.undo()
        np.testing.assert_array_equal(session.mask, STARTS[start])


def test_an_empty_start_mask_equals_none(model, image):
    session = model.session(image)
    session.start_from(square(0))
    np.testing.assert_array_equal(session.add(Click(5, 7)), model.segment(image, [Click(5, 7)]))


def test_changes_of_the_callers_array_do_not_affect_the_session(model, image):
    expected = model.segment(image, [Click(5, 7), Click(20, 20)])
    changing = image.copy()
    session = model.session(changing)
    session.add(Click(5, 7))
    changing[:] = 0
    np.testing.assert_array_equal(session.add(Click(20, 20)), expected)


def test_the_simulated_user_clicks_an_object_of_one_pixel(model, image):
    ious = click_ious(model, image, square(1), 3)
    assert ious.shape == (3,) and ((ious >= 0) & (ious <= 1)).all()


def test_a_training_sample_of_a_one_pixel_object_has_a_click_on_it_or_is_none(image):
    samples = ClickSamples((32, 32), least_area=1)
    drawn = [samples((image, Instances(square(1)[None])), np.random.default_rng(seed))
             for seed in range(20)]
    usable = [sample for sample in drawn if sample is not None]  # shrunk, the pixel may vanish
    assert usable
    for _, points, _, _, target in usable:
        positives = points[points[:, 2] == 1, :2].astype(int)
        assert len(positives) and target[tuple(positives.T)].all()
