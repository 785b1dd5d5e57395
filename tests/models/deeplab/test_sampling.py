"""Click sampling: each distance and count of arXiv 1603.04042, section 3.2, and the TensorFlow code."""

import dataclasses

import cv2
import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from chainer_seg.errors import UserError
from chainer_seg.models.deeplab import Click
from chainer_seg.models.deeplab.sampling import (
    SAMPLINGS,
    STRATEGIES,
    ClickSampler,
    ClickSampling,
    sample_clicks,
    sample_pairs,
)

SEEDS = range(60)


def disc(size, centre, radius):
    y, x = np.mgrid[:size[0], :size[1]]
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 <= radius ** 2


def ell(size, top, left, side, width):
    mask = np.zeros(size, bool)
    mask[top:top + side, left:left + width] = True
    mask[top + side - width:top + side, left:left + side] = True
    return mask


SIZE = (320, 400)
OBJECTS = {
    'disc': disc(SIZE, (160, 200), 80),
    'bent': ell(SIZE, 40, 90, 220, 30),
    'in a corner': disc(SIZE, (0, 0), 150),
    'two parts': disc(SIZE, (150, 60), 40) | disc(SIZE, (150, 300), 50),
}
OTHERS = np.stack([disc(SIZE, (40, 360), 35), disc(SIZE, (290, 40), 28), disc(SIZE, (280, 340), 45)])


@pytest.fixture(params=OBJECTS)
def mask(request):
    return OBJECTS[request.param]


def draws(mask, strategy, method='paper', others=OTHERS, seeds=SEEDS):
    """The places (N, 2) of the positive and of the negative clicks, for each seed."""
    sampler = ClickSampler(mask, others, method)
    for seed in seeds:
        clicks = sampler.draw(np.random.default_rng(seed), strategy)
        yield tuple(places([click for click in clicks if click.positive == positive])
                    for positive in (True, False))


def all_draws(mask, strategy, *arguments, **options):
    """The places of all positive and of all negative clicks of :func:`draws`."""
    return tuple(map(np.concatenate, zip(*draws(mask, strategy, *arguments, **options))))


def places(clicks):
    return np.array([(click.y, click.x) for click in clicks]).reshape(-1, 2)


def distances(points, region):
    """From each point to the nearest pixel of a region."""
    return distance_transform_edt(~region)[tuple(points.astype(int).T)]


def least_distance(points):
    """Between two of the points."""
    return min((np.hypot(*(a - b)) for i, a in enumerate(points) for b in points[:i]),
               default=np.inf)


def on(points, region):
    return region[tuple(points.astype(int).T)].all()


def square(radius):
    return np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)


def eroded(mask, radius):
    return cv2.erode(mask.astype(np.uint8), square(radius)) > 0


def dilated(mask, radius):
    return cv2.dilate(mask.astype(np.uint8), square(radius)) > 0


# The paper's positive clicks.

def test_positives_lie_five_pixels_inside_the_object(mask):
    positives, _ = all_draws(mask, 'background')
    assert on(positives, mask) and (distances(positives, ~mask) >= 5).all()


def test_positives_are_forty_pixels_apart(mask):
    assert min(least_distance(positives) for positives, _ in draws(mask, 'background')) >= 40


def test_one_to_five_positives(mask):
    assert {len(positives) for positives, _ in draws(mask, 'background')} == {1, 2, 3, 4, 5}


def test_every_pixel_inside_can_be_clicked():
    mask = disc((30, 30), (15, 15), 8)
    first = {tuple(positives[0]) for positives, _ in
             draws(mask, 'background', others=(), seeds=range(400))}
    inside = {tuple(pixel) for pixel in np.argwhere(distance_transform_edt(mask) > 5)}
    assert first == inside


# Its three strategies for negative clicks.

def test_background_clicks_lie_within_forty_pixels_of_the_object(mask):
    _, negatives = all_draws(mask, 'background')
    assert on(negatives, ~mask) and (distances(negatives, mask) <= 40).all()


