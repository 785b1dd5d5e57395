"""Click sampling where there is no room for the clicks, and invalid settings."""

import numpy as np
import pytest

from chainer_seg.errors import UserError
from chainer_seg.models.deeplab import Click
from chainer_seg.models.deeplab.click_sampler import sample_clicks
from chainer_seg.models.deeplab.sampling import SAMPLINGS, STRATEGIES, ClickSampling
from tests.models.deeplab.sampled_clicks import OBJECTS, SIZE, draws, on


@pytest.fixture(params=[(method, strategy) for method in SAMPLINGS for strategy in STRATEGIES],
                ids='-'.join)
def way(request):
    """A method and a strategy."""
    return request.param


def test_an_object_of_one_pixel_is_clicked(way):
    method, strategy = way
    mask = np.zeros((60, 80), bool)
    mask[30, 40] = True
    for positives, negatives in draws(mask, strategy, method, others=(), seeds=range(10)):
        assert positives.tolist() == [[30, 40]] and on(negatives, ~mask)


def test_an_object_that_fills_the_image_has_no_negative_clicks(way):
    method, strategy = way
    for positives, negatives in draws(np.ones((60, 80), bool), strategy, method, others=(),
                                      seeds=range(10)):
        assert len(positives) >= 1 and len(negatives) == 0


def test_an_image_of_one_pixel_is_clicked(way):
    method, strategy = way
    clicks = sample_clicks(np.ones((1, 1), bool), (), np.random.default_rng(0), strategy, method)
    assert clicks == [Click(0, 0, True)]


def test_an_object_of_all_but_one_pixel_is_clicked(way):
    method, strategy = way
    mask = np.ones((60, 80), bool)
    mask[0, 79] = False
    for positives, negatives in draws(mask, strategy, method, others=(), seeds=range(10)):
        assert len(positives) >= 1 and on(positives, mask)
        assert all(place == [0, 79] for place in negatives.tolist()) and len(negatives) <= 1


def test_without_other_objects_there_are_no_clicks_in_them():
    for others in ((), np.zeros((0, *SIZE), bool), np.zeros((2, *SIZE), bool),
                   OBJECTS['disc'][None]):
        for positives, negatives in draws(OBJECTS['disc'], 'others', others=others,
                                          seeds=range(5)):
            assert len(positives) >= 1 and len(negatives) == 0


def test_a_thin_object_is_clicked_along_its_middle():
    mask = np.zeros((50, 200), bool)
    mask[20:27] = True
    for positives, _ in draws(mask, 'outline', others=()):
        assert (positives[:, 0] == 23).all()


def test_a_thin_ring_is_clicked_along_its_middle():
    thin = ClickSampling(d=9, outline_margin=10)
    mask = np.zeros((200, 50), bool)
    mask[100:] = True
    for _, negatives in draws(mask, 'outline', thin, others=(), seeds=range(5)):
        # The ring is rows 91 to 99, and what is above it is outside.
        assert (negatives[:, 0] == 95).all() and len(negatives) == 10


def test_each_pixel_of_a_ring_smaller_than_the_count_is_clicked_once():
    mask = np.ones((20, 20), bool)
    mask[0, :4] = False
    for _, negatives in draws(mask, 'outline', others=(), seeds=range(5)):
        assert sorted(map(tuple, negatives)) == [(0, 0), (0, 1), (0, 2), (0, 3)]


def test_an_empty_object_has_no_clicks(way):
    method, strategy = way
    assert sample_clicks(np.zeros((9, 9), bool), (), np.random.default_rng(0), strategy,
                         method) == []


@pytest.mark.parametrize('arguments, sentence', [
    (('near', 'paper'), "Unknown click sampling strategy 'near'.*background, others, outline"),
    (('outline', 'torch'), "Unknown click sampling 'torch'.*paper, tensorflow")])
def test_unknown_names_are_an_error(arguments, sentence):
    with pytest.raises(UserError, match=sentence):
        sample_clicks(OBJECTS['disc'], (), np.random.default_rng(0), *arguments)


@pytest.mark.parametrize('numbers, sentence', [
    ({'positives': (0, 3)}, 'positives must be two numbers of at least 1'),
    ({'background': (5, 2)}, 'the smaller one first, got 5 and 2'),
    ({'others': (-1, 2)}, 'others must be two numbers of at least 0'),
    ({'tries': 0}, 'tries must be at least 1'),
    ({'outline': -1}, 'outline must be at least 0'),
    ({'ratio_factor': 0}, 'ratio_factor must be at least 1'),
    ({'d': float('nan')}, 'd must be at least 1, got nan'),
    ({'strategies': ('rim',)}, "Unknown click sampling strategy 'rim'"),
    ({'strategies': ()}, 'needs a strategy; choose from background')])
def test_invalid_settings_are_an_error(numbers, sentence):
    with pytest.raises(UserError, match=sentence):
        ClickSampling(**numbers)


def test_max_clicks_is_that_of_the_largest_strategy():
    assert ClickSampling().max_clicks(0) == 5 + 10
    assert ClickSampling().max_clicks(7) == 5 + 35
    assert SAMPLINGS['tensorflow'].max_clicks(7) == 5 + 30
