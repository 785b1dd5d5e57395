"""Stored clicks: maps of distances in bytes, and the samples of an image."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from chainer_seg import Instances
from chainer_seg.models.deeplab import Click, click_maps
from chainer_seg.models.deeplab.click_sampler import sample_clicks
from chainer_seg.models.deeplab.precomputed_clicks import (
    clicks_of_maps,
    maps_of_clicks,
    sample_object_clicks,
    usable_objects,
)
from chainer_seg.models.deeplab.sampling import SAMPLINGS, ClickSampling
from tests.models.deeplab.sampled_clicks import OBJECTS, SIZE, dilated, eroded
from tests.synthetic import disc

CLICKS = [Click(3, 4), Click(30, 20), Click(10, 33, False)]


@pytest.mark.parametrize('scale', [1, 6, 2.5])
def test_precomputed_maps_are_the_click_maps_rounded_down(scale):
    expected = click_maps(CLICKS, (200, 300), scale=scale).astype(np.uint8)
    np.testing.assert_array_equal(maps_of_clicks(CLICKS, (200, 300), scale), expected)


def test_precomputed_maps_equal_those_of_the_tensorflow_implementation():
    """Six times SciPy's Euclidean distance, cut off at 255, as bytes."""
    away = np.ones((60, 50))
    away[3, 4] = away[30, 20] = 0
    expected = np.uint8(np.minimum(6 * distance_transform_edt(away), 255))
    np.testing.assert_array_equal(maps_of_clicks(CLICKS, (60, 50))[0], expected)


def test_a_map_without_clicks_is_255():
    maps = maps_of_clicks(CLICKS[:1], (20, 30))
    assert maps.shape == (2, 20, 30) and maps.dtype == np.uint8
    assert (maps[1] == 255).all() and maps[0].min() == 0
    assert (maps_of_clicks([], (20, 30)) == 255).all()


def test_clicks_are_read_back():
    clicks = clicks_of_maps(maps_of_clicks(CLICKS, (40, 50)))
    assert sorted(clicks, key=str) == sorted(CLICKS, key=str)


def test_a_click_on_the_image_edge_is_rounded_to_the_outermost_pixel():
    assert clicks_of_maps(maps_of_clicks([Click(-0.5, 29.5)], (20, 30))) == [Click(0, 29)]


def test_crowds_and_small_objects_are_not_clicked_on():
    masks = np.zeros((4, 20, 20), bool)
    masks[0, :5, :5] = masks[1, :10, 10:] = masks[2, 12:, 12:] = True  # 25, 100 and 64 pixels
    instances = Instances(masks, crowds=[False, False, True, False])
    assert usable_objects(instances, 1).tolist() == [0, 1]
    assert usable_objects(instances, 26).tolist() == [1]
    assert usable_objects(instances, 0).tolist() == [0, 1]  # the last one has no pixel


@pytest.fixture
def masks():
    return np.stack([OBJECTS['disc'], disc(SIZE, (40, 360), 35), disc(SIZE, (290, 40), 28)])


def samples(masks, chosen, wanted, sampling, seed=(0, 5)):
    return {number: (clicks, label)
            for number, clicks, label in sample_object_clicks(masks, chosen, wanted, sampling, seed)}


def test_samples_are_numbered_pair_by_pair(masks):
    found = samples(masks, [0, 2], range(6), SAMPLINGS['tensorflow'])
    assert sorted(found) == list(range(6))
    for number, (_, label) in found.items():
        np.testing.assert_array_equal(label, masks[[0, 2][number % 2]])


def test_a_sample_does_not_depend_on_which_others_exist(masks):
    every = samples(masks, [0, 1, 2], range(9), SAMPLINGS['tensorflow'])
    some = samples(masks, [0, 1, 2], {4, 7}, SAMPLINGS['tensorflow'])
    assert {number: clicks for number, (clicks, _) in some.items()} == {
        number: every[number][0] for number in (4, 7)}
    assert samples(masks, [0, 1, 2], {4}, SAMPLINGS['tensorflow'], (1, 5))[4][0] != every[4][0]


def test_the_strategies_take_turns(masks):
    found = samples(masks, [0], range(6), ClickSampling(n_pairs=6))
    for number, strategy in enumerate(('background', 'others', 'outline') * 2):
        expected = sample_clicks(masks[0], masks[1:], np.random.default_rng((0, 5, 0, number)),
                                 strategy)
        assert found[number][0] == expected


def test_precomputed_clicks_keep_the_distances_of_the_tensorflow_implementation(masks):
    for clicks, label in samples(masks, [0, 1, 2], range(9), SAMPLINGS['tensorflow']).values():
        positive, negative = (each == 0 for each in maps_of_clicks(clicks, SIZE))
        assert positive.any() and negative.any()
        assert not (positive & ~(label & ~eroded(label, 10))).any()
        assert not (negative & ~(dilated(label, 20) & ~label)).any()
        for marks, region in ((positive, label), (negative, dilated(label, 20))):
            rows, columns = np.nonzero(region)
            step = (min(np.ptp(rows), np.ptp(columns)) - 10) // 2
            places = np.argwhere(marks)
            apart = np.hypot(*(places[:, None] - places).transpose(2, 0, 1))
            assert (apart + 1e9 * np.eye(len(places)) >= step).all()
