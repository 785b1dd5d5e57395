"""Classes of pixels, made from every kind of data set."""

import numpy as np
import pytest

from chainer_seg import Instances
from chainer_seg.datasets import (
    PackedDataset, PlainShapesDataset, SemanticDataset, ShapesDataset, open_dataset, open_semantic,
    pack_dataset, semantic_labels)
from chainer_seg.errors import DatasetError

from .test_sbd import write_example
from .voc_files import person_before_dog, save_image, write_labels, write_list, write_voc


def painted(instances):
    """The labels by their definition: from the back to the front, object by object."""
    labels = np.zeros(instances.image_size, int)
    for number in np.flatnonzero(instances.crowds):
        labels[instances.masks[number]] = -1
    sizes = instances.masks.sum(axis=(1, 2))
    for number in np.argsort(-sizes, kind='stable'):
        if not instances.crowds[number]:
            labels[instances.masks[number]] = instances.labels[number] + 1
    return labels


def test_objects_crowds_and_background_have_their_labels():
    masks = np.zeros((3, 4, 6), bool)
    masks[0, :, :2], masks[1, 1:3, 1:3], masks[2, :2, :5] = True, True, True
    instances = Instances(masks, labels=[4, 0, 2], crowds=[False, False, True])
    labels = semantic_labels(instances)
    assert labels.dtype == np.int32
    assert labels.tolist() == [[5, 5, -1, -1, -1, 0], [5, 1, 1, -1, -1, 0],
                               [5, 1, 1, 0, 0, 0], [5, 5, 0, 0, 0, 0]]


def test_smaller_objects_are_before_larger_ones(rng):
    corners = rng.integers(0, 20, (12, 2))
    sides = rng.permutation(np.arange(5, 17))
    masks = np.zeros((12, 40, 40), bool)
    for mask, (top, left), side in zip(masks, corners, sides):
        mask[top:top + side, left:left + side] = True
    instances = Instances(masks, labels=np.arange(12), crowds=rng.random(12) < 0.3)
    np.testing.assert_array_equal(semantic_labels(instances), painted(instances))


def test_a_image_without_objects_is_background():
    labels = semantic_labels(Instances.empty(3, 5))
    assert labels.shape == (3, 5) and not labels.any()


@pytest.mark.parametrize('drawn', [PlainShapesDataset, ShapesDataset])
def test_synthetic_images_have_labels(drawn):
    objects = drawn(3, size=(64, 80))
    dataset = SemanticDataset(objects)
    assert len(dataset) == 3 and dataset.image_names[1] == '000001.png'
    assert dataset.class_names == ('background', *objects.class_names)
    image, labels = dataset[2]
    np.testing.assert_array_equal(image, objects[2][0])
    np.testing.assert_array_equal(labels, painted(objects[2][1]))


def test_vocs_labels_are_its_own(tmp_path):
    dataset = open_semantic(write_voc(tmp_path))
    image, labels = dataset[0]
    expected = np.choose(np.where(person_before_dog() == 255, 3, person_before_dog()), [0, 15, 12, -1])
    np.testing.assert_array_equal(labels, expected)
    assert labels.dtype == np.int32 and image.shape == (20, 30, 3)
    assert dataset.ids == ['2007_000001', '2007_000002'] and dataset.class_names[15] == 'person'
    assert len(dataset.class_names) == 21


def test_the_augmented_set_needs_no_objects(tmp_path):
    save_image(tmp_path, 'a', (6, 8))
    labels = np.full((6, 8), 255)
    labels[2:4, 1:5] = 1
    write_labels(tmp_path / 'SegmentationClassAug' / 'a.png', labels)
    path = write_list(tmp_path, 'train_aug', ['/JPEGImages/a.jpg /SegmentationClassAug/a.png'])
    np.testing.assert_array_equal(open_semantic(path, tmp_path)[0][1], np.where(labels == 1, 1, -1))
    path = write_list(tmp_path, 'mine', ['JPEGImages/a.jpg SegmentationClassAug/a.png'])
    assert open_semantic(path, class_names=('hand',)).class_names == ('background', 'hand')


@pytest.mark.parametrize('labels, sentence', [
    ([[0, 255]], r'No pixel of the 2 images of .*mine.txt has a class: .* or 255 \(void\); '
                 r'use 1 for the first class, or read white as class 1 with --labels-as levels'),
    ([[0, 0]], r'has a class: all labels are 0 \(background\); use 1')])
def test_labels_without_a_class_are_rejected(tmp_path, labels, sentence):
    for name in 'ab':
        save_image(tmp_path, name, (6, 8))
        write_labels(tmp_path / 'SegmentationClass' / f'{name}.png', np.kron(labels, np.ones((6, 4))))
    path = write_list(tmp_path, 'mine', 'ab')
    with pytest.raises(DatasetError, match=sentence):
        open_semantic(path, class_names=('hand',))
    # One image with a class is enough.
    write_labels(tmp_path / 'SegmentationClass' / 'b.png', np.ones((6, 8)))
    assert len(open_semantic(path, class_names=('hand',))) == 2


def test_white_is_a_class_on_request(tmp_path):
    save_image(tmp_path, 'a', (6, 8))
    labels = np.kron([[0, 255]], np.ones((6, 4)))
    write_labels(tmp_path / 'SegmentationClass' / 'a.png', labels)
    dataset = open_semantic(write_list(tmp_path, 'mine', 'a'), class_names=('hand',), labels_as='levels')
    np.testing.assert_array_equal(dataset[0][1], labels > 0)


def test_sbd_has_labels_alone_and_beside_voc(tmp_path):
    owners = np.zeros((10, 12), int)
    owners[2:6, 3:8], owners[4:9, 9:11] = 1, 2
    write_example(tmp_path, '2008_000003', owners, [20, 8])
    (tmp_path / 'train.txt').write_text('2008_000003\n')
    expected = np.choose(owners, [0, 20, 8])
    np.testing.assert_array_equal(open_semantic(tmp_path / 'train.txt')[0][1], expected)
    save_image(tmp_path / 'VOC2012', '2008_000003', (10, 12))
    path = write_list(tmp_path / 'VOC2012', 'train_aug', ['2008_000003'])
    np.testing.assert_array_equal(open_semantic(path, sbd=tmp_path)[0][1], expected)


def test_photographs_have_labels_packed_or_not(shared_data, tmp_path):
    annotations = shared_data / 'coco_sample' / 'annotations' / 'instances_val.json'
    images = shared_data / 'coco_sample' / 'val'
    objects = open_dataset(annotations, images).part(range(6))
    dataset = open_semantic(annotations, images).part(range(6))
    packed = open_semantic(pack_dataset(objects, tmp_path / 'val.packed'))
    assert isinstance(packed.dataset, PackedDataset)
    for number in range(6):
        labels = dataset[number][1]
        assert labels.max() <= 80 and labels.max() > 0
        np.testing.assert_array_equal(labels, packed[number][1])
        np.testing.assert_array_equal(labels, painted(objects[number][1]))


def test_files_that_are_not_data_sets_are_reported(tmp_path):
    with pytest.raises(DatasetError, match='There is no list of images'):
        open_semantic(tmp_path / 'train.txt')


def test_an_ignored_label_is_void(tmp_path):
    path = write_voc(tmp_path)
    labels, ignoring = (open_semantic(path, **options)[0][1] for options in ({}, {'ignore_label': 12}))
    assert (labels == 12).any()
    np.testing.assert_array_equal(ignoring, np.where(labels == 12, -1, labels))
    part = open_semantic(path, ignore_label=12).part([0])
    np.testing.assert_array_equal(part[0][1], ignoring)