def test_background_clicks_are_forty_pixels_apart(mask):
    assert min(least_distance(negatives) for _, negatives in draws(mask, 'background')) >= 40


def test_zero_to_ten_background_clicks():
    counts = {len(negatives) for _, negatives in draws(OBJECTS['bent'], 'background')}
    assert counts == set(range(11))


def test_background_clicks_reach_the_far_side_of_the_ring():
    _, negatives = all_draws(OBJECTS['disc'], 'background')
    assert 38 < distances(negatives, OBJECTS['disc']).max() <= 40


def test_clicks_in_others_lie_five_pixels_inside_one_of_them(mask):
    _, negatives = all_draws(mask, 'others')
    depths = [distances(negatives, ~other | mask) for other in OTHERS]
    assert (np.max(depths, axis=0) >= 5).all()


def test_zero_to_five_clicks_in_each_other_object():
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


def test_what_another_object_shares_with_this_one_is_not_clicked():
    mask, other = disc(SIZE, (160, 150), 60), disc(SIZE, (160, 200), 60)
    assert on(all_draws(mask, 'others', others=other[None])[1], other & ~mask)


def test_outline_has_exactly_ten_clicks_in_the_ring(mask):
    assert {len(negatives) for _, negatives in draws(mask, 'outline')} == {10}
    _, negatives = all_draws(mask, 'outline')
    assert on(negatives, ~mask) and (distances(negatives, mask) <= 40).all()


def test_each_outline_click_is_the_farthest_from_those_before(mask):
    ring = np.argwhere(~mask & (distance_transform_edt(~mask) <= 40))
    for _, negatives in draws(mask, 'outline', seeds=range(5)):
        for number in range(1, 10):
            nearest = np.min([np.hypot(*(ring - point).T) for point in negatives[:number]], axis=0)
            here = np.hypot(*(negatives[:number] - negatives[number]).T).min()
            assert here == pytest.approx(nearest.max())


def test_first_outline_click_is_random():
    mask = OBJECTS['disc']
    first = np.array([negatives[0] for _, negatives in draws(mask, 'outline')])
    angles = np.arctan2(first[:, 0] - 160, first[:, 1] - 200)
    assert (np.histogram(angles, 6, (-np.pi, np.pi))[0] > 0).all()


# The TensorFlow implementation.

def test_tensorflow_positives_lie_in_the_band_between_the_object_and_its_erosion(mask):
    positives, _ = all_draws(mask, 'background', 'tensorflow')
    assert on(positives, mask & ~eroded(mask, 10))
    assert distances(positives, ~mask).max() > 8


def test_tensorflow_negatives_lie_in_the_square_ring_of_twenty(mask):
    dense = dataclasses.replace(SAMPLINGS['tensorflow'], d_step=0)
    for method in ('tensorflow', dense):
        _, negatives = all_draws(mask, 'background', method)
        assert on(negatives, dilated(mask, 20) & ~mask)
    assert distances(negatives, mask).max() > 21  # in a corner, which a round ring would lack


def test_tensorflow_step_is_half_of_the_shorter_side(mask):
    for region, which in ((mask & ~eroded(mask, 10), 0), (dilated(mask, 20) & ~mask, 1)):
        rows, columns = np.nonzero(region)
        step = (min(np.ptp(rows), np.ptp(columns)) - 10) // 2
        closest = min(least_distance(drawn[which])
                      for drawn in draws(mask, 'background', 'tensorflow', seeds=range(100)))
        assert step <= closest < 1.1 * step


def test_tensorflow_counts_reach_five_and_thirty():
    near = dataclasses.replace(SAMPLINGS['tensorflow'], d_step=2)
    positives, negatives = zip(*((len(p), len(n)) for p, n in draws(
        OBJECTS['disc'], 'background', near, seeds=range(200))))
    assert set(positives) == set(range(1, 6)) and set(negatives) == set(range(20, 31))


