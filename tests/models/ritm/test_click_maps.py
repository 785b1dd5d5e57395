"""Click maps against recorded ones of the original, and points that count as none."""

import numpy as np
import pytest

from chainer_seg.models.deeplab import Click
from chainer_seg.models.ritm.click_maps import click_maps, view_points
from tests.models.ritm import reference


@pytest.mark.usefixtures('shared_data')
@pytest.mark.parametrize('key, encoding, radius', [
    ('maps_disks_radius5', 'disk', 5), ('maps_disks_radius3', 'disk', 3),
    ('maps_distance_radius20', 'distance', 20), ('maps_distance_radius260', 'distance', 260)])
def test_maps_are_the_recorded_ones(key, encoding, radius):
    arrays = reference.units()[1]
    size = tuple(arrays['maps_size'].tolist())
    for points, wanted in zip(arrays['maps_points'], arrays[key].astype(np.float32)):
        half = len(points) // 2
        signs = np.repeat([1, -1], half) * (points[:, :2].max(axis=1) >= 0)
        signed = np.column_stack([points[:, :2], signs]).astype(np.float32)
        maps = click_maps(signed[None], size, encoding, radius)[0]
        np.testing.assert_allclose(maps, wanted, atol=1e-6)


def test_disk_has_the_pixels_within_its_radius():
    maps = click_maps(np.array([[[10, 12, 1]]], np.float32), (21, 25), 'disk', 5)[0]
    rows, columns = np.mgrid[:21, :25]
    np.testing.assert_array_equal(maps[0], (rows - 10) ** 2 + (columns - 12) ** 2 <= 25)
    assert maps[0].sum() == 81 and not maps[1].any()


def test_distance_map_without_a_click_is_one():
    maps = click_maps(np.zeros((1, 3, 3), np.float32), (4, 5), 'distance', 20)
    np.testing.assert_array_equal(maps, 1)


def test_mirrored_clicks_follow():
    points = view_points([Click(3, 4.5), Click(1, 0, False)], 10, flip=True)
    np.testing.assert_array_equal(points, [[[3, 4.5, 1], [1, 0, -1]], [[3, 4.5, 1], [1, 9, -1]]])


def test_click_above_and_left_of_the_crop_counts_as_none_in_the_view_that_has_it_there():
    points = view_points([Click(-2, -3)], 10, flip=True)
    np.testing.assert_array_equal(points[..., 2], [[0], [1]])


def test_no_clicks_are_no_points():
    assert view_points([], 10, flip=True).shape == (2, 0, 3)
    assert not click_maps(view_points([], 10, flip=False), (3, 4), 'disk', 5).any()
