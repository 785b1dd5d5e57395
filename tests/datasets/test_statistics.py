"""Figures of data sets counted by hand, and anchors that fit boxes whose sizes are known."""

import numpy as np
import pytest

from chainer_seg.datasets import (
    CocoDataset,
    ShapesDataset,
    coco_statistics,
    fit_anchors,
    measure_dataset,
    suggest_anchors,
)
from chainer_seg.instances import Instances

from .coco_files import NO_SAMPLE, SAMPLE, annotation, content, write


class Listed(list):
    class_names = ('dog', 'cat', 'cow')


def box_example(size, *boxes, **fields):
    """An image and the objects that fill these boxes (y_min, x_min, y_max, x_max)."""
    masks = np.zeros((len(boxes), *size), bool)
    for mask, (top, left, bottom, right) in zip(masks, boxes):
        mask[top:bottom, left:right] = True
    return np.zeros((*size, 3), np.uint8), Instances(masks, class_names=Listed.class_names, **fields)


@pytest.fixture
def few():
    return measure_dataset(Listed([
        box_example((20, 40), (0, 0, 10, 20), (5, 5, 9, 9), (0, 0, 20, 40), labels=[1, 1, 0],
                    crowds=[False, False, True]),
        box_example((30, 30)),
        box_example((10, 10), (0, 0, 5, 10), labels=[0])]))


def test_objects_and_images_of_each_class_are_counted_without_crowds(few):
    assert few.objects_per_class.tolist() == [1, 2, 0]
    assert few.images_per_class.tolist() == [1, 1, 0]
    assert few.objects_per_image.tolist() == [2, 0, 1]
    assert few.crowds == 1 and few.unseen_classes == ['cow']


def test_sizes_are_those_of_the_boxes(few):
    assert few.box_sizes.tolist() == [[10, 20], [4, 4], [5, 10]]
    assert few.image_sizes.tolist() == [[20, 40], [30, 30], [10, 10]]


def test_sizes_in_the_networks_input_follow_the_squeezed_image(few):
    # 20x40 squeezed to 100x100 stretches heights by 5 and widths by 2.5.
    assert few.sizes_at(100).tolist() == [[50, 50], [20, 10], [50, 100]]


def test_figures_are_ready_for_json(few):
    figures = few.to_dict()
    assert figures['images'] == 3 and figures['images without objects'] == 1
    assert figures['objects'] == 3 and figures['crowds'] == 1
    assert figures['objects per image'] == {'mean': 1.0, 'most': 2}
    assert figures['per class'] == {'dog': {'objects': 1, 'images': 1},
                                    'cat': {'objects': 2, 'images': 1},
                                    'cow': {'objects': 0, 'images': 0}}
    assert figures['width over height of an object'] == {'least': 1, 'median': 2, 'largest': 2}


@pytest.mark.skipif(not SAMPLE.is_dir(), reason=NO_SAMPLE)
def test_real_figures_are_those_of_the_json():
    path = SAMPLE / 'annotations' / 'instances_train.json'
    figures = measure_dataset(CocoDataset(path, SAMPLE / 'train')).to_dict()
    expected = coco_statistics(path)
    for name in ('images', 'images without objects', 'objects', 'crowds', 'small', 'medium', 'large'):
        assert figures[name] == expected[name], name
    counted = {name: each['objects'] for name, each in figures['per class'].items() if each['objects']}
    assert counted == expected['objects per category']


def test_no_image_of_a_coco_file_is_read(tmp_path):
    path, images = write(tmp_path, content(annotation()))
    (images / 'a.png').unlink()
    assert measure_dataset(CocoDataset(path, images)).image_sizes.tolist() == [[20, 30]]


def test_synthetic_data_sets_are_measured_too():
    drawn = ShapesDataset(3, size=(32, 48))
    statistics = measure_dataset(drawn)
    assert statistics.image_sizes.tolist() == [[32, 48]] * 3
    assert len(statistics.labels) == sum((~each.crowds).sum() for _, each in drawn)


def test_clusters_of_sizes_become_scales(rng):
    sides = np.concatenate([side * 2 ** rng.normal(0, 0.05, 200) for side in (16, 64, 256)])
    anchors = suggest_anchors(np.stack([sides, sides], axis=1), scales=3, ratios=1)
    np.testing.assert_allclose(anchors.scales, (16, 64, 256), rtol=0.02)
    assert anchors.ratios == (1.0,)
    assert anchors.matched == 1 and anchors.mean_iou > 0.9


def test_clusters_of_shapes_become_ratios(rng):
    ratios = np.repeat([0.25, 1, 3], 100) * 2 ** rng.normal(0, 0.05, 300)
    sizes = 50 * np.stack([1 / np.sqrt(ratios), np.sqrt(ratios)], axis=1)
    anchors = suggest_anchors(sizes, scales=1, ratios=3)
    np.testing.assert_allclose(anchors.scales, (50,), rtol=0.02)
    np.testing.assert_allclose(anchors.ratios, (0.25, 1, 3), rtol=0.03)


def test_fewer_different_sizes_give_fewer_scales():
    anchors = suggest_anchors(np.array([[10, 10], [10, 10], [40, 40]], float))
    assert anchors.scales == (10.0, 40.0) and anchors.ratios == (1.0,) and anchors.mean_iou == 1


def test_without_boxes_there_are_no_anchors():
    assert suggest_anchors(np.zeros((0, 2))) is None
    assert suggest_anchors(np.array([[0, 5], [3, 0]], float)) is None


def test_the_fit_of_anchors_by_hand():
    sizes = np.array([[10, 10], [10, 40], [0, 7]], float)
    # A square of 10 covers all of the first box and a quarter of the second; the third has no area.
    square = fit_anchors(sizes, (10,))
    assert square.mean_iou == (1 + 0.25) / 2 and square.matched == 0.5
    # Width over height of 4 at scale 20 is 10 high and 40 wide.
    assert fit_anchors(sizes, (10, 20), (1, 4)).mean_iou == 1
