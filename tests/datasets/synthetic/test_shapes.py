"""The drawn data set: deterministic, exact, any size."""

import concurrent.futures
import multiprocessing
import pickle

import numpy as np
import pytest

from chainer_seg.datasets import ShapesDataset
from chainer_seg.datasets.synthetic.rasterise import rasterise
from chainer_seg.datasets.synthetic.silhouettes import OUTLINES
from chainer_seg.errors import DatasetError


def same(example, other):
    return np.array_equal(example[0], other[0]) and np.array_equal(example[1].masks, other[1].masks)


def draw(dataset, index):
    return dataset[index]


def test_an_example_is_a_uint8_image_and_its_instances():
    image, instances = ShapesDataset(3, size=(96, 128))[2]
    assert image.shape == (96, 128, 3) and image.dtype == np.uint8
    assert instances.image_size == (96, 128)
    assert instances.class_names == tuple(OUTLINES)


def test_a_image_depends_on_seed_and_index_alone():
    first = ShapesDataset(5, seed=3, size=(64, 64))
    first[0]
    assert same(first[4], ShapesDataset(10**9, seed=3, size=(64, 64))[4])


def test_another_seed_makes_other_images():
    dataset, other = (ShapesDataset(1, seed=seed, size=(64, 64)) for seed in (0, 1))
    assert not np.array_equal(dataset[0][0], other[0][0])


def test_global_random_state_is_neither_used_nor_changed():
    dataset = ShapesDataset(2, size=(64, 64))
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    dataset[1]
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_another_process_draws_the_same_image():
    dataset = ShapesDataset(9, size=(64, 64))
    context = multiprocessing.get_context('fork')
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        assert same(pool.submit(draw, dataset, 8).result(), dataset[8])


def test_it_can_be_pickled():
    dataset = ShapesDataset(9, size=(64, 64), classes=('ring', 'star'))
    assert same(pickle.loads(pickle.dumps(dataset))[8], dataset[8])


@pytest.mark.parametrize('size', [(16, 16), (32, 32), (24, 200), (200, 40)])
def test_any_size_holds_at_least_one_visible_object(size):
    dataset = ShapesDataset(25, size=size, crowd_probability=0.2)
    for index in range(len(dataset)):
        image, instances = dataset[index]
        assert image.shape == (*size, 3)
        assert len(instances) and instances.masks.any(axis=(1, 2)).all()


def test_masks_are_visible_parts_and_never_overlap():
    dataset = ShapesDataset(15, size=(96, 96), objects=(8, 12), crowd_probability=0.5)
    assert max(dataset[i][1].masks.sum(0).max() for i in range(len(dataset))) == 1


def test_objects_that_are_hidden_are_not_annotated():
    dataset = ShapesDataset(10, size=(64, 64), objects=(12, 12), diameters=(0.8, 0.9),
                            crowd_probability=0)
    counts = [len(dataset[i][1]) for i in range(len(dataset))]
    assert min(counts) >= 1 and np.mean(counts) < 12


def test_a_ring_has_a_hole():
    outline = OUTLINES['ring'](np.random.default_rng(0))
    layers = [[contour * 40 + 50 for contour in layer] for layer in outline.layers]
    coverage, _ = rasterise(layers, (0, 0, 100, 100))
    assert coverage[50, 50] == 0 and coverage.max() == 1


def test_coverage_is_antialiased_and_keeps_the_area():
    square = np.array([[10.25, 10.5], [30.75, 10.5], [30.75, 20.5], [10.25, 20.5]])
    coverage, _ = rasterise([[square]], (0, 0, 40, 40))
    assert coverage.sum() == pytest.approx(20.5 * 10, rel=0.05)
    assert 0 < coverage[15, 10] < 1


@pytest.mark.parametrize('name', list(OUTLINES))
def test_every_class_can_be_drawn_alone(name):
    dataset = ShapesDataset(3, size=(64, 64), classes=(name,), objects=(2, 2),
                            diameters=(0.4, 0.8))
    for index in range(len(dataset)):
        _, instances = dataset[index]
        assert instances.class_names == (name,) and (instances.labels == 0).all()


def test_crowds_are_drawn_when_asked_for():
    dataset = ShapesDataset(6, size=(128, 128), crowd_probability=1)
    assert sum(dataset[i][1].crowds.sum() for i in range(len(dataset))) >= 5


def test_no_crowds_when_not_asked_for():
    dataset = ShapesDataset(6, size=(64, 64), crowd_probability=0)
    assert not any(dataset[i][1].crowds.any() for i in range(len(dataset)))


def test_objects_are_small_and_large():
    dataset = ShapesDataset(60, size=(128, 128), crowd_probability=0)
    shares = np.concatenate([dataset[i][1].masks.mean(axis=(1, 2)) for i in range(len(dataset))])
    assert shares.min() < 0.01 and shares.max() > 0.25


def test_negative_indices_count_from_the_end_and_others_fail():
    dataset = ShapesDataset(4, size=(64, 64))
    assert same(dataset[-1], dataset[3])
    with pytest.raises(IndexError):
        dataset[4]


@pytest.mark.parametrize('arguments, message', [
    ({'classes': ['unicorn']}, "unicorn"),
    ({'classes': []}, 'the list is empty'),
    ({'size': (8, 64)}, 'at least 16'),
    ({'objects': (3, 2)}, 'minimum <= maximum'),
    ({'objects': (0, 2)}, '1 <= minimum'),
    ({'diameters': (0, 0.5)}, 'diameters'),
    ({'length': -1}, 'negative'),
])
def test_impossible_arguments_are_rejected_in_one_sentence(arguments, message):
    with pytest.raises(DatasetError, match=message):
        ShapesDataset(**arguments)
