"""Collages: objects of photographs, here red squares on grey, and shapes, on other photographs."""

import pickle

import numpy as np
import pytest

from chainer_seg.datasets import CollageDataset, ExampleList
from chainer_seg.errors import DatasetError
from chainer_seg.instances import Instances
from tests.synthetic import squares


def photograph(instances):
    image = np.full((200, 200, 3), 128, np.uint8)
    image[instances.masks.any(axis=0)] = 255, 0, 0
    return image, instances


@pytest.fixture(scope='module')
def photographs():
    return ExampleList([photograph(squares((10, 20), (100, 120))), photograph(squares((80, 80), side=60))])


def test_an_image_depends_on_seed_and_index_alone(photographs):
    first, second = (CollageDataset(photographs, length, 3, (96, 128))[4] for length in (5, 500))
    assert first[0].shape == (96, 128, 3) and first[0].dtype == np.uint8
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1].masks, second[1].masks)
    assert not np.array_equal(first[0], CollageDataset(photographs, 5, 4, (96, 128))[4][0])


@pytest.mark.parametrize('options', [
    {'photograph_share': 1, 'pasted': (0, 0)}, {'photograph_share': 0, 'pasted': (1, 1), 'shape_share': 0}],
    ids=['backdrop', 'pasted'])
def test_masks_are_where_the_objects_are_seen(photographs, options):
    dataset = CollageDataset(photographs, 30, size=(160, 160), **options)
    found = 0
    for image, instances in (dataset[i] for i in range(30)):
        redness = image[:, :, 0] - image[:, :, 1:].mean(axis=2)
        for mask in instances.masks:
            if mask.sum() > 200:  # the camera blurs smaller ones
                found += redness[mask].mean() > redness[~instances.masks.any(axis=0)].mean() + 25
    assert found >= 20


def test_what_is_pasted_hides_what_is_behind(photographs):
    dataset = CollageDataset(photographs, 20, size=(96, 96), photograph_share=1, pasted=(3, 3))
    examples = [dataset[i][1] for i in range(20)]
    assert all(instances.masks.sum(axis=0).max() <= 1 for instances in examples)
    assert max(map(len, examples)) > 3
    assert {instances.class_names for instances in examples} == {('object',)}


def test_crowds_and_small_objects_are_not_cut_out():
    small, crowd = squares((10, 10), side=20), squares((50, 50), crowds=[True])
    with pytest.raises(DatasetError, match='no object of at least 1000 pixels'):
        CollageDataset(ExampleList([photograph(small), photograph(crowd)]))


def test_crowds_of_a_backdrop_stay_crowds():
    both = squares((10, 10), (100, 100), side=80, crowds=[False, True])
    dataset = CollageDataset(ExampleList([photograph(both)]), 20, size=(64, 64), photograph_share=1,
                             pasted=(0, 0))
    crowds = np.concatenate([dataset[i][1].crowds for i in range(20)])
    assert crowds.any() and not crowds.all()


def test_photographs_without_objects_are_backdrops_too():
    empty = np.full((50, 80, 3), 200, np.uint8), Instances.empty(50, 80)
    dataset = CollageDataset(ExampleList([empty, photograph(squares((10, 20)))]), 20, size=(64, 64))
    assert all(dataset[i][0].shape == (64, 64, 3) for i in range(20))


def test_a_loader_process_gets_the_same_images(photographs):
    dataset = CollageDataset(photographs, 5, size=(64, 64))
    image, _ = dataset[3]
    copied = pickle.loads(pickle.dumps(CollageDataset(photographs, 5, size=(64, 64))))
    np.testing.assert_array_equal(copied[3][0], image)