def test_tensorflow_clicks_in_others_lie_in_their_erosion():
    erosions = np.any([eroded(other, 10) for other in OTHERS], axis=0)
    assert on(all_draws(OBJECTS['disc'], 'others', 'tensorflow')[1], erosions)


def test_tensorflow_outline_keeps_its_margin_where_the_ring_is_wide_enough():
    wide = dataclasses.replace(SAMPLINGS['tensorflow'], d=30)
    mask = OBJECTS['disc']
    kept = eroded(dilated(mask, 30) & ~mask, 10)
    for _, negatives in draws(mask, 'outline', wide, seeds=range(5)):
        assert len(negatives) == 30 and on(negatives, kept)


def test_at_most_a_hundred_points_are_tried():
    assert SAMPLINGS['tensorflow'].tries == 100
    few = ClickSampling(positives=(5, 5), d_step=1, tries=3)
    assert max(len(positives) for positives, _ in draws(OBJECTS['disc'], 'outline', few)) == 3


# Pairs.

def test_paper_draws_fifteen_pairs_five_of_each_strategy():
    mask = OBJECTS['disc']
    pairs = sample_pairs(mask, OTHERS, np.random.default_rng(0))
    negatives = [places([c for c in clicks if not c.positive]) for clicks in pairs]
    assert len(pairs) == 15
    for number in range(0, 15, 3):
        assert (distances(negatives[number], mask) <= 40).all()
        assert on(negatives[number + 1], OTHERS.any(axis=0))
        assert len(negatives[number + 2]) == 10
    assert all(clicks[0].positive for clicks in pairs)


def test_tensorflow_draws_three_pairs_around_the_object():
    pairs = sample_pairs(OBJECTS['disc'], OTHERS, np.random.default_rng(0), 'tensorflow')
    ring = dilated(OBJECTS['disc'], 20) & ~OBJECTS['disc']
    assert len(pairs) == 3
    assert all(on(places([c for c in clicks if not c.positive]), ring) for clicks in pairs)


def test_numbers_of_ones_own():
    own = ClickSampling(positives=(2, 2), outline=4, n_pairs=2, strategies=('outline',))
    pairs = sample_pairs(OBJECTS['disc'], (), np.random.default_rng(0), own)
    assert [[c.positive for c in clicks] for clicks in pairs] == [[True] * 2 + [False] * 4] * 2


@pytest.mark.parametrize('strategy', STRATEGIES)
def test_sampler_gives_what_a_single_call_gives(strategy):
    single = sample_clicks(OBJECTS['disc'], OTHERS, np.random.default_rng(3), strategy)
    sampler = ClickSampler(OBJECTS['disc'], OTHERS)
    sampler.draw(np.random.default_rng(0), strategy)
    assert sampler.draw(np.random.default_rng(3), strategy) == single


@pytest.mark.parametrize('method', SAMPLINGS)
def test_one_seed_gives_the_same_clicks_and_another_other_ones(method):
    a, b, c = (sample_pairs(OBJECTS['disc'], OTHERS, np.random.default_rng(seed), method)
               for seed in (1, 1, 2))
    assert a == b != c


def test_clicks_are_plain_numbers():
    click = sample_clicks(OBJECTS['disc'], OTHERS, np.random.default_rng(0))[0]
    assert isinstance(click, Click) and type(click.y) is float and type(click.positive) is bool


# Objects without room.

@pytest.fixture(params=[(method, strategy) for method in SAMPLINGS for strategy in STRATEGIES],
                ids='-'.join)
def way(request):
    """A method and a strategy."""
    return request.param


def test_object_of_one_pixel(way):
    method, strategy = way
    mask = np.zeros((60, 80), bool)
    mask[30, 40] = True
    for positives, negatives in draws(mask, strategy, method, others=(), seeds=range(10)):
        assert positives.tolist() == [[30, 40]] and on(negatives, ~mask)


