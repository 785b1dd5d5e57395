"""Click sampling: each distance and count of arXiv 1603.04042, section 3.2."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from chainer_seg.models.deeplab import Click
from chainer_seg.models.deeplab.click_sampler import ClickSampler, sample_clicks, sample_pairs
from chainer_seg.models.deeplab.sampling import SAMPLINGS, STRATEGIES, ClickSampling
from tests.models.deeplab.sampled_clicks import (
    OBJECTS,
    OTHERS,
    SIZE,
    all_draws,
    distances,
    draws,
    least_distance,
    on,
    places,
)
from tests.synthetic import disc


@pytest.fixture(params=OBJECTS)
def mask(request):
    return OBJECTS[request.param]


# The paper's positive clicks.

def test_positive_clicks_are_at_least_five_pixels_inside_the_object(mask):
    positives, _ = all_draws(mask, 'background')
    assert on(positives, mask) and (distances(positives, ~mask) >= 5).all()


def test_positive_clicks_are_forty_pixels_apart(mask):
    assert min(least_distance(positives) for positives, _ in draws(mask, 'background')) >= 40


def test_there_are_one_to_five_positive_clicks(mask):
    assert {len(positives) for positives, _ in draws(mask, 'background')} == {1, 2, 3, 4, 5}


def test_every_pixel_inside_can_be_clicked():
    mask = disc((30, 30), (15, 15), 8)
    first = {tuple(positives[0]) for positives, _ in
             draws(mask, 'background', others=(), seeds=range(400))}
    inside = {tuple(pixel) for pixel in np.argwhere(distance_transform_edt(mask) > 5)}
    assert first == inside


# Its three strategies for negative clicks.

def test_background_clicks_are_within_forty_pixels_of_the_object(mask):
    _, negatives = all_draws(mask, 'background')
    assert on(negatives, ~mask) and (distances(negatives, mask) <= 40).all()


def test_background_clicks_are_forty_pixels_apart(mask):
    assert min(least_distance(negatives) for _, negatives in draws(mask, 'background')) >= 40


def test_there_are_zero_to_ten_background_clicks():
    counts = {len(negatives) for _, negatives in draws(OBJECTS['bent'], 'background')}
    assert counts == set(range(11))


def test_background_clicks_reach_the_far_side_of_the_ring():
    _, negatives = all_draws(OBJECTS['disc'], 'background')
    assert 38 < distances(negatives, OBJECTS['disc']).max() <= 40


def test_clicks_in_other_objects_are_at_least_five_pixels_inside(mask):
    _, negatives = all_draws(mask, 'others')
    depths = [distances(negatives, ~other | mask) for other in OTHERS]
    assert (np.max(depths, axis=0) >= 5).all()


def test_each_other_object_gets_zero_to_five_clicks():
    counts = np.array([[other[tuple(negatives.astype(int).T)].sum() for other in OTHERS]
                       for _, negatives in draws(OBJECTS['disc'], 'others', seeds=range(300),
                                                 method=ClickSampling(d_step=10))])
    assert all(set(of_one) == set(range(6)) for of_one in counts.T)
    assert len(np.unique(counts, axis=0)) > 100  # each has its own number


def test_clicks_in_one_other_object_are_forty_pixels_apart():
    two_near = np.stack([OBJECTS['bent'], disc(SIZE, (160, 200), 40)])
    closest = []
    for _, negatives in draws(disc(SIZE, (20, 20), 10), 'others', others=two_near):
        for other in two_near:
            closest.append(least_distance(
                [point for point in negatives if on(point[None], other)]))
    assert 40 <= min(closest) < 60


def test_the_overlap_with_another_object_gets_no_negative_click():
    mask, other = disc(SIZE, (160, 150), 60), disc(SIZE, (160, 200), 60)
    assert on(all_draws(mask, 'others', others=other[None])[1], other & ~mask)


def test_there_are_exactly_ten_outline_clicks_in_the_ring(mask):
    assert {len(negatives) for _, negatives in draws(mask, 'outline')} == {10}
    _, negatives = all_draws(mask, 'outline')
    assert on(negatives, ~mask) and (distances(negatives, mask) <= 40).all()


def test_each_outline_click_is_the_farthest_from_those_before_it(mask):
    ring = np.argwhere(~mask & (distance_transform_edt(~mask) <= 40))
    for _, negatives in draws(mask, 'outline', seeds=range(5)):
        for number in range(1, 10):
            nearest = np.min([np.hypot(*(ring - point).T) for point in negatives[:number]], axis=0)
            here = np.hypot(*(negatives[:number] - negatives[number]).T).min()
            assert here == pytest.approx(nearest.max())


def test_the_first_outline_click_is_random():
    mask = OBJECTS['disc']
    first = np.array([negatives[0] for _, negatives in draws(mask, 'outline')])
    angles = np.arctan2(first[:, 0] - 160, first[:, 1] - 200)
    assert (np.histogram(angles, 6, (-np.pi, np.pi))[0] > 0).all()


# Pairs.

def test_the_paper_method_gives_fifteen_pairs_five_of_each_strategy():
    mask = OBJECTS['disc']
    pairs = sample_pairs(mask, OTHERS, np.random.default_rng(0))
    negatives = [places([c for c in clicks if not c.positive]) for clicks in pairs]
    assert len(pairs) == 15
    for number in range(0, 15, 3):
        assert (distances(negatives[number], mask) <= 40).all()
        assert on(negatives[number + 1], OTHERS.any(axis=0))
        assert len(negatives[number + 2]) == 10
    assert all(clicks[0].positive for clicks in pairs)


def test_custom_settings_are_followed():
    own = ClickSampling(positives=(2, 2), outline=4, n_pairs=2, strategies=('outline',))
    pairs = sample_pairs(OBJECTS['disc'], (), np.random.default_rng(0), own)
    assert [[c.positive for c in clicks] for clicks in pairs] == [[True] * 2 + [False] * 4] * 2


@pytest.mark.parametrize('strategy', STRATEGIES)
def test_the_sampler_and_sample_clicks_give_the_same_clicks(strategy):
    single = sample_clicks(OBJECTS['disc'], OTHERS, np.random.default_rng(3), strategy)
    sampler = ClickSampler(OBJECTS['disc'], OTHERS)
    sampler.draw(np.random.default_rng(0), strategy)
    assert sampler.draw(np.random.default_rng(3), strategy) == single


@pytest.mark.parametrize('method', SAMPLINGS)
def test_the_seed_determines_the_clicks(method):
    a, b, c = (sample_pairs(OBJECTS['disc'], OTHERS, np.random.default_rng(seed), method)
               for seed in (1, 1, 2))
    assert a == b != c


def test_clicks_are_plain_numbers():
    click = sample_clicks(OBJECTS['disc'], OTHERS, np.random.default_rng(0))[0]
    assert isinstance(click, Click) and type(click.y) is float and type(click.positive) is bool
