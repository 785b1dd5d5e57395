"""Plain shapes: an image of few colours whose masks are what was painted."""

import numpy as np
import pytest

from chainer_seg.datasets.synthetic.plain_shapes import PLAIN_CLASSES, PlainShapesDataset


def test_a_image_depends_on_seed_and_index_alone():
    first, second = (PlainShapesDataset(length, 3, (96, 128))[4] for length in (5, 500))
    assert first[0].shape == (96, 128, 3) and first[0].dtype == np.uint8
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1].masks, second[1].masks)


def test_every_image_shows_shapes_that_do_not_share_pixels():
    for _, instances in (PlainShapesDataset(60, size=(64, 64))[i] for i in range(60)):
        assert len(instances)
        assert instances.masks.sum(axis=0).max() <= 1
        assert set(instances.labels) <= set(range(len(PLAIN_CLASSES)))


def test_an_object_differs_from_the_ground_and_is_of_one_colour():
    dataset = PlainShapesDataset(20, size=(96, 96), objects=(1, 1), diameters=(0.4, 0.5))
    for image, instances in (dataset[i] for i in range(20)):
        inside, outside = image[instances.masks[0]], image[~instances.masks[0]]
        assert np.abs(inside.mean(axis=0) - outside.mean(axis=0)).max() > 30
        assert np.median(np.abs(inside - np.median(inside, axis=0))) < 10


@pytest.mark.parametrize('name', PLAIN_CLASSES)
def test_classes_can_be_chosen(name):
    assert PlainShapesDataset(2, size=(64, 64), classes=(name,))[1][1].class_names == (name,)


def test_all_sizes_of_images_are_drawn():
    assert PlainShapesDataset(1, size=(16, 200))[0][1].image_size == (16, 200)
