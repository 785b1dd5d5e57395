import math

import numpy as np
import pytest

from chainer_seg.errors import ClickError
from chainer_seg.models.deeplab import Click, click_maps
from chainer_seg.models.deeplab.clicks import check_clicks


def naive_map(clicks, size, scale, mean):
    """The definition in arXiv 1603.04042, section 3.1, pixel by pixel."""
    result = np.empty(size)
    for y in range(size[0]):
        for x in range(size[1]):
            distances = [math.hypot(y - c.y, x - c.x) * scale for c in clicks]
            result[y, x] = min([255.0, *distances]) - mean
    return result


@pytest.mark.parametrize('scale, mean', [(1, 0), (6, 131)])
def test_maps_are_those_of_the_definition(scale, mean):
    clicks = [Click(3, 4), Click(10, 2.5), Click(0, 60, False)]
    found = click_maps(clicks, (12, 70), scale=scale, mean=mean)
    expected = [naive_map(clicks[:2], (12, 70), scale, mean),
                naive_map(clicks[2:], (12, 70), scale, mean)]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)
    assert found.dtype == np.float32


def test_distance_ends_at_255():
    maps = click_maps([Click(0, 0)], (1, 400))
    assert maps[0, 0, 254:257].tolist() == [254, 255, 255]


def test_map_without_clicks_is_255_everywhere():
    assert (click_maps([], (4, 5)) == 255).all()


@pytest.mark.parametrize('y, x', [(-1, 0), (0, -1), (4, 0), (0, 5), (math.nan, 0), (1e9, 0)])
def test_click_outside_the_image_is_told(y, x):
    with pytest.raises(ClickError, match='lies outside the image, whose x goes from 0 to 4'):
        check_clicks([Click(1, 1), Click(y, x)], (4, 5))


def test_clicks_on_the_rim_are_inside():
    assert check_clicks([Click(0, 0), Click(3, 4), Click(3.4, -0.4)], (4, 5)) is None
