"""Click sampling: each distance and count of the TensorFlow implementation."""

import dataclasses

import numpy as np
import pytest

from chainer_seg.models.deeplab.click_sampler import sample_pairs
from chainer_seg.models.deeplab.sampling import SAMPLINGS, ClickSampling
from tests.models.deeplab.sampled_clicks import (
    OBJECTS,
    OTHERS,
    all_draws,
    dilated,
    distances,
    draws,
    eroded,
    least_distance,
    on,
    places,
)


@pytest.fixture(params=OBJECTS)
def mask(request):
    return OBJECTS[request.param]


def test_positive_clicks_are_between_the_object_and_its_erosion(mask):
    positives, _ = all_draws(mask, 'background', 'tensorflow')
    assert on(positives, mask & ~eroded(mask, 10))
    assert distances(positives, ~mask).max() > 8


def test_negative_clicks_are_in_the_square_ring_of_twenty_pixels(mask):
    dense = dataclasses.replace(SAMPLINGS['tensorflow'], d_step=0)
    for method in ('tensorflow', dense):
        _, negatives = all_draws(mask, 'background', method)
        assert on(negatives, dilated(mask, 20) & ~mask)
    assert distances(negatives, mask).max() > 21  # in a corner, which a round ring would lack


def test_the_minimum_distance_is_half_of_the_shorter_side(mask):
    for region, which in ((mask & ~eroded(mask, 10), 0), (dilated(mask, 20) & ~mask, 1)):
        rows, columns = np.nonzero(region)
        step = (min(np.ptp(rows), np.ptp(columns)) - 10) // 2
        closest = min(least_distance(drawn[which])
                      for drawn in draws(mask, 'background', 'tensorflow', seeds=range(100)))
        assert step <= closest < 1.1 * step


def test_click_counts_reach_five_and_thirty():
    near = dataclasses.replace(SAMPLINGS['tensorflow'], d_step=2)
    positives, negatives = zip(*((len(p), len(n)) for p, n in draws(
        OBJECTS['disc'], 'background', near, seeds=range(200))))
    assert set(positives) == set(range(1, 6)) and set(negatives) == set(range(20, 31))


def test_clicks_in_other_objects_are_in_their_erosion():
    erosions = np.any([eroded(other, 10) for other in OTHERS], axis=0)
    assert on(all_draws(OBJECTS['disc'], 'others', 'tensorflow')[1], erosions)


def test_outline_clicks_keep_their_margin_if_the_ring_is_wide_enough():
    wide = dataclasses.replace(SAMPLINGS['tensorflow'], d=30)
    mask = OBJECTS['disc']
    kept = eroded(dilated(mask, 30) & ~mask, 10)
    for _, negatives in draws(mask, 'outline', wide, seeds=range(5)):
        assert len(negatives) == 30 and on(negatives, kept)


def test_at_most_a_hundred_points_are_tried():
    assert SAMPLINGS['tensorflow'].tries == 100
    few = ClickSampling(positives=(5, 5), d_step=1, tries=3)
    assert max(len(positives) for positives, _ in draws(OBJECTS['disc'], 'outline', few)) == 3


def test_there_are_three_pairs_around_the_object():
    pairs = sample_pairs(OBJECTS['disc'], OTHERS, np.random.default_rng(0), 'tensorflow')
    ring = dilated(OBJECTS['disc'], 20) & ~OBJECTS['disc']
    assert len(pairs) == 3
    assert all(on(places([c for c in clicks if not c.positive]), ring) for clicks in pairs)