def test_object_that_fills_the_image_has_no_negatives(way):
    method, strategy = way
    for positives, negatives in draws(np.ones((60, 80), bool), strategy, method, others=(),
                                      seeds=range(10)):
        assert len(positives) >= 1 and len(negatives) == 0


def test_image_of_one_pixel(way):
    method, strategy = way
    clicks = sample_clicks(np.ones((1, 1), bool), (), np.random.default_rng(0), strategy, method)
    assert clicks == [Click(0, 0, True)]


def test_all_but_one_pixel(way):
    method, strategy = way
    mask = np.ones((60, 80), bool)
    mask[0, 79] = False
    for positives, negatives in draws(mask, strategy, method, others=(), seeds=range(10)):
        assert len(positives) >= 1 and on(positives, mask)
        assert all(place == [0, 79] for place in negatives.tolist()) and len(negatives) <= 1


def test_image_without_other_objects_has_no_clicks_in_them():
    for others in ((), np.zeros((0, *SIZE), bool), np.zeros((2, *SIZE), bool),
                   OBJECTS['disc'][None]):
        for positives, negatives in draws(OBJECTS['disc'], 'others', others=others,
                                          seeds=range(5)):
            assert len(positives) >= 1 and len(negatives) == 0


def test_thin_object_is_clicked_along_its_middle():
    mask = np.zeros((50, 200), bool)
    mask[20:27] = True
    for positives, _ in draws(mask, 'outline', others=()):
        assert (positives[:, 0] == 23).all()


def test_thin_ring_is_clicked_along_its_middle():
    thin = ClickSampling(d=9, outline_margin=10)
    mask = np.zeros((200, 50), bool)
    mask[100:] = True
    for _, negatives in draws(mask, 'outline', thin, others=(), seeds=range(5)):
        # The ring is rows 91 to 99, and what is above it is outside.
        assert (negatives[:, 0] == 95).all() and len(negatives) == 10


def test_ring_with_fewer_pixels_than_clicks_is_clicked_everywhere_once():
    mask = np.ones((20, 20), bool)
    mask[0, :4] = False
    for _, negatives in draws(mask, 'outline', others=(), seeds=range(5)):
        assert sorted(map(tuple, negatives)) == [(0, 0), (0, 1), (0, 2), (0, 3)]


def test_object_without_pixels_has_no_clicks(way):
    method, strategy = way
    assert sample_clicks(np.zeros((9, 9), bool), (), np.random.default_rng(0), strategy,
                         method) == []


@pytest.mark.parametrize('arguments, sentence', [
    (('near', 'paper'), "no strategy 'near'.*background, others, outline"),
    (('outline', 'torch'), "no click sampling 'torch'.*paper, tensorflow")])
def test_unknown_names_are_told(arguments, sentence):
    with pytest.raises(UserError, match=sentence):
        sample_clicks(OBJECTS['disc'], (), np.random.default_rng(0), *arguments)


@pytest.mark.parametrize('numbers, sentence', [
    ({'positives': (0, 3)}, 'positives takes two numbers from 1'),
    ({'background': (5, 2)}, 'the smaller one first, not 5 and 2'),
    ({'others': (-1, 2)}, 'others takes two numbers from 0'),
    ({'tries': 0}, 'tries must be at least 1'),
    ({'outline': -1}, 'outline must be at least 0'),
    ({'ratio_factor': 0}, 'ratio_factor must be at least 1'),
    ({'d': float('nan')}, 'd must be at least 1, not nan'),
    ({'strategies': ('rim',)}, "no strategy 'rim'"),
    ({'strategies': ()}, "no strategy ''")])
def test_numbers_that_make_no_sense_are_told(numbers, sentence):
    with pytest.raises(UserError, match=sentence):
        ClickSampling(**numbers)


def test_most_clicks_of_a_pair():
    assert ClickSampling().most_clicks(0) == 5 + 10
    assert ClickSampling().most_clicks(7) == 5 + 35
    assert SAMPLINGS['tensorflow'].most_clicks(7) == 5 + 30
