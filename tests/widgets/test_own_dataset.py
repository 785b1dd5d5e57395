"""From clicks to a data set of one's own: what is labelled is saved, checked, measured and packed."""

import numpy as np
import pytest

pytest.importorskip('anywidget')

from chainer_seg.datasets import (  # noqa: E402
    CocoDataset,
    PackedDataset,
    measure_dataset,
    pack_dataset,
    validate_coco,
)
from chainer_seg.models.deeplab import Click  # noqa: E402
from chainer_seg.widgets import ClickSegmenter, DatasetViewer  # noqa: E402

from .discs import Discs, disc  # noqa: E402

SIZE = 60, 80
NAMES = ('plate', 'cup', 'spoon')


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    return {f'table{number}': rng.integers(0, 256, (*SIZE, 3), np.uint8) for number in range(3)}


def labelled(images, **options):
    """A segmenter after work: a cup and a plate on the first image, a cup on the third."""
    segmenter = ClickSegmenter(images, Discs(), **options)
    for number, y, x, name in ((0, 20, 20, 'cup'), (0, 40, 60, 'plate'), (2, 30, 30, 'cup')):
        segmenter.go_to(number)
        segmenter.add(Click(y, x))
        segmenter.finish(name)
    return segmenter


def test_labels_of_all_images_become_one_data_set(images, tmp_path):
    path = labelled(images, class_names=NAMES).save_coco(tmp_path / 'own')
    dataset = CocoDataset(path, path.parent / 'images')
    assert validate_coco(path, path.parent / 'images') == []
    assert dataset.image_names == ['table0.jpg', 'table2.jpg']
    assert dataset.class_names == NAMES
    assert [instances.labels.tolist() for _, instances in dataset] == [[1, 0], [1]]
    np.testing.assert_array_equal(dataset[1][1].masks, [disc(SIZE, 30, 30)])


def test_without_names_classes_come_in_the_order_of_their_first_use(images, tmp_path):
    path = labelled(images).save_coco(tmp_path / 'own')
    assert CocoDataset(path, path.parent / 'images').class_names == ('cup', 'plate')


def test_known_names_are_suggested_and_new_ones_accepted(images):
    segmenter = labelled(images, class_names=NAMES)
    segmenter.go_to(0)
    assert segmenter._controls._name.options == NAMES
    segmenter.rename(0, 'saucer')
    assert segmenter._controls._name.options == (*NAMES, 'saucer')
    assert segmenter.labels().class_names == (*NAMES, 'saucer')


def test_labelling_continues_with_the_same_classes(images, tmp_path):
    path = labelled(images, class_names=NAMES).save_coco(tmp_path / 'own')
    again = ClickSegmenter(CocoDataset(path, path.parent / 'images'), Discs())
    assert again.class_names == NAMES


def test_own_data_are_measured_packed_and_viewed(images, tmp_path):
    path = labelled(images, class_names=NAMES).save_coco(tmp_path / 'own')
    dataset = CocoDataset(path, path.parent / 'images')
    statistics = measure_dataset(dataset)
    assert statistics.objects_per_class.tolist() == [1, 2, 0]
    assert statistics.unseen_classes == ['spoon']
    packed = PackedDataset(pack_dataset(dataset, tmp_path / 'own.packed'))
    assert packed.class_names == NAMES
    viewer = DatasetViewer(packed)
    viewer.next()
    np.testing.assert_array_equal(viewer.explorer.instances.masks, [disc(SIZE, 30, 30)])
