"""Stored click maps as the network's input, by hand and against the clicks that they store."""

import chainer
import numpy as np
import pytest
from chainer import functions as F

from chainer_seg.errors import ClickError
from chainer_seg.models.deeplab import Click, ClickSegmenter
from chainer_seg.models.deeplab.precomputed_maps import segment_maps, takes_maps
from chainer_seg.models.deeplab.precomputed_clicks import clicks_of_maps, maps_of_clicks

SIZE = 33, 41
CLICKS = [Click(20, 12), Click(5, 30), Click(8, 8, False)]


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (*SIZE, 3), np.uint8)


def make(**settings):
    return ClickSegmenter(blocks=(1, 1, 1, 1), width=4, **settings)


def test_the_network_gets_the_maps_minus_their_mean(image):
    model = make(click_scale=6, click_mean=131)
    maps = maps_of_clicks(CLICKS, SIZE)
    mean = np.array([104.00698793, 116.66876762, 122.67891434])
    x = np.concatenate([image[:, :, ::-1] - mean, maps.transpose(1, 2, 0) - 131.0], axis=2)
    with chainer.using_config('train', False):
        logits = F.resize_images(model(x.transpose(2, 0, 1)[None].astype(np.float32)), SIZE).array
    expected = 1 / (1 + np.exp(-logits[0, 0]))
    found = segment_maps(model, image, maps)
    assert found.shape == SIZE and found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_clicks_and_their_maps_give_the_same_probability(image):
    model = make(click_scale=6, click_mean=131)
    # The distances of the maps are whole numbers.
    np.testing.assert_allclose(segment_maps(model, image, maps_of_clicks(CLICKS, SIZE)),
                               model.segment(image, CLICKS), atol=0.02)


@pytest.mark.parametrize('settings', [
    {}, {'click_encoding': 'disk'}, {'click_scale': 6, 'click_mean': 131, 'mask_input': True}])
def test_networks_of_another_encoding_get_the_clicks(image, settings):
    model, maps = make(**settings), maps_of_clicks(CLICKS, SIZE)
    assert not takes_maps(model, maps)
    np.testing.assert_array_equal(segment_maps(model, image, maps),
                                  model.segment(image, clicks_of_maps(maps)))


def test_large_images_are_shrunk_with_their_maps(image):
    model = make(click_scale=6, click_mean=131, longest_side=24)
    large = image.repeat(2, axis=0).repeat(2, axis=1)
    found = segment_maps(model, large, maps_of_clicks(CLICKS, large.shape[:2]))
    assert found.shape == large.shape[:2] and np.isfinite(found).all()


def test_maps_of_another_size_are_an_error(image):
    with pytest.raises(ClickError, match='maps are 41x33 pixels, but the image is 33x41'):
        segment_maps(make(), image, maps_of_clicks(CLICKS, SIZE[::-1]))


def test_maps_without_a_positive_click_are_an_error(image):
    with pytest.raises(ClickError, match='no positive click'):
        segment_maps(make(), image, maps_of_clicks(CLICKS[2:], SIZE))
