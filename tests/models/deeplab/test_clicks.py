import math

import numpy as np
import pytest

from chainer_seg.errors import ClickError
from chainer_seg.models.deeplab import Click, click_maps
from chainer_seg.models.deeplab.clicks import check_clicks, click_points, disk_maps


def naive_map(clicks, size, scale, mean):
    """The definition in arXiv 1603.04042, section 3.1, pixel by pixel."""
    result = np.empty(size)
    for y in range(size[0]):
        for x in range(size[1]):
            distances = [math.hypot(y - c.y, x - c.x) * scale for c in clicks]
            result[y, x] = min([255.0, *distances]) - mean
    return result


@pytest.mark.parametrize('scale, mean', [(1, 0), (6, 131)])
def test_click_maps_equal_their_definition(scale, mean):
    clicks = [Click(3, 4), Click(10, 2.5), Click(0, 60, False)]
    found = click_maps(clicks, (12, 70), scale=scale, mean=mean)
    expected = [naive_map(clicks[:2], (12, 70), scale, mean),
                naive_map(clicks[2:], (12, 70), scale, mean)]
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-4)
    assert found.dtype == np.float32


def test_distances_are_truncated_to_255():
    maps = click_maps([Click(0, 0)], (1, 400))
    assert maps[0, 0, 254:257].tolist() == [254, 255, 255]


def test_map_without_clicks_is_255_everywhere():
    assert (click_maps([], (4, 5)) == 255).all()


@pytest.mark.parametrize('radius, mean', [(5, 0), (2.5, 131)])
def test_disks_are_all_pixels_within_their_radius(radius, mean):
    clicks = [Click(3, 4), Click(10, 12.5), Click(0, 30, False)]
    found = disk_maps(click_points(clicks)[None], (12, 40), radius=radius, mean=mean)[0]
    for channel, wanted in enumerate((True, False)):
        near = naive_map([c for c in clicks if c.positive == wanted], (12, 40), 1, 0) <= radius
        np.testing.assert_array_equal(found[channel], np.where(near, 0, 255) - mean)
    assert found.dtype == np.float32


def test_a_disk_of_radius_five_has_81_pixels():
    # As many points with whole coordinates lie in a circle of radius 5 (Gauss).
    maps = disk_maps(click_points([Click(10, 10)])[None], (21, 21))[0]
    assert (maps[0] == 0).sum() == 81 and (maps[1] == 255).all()


@pytest.mark.parametrize('y, x', [(-1, 0), (0, -1), (4, 0), (0, 5), (math.nan, 0), (1e9, 0)])
def test_a_click_outside_the_image_is_an_error(y, x):
    with pytest.raises(ClickError, match='lies outside the image, whose x goes from 0 to 4'):
        check_clicks([Click(1, 1), Click(y, x)], (4, 5))


def test_clicks_on_the_image_edge_are_inside():
    assert check_clicks([Click(0, 0), Click(3, 4), Click(3.4, -0.4)], (4, 5)) is None
