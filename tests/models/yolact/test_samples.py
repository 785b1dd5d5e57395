"""Training samples: what is resized, what is left out, and what is refused."""

import cv2
import numpy as np
import pytest

from chainer_seg.errors import DatasetError
from chainer_seg.instances import Instances
from chainer_seg.models.yolact.augmentation import NO_AUGMENTATION
from chainer_seg.models.yolact.backbones import find_backbone
from chainer_seg.models.yolact.samples import YolactSamples, resize_masks, stack_examples

IMAGE = np.zeros((50, 100, 3), np.uint8)


def boxes_as_masks(*boxes, size=(50, 100)):
    found = np.zeros((len(boxes), *size), bool)
    for mask, (top, left, bottom, right) in zip(found, boxes):
        mask[top:bottom, left:right] = True
    return found


def sample(instances, rng, image=IMAGE, side=64, **options):
    options.setdefault('augmentation', NO_AUGMENTATION)
    return YolactSamples(side, np.float32, **options)((image, instances), rng)


def test_images_become_squares_and_boxes_become_fractions(rng):
    found = sample(Instances(boxes_as_masks([10, 20, 30, 80]), labels=[3]), rng)
    assert found['x'].shape == (3, 64, 64) and found['x'].dtype == np.float32
    np.testing.assert_allclose(found['bboxes'], [[0.2, 0.2, 0.6, 0.8]])
    assert found['masks'].shape == (1, 64, 64) and found['labels'].tolist() == [3]


def test_images_and_masks_are_resized_like_the_original(shared_data):
    folder = shared_data / 'formats' / 'pytorch'
    recorded = np.load(folder / 'train_ground_truth.npz')
    image = cv2.imread(str(folder / 'train_b.png'))[:, :, ::-1]
    rows = recorded['targets1']
    masks = np.unpackbits(recorded['masks1'], axis=2)[:, :, :138].astype(bool)
    found = sample(Instances(masks, rows[:, [1, 0, 3, 2]] * 138, labels=rows[:, 4],
                             crowds=rows[:, 4] < 0), None, image, side=77)
    bgr = found['x'].transpose(1, 2, 0)[::4, ::4, ::-1]
    np.testing.assert_allclose(bgr, recorded['resize77_image'], atol=1e-3)
    expected = np.unpackbits(recorded['resize77_masks'], axis=2)[:, :, :77].astype(bool)
    np.testing.assert_array_equal(found['masks'], expected)
    np.testing.assert_allclose(found['bboxes'][:, [1, 0, 3, 2]] * 77, recorded['resize77_boxes'],
                               rtol=1e-5)


def test_boxes_thinner_than_4_of_550_pixels_are_omitted(rng):
    bboxes = np.array([[0, 0, 0.35, 90], [0, 0, 0.37, 90], [0, 0, 40, 0.7], [0, 0, 40, 0.75]], 'f')
    masks = boxes_as_masks(*[[0, 0, 5, 5]] * 4)
    # 4 / 550 of 50 rows are 0.364 of a pixel, of 100 columns 0.727.
    assert sample(Instances(masks, bboxes, labels=range(4)), rng)['labels'].tolist() == [1, 3]


def test_objects_with_empty_masks_are_omitted(rng):
    masks = boxes_as_masks([0, 0, 20, 20], [0, 0, 0, 0])
    bboxes = np.array([[0, 0, 20, 20], [5, 5, 30, 30]], np.float32)
    assert sample(Instances(masks, bboxes, labels=[0, 1]), rng)['labels'].tolist() == [0]


def test_of_too_many_objects_the_largest_are_kept_in_order(rng):
    sides = [3, 9, 4, 8, 7]
    masks = boxes_as_masks(*[[0, 0, side, side] for side in sides])
    found = sample(Instances(masks, labels=range(5)), rng, max_objects=3)
    assert found['labels'].tolist() == [1, 3, 4]


@pytest.mark.parametrize('instances', [
    Instances.empty(50, 100), Instances(boxes_as_masks([0, 0, 20, 20]), crowds=[True])])
def test_an_image_without_objects_gives_no_sample(instances, rng):
    assert sample(instances, rng) is None


@pytest.mark.parametrize('label', [3, 90, -1])
def test_a_label_without_a_class_is_an_error(label, rng):
    instances = Instances(boxes_as_masks([0, 0, 9, 9], [0, 0, 9, 9]), labels=[0, label])
    with pytest.raises(DatasetError, match=f'the label {label}, but the 3 classes .* 0 to 2'):
        sample(instances, rng, classes=3)


def test_crowds_need_no_label(rng):
    instances = Instances(boxes_as_masks([0, 0, 9, 9], [0, 0, 9, 9]), labels=[0, -1],
                          crowds=[False, True])
    assert sample(instances, rng, classes=3)['crowds'].tolist() == [False, True]


def test_colours_are_normalised_for_the_backbone(rng):
    image = np.full((8, 8, 3), (123.68, 116.78, 103.94), np.float32).round().astype(np.uint8)
    samples = YolactSamples(8, find_backbone('resnet50').normalise, augmentation=NO_AUGMENTATION)
    found = samples((image, Instances(boxes_as_masks([0, 0, 8, 8], size=(8, 8)))), rng)
    assert abs(found['x']).max() < 0.01


def test_a_batch_keeps_the_objects_of_each_image_separate(rng):
    samples = [sample(Instances(boxes_as_masks(*[[0, 0, 9, 9]] * count)), rng) for count in (1, 3)]

    class Device:
        send = staticmethod(np.asarray)

    batch = stack_examples(samples, Device)
    assert batch['x'].shape == (2, 3, 64, 64)
    assert [len(labels) for labels in batch['labels']] == [1, 3]


def test_zero_masks_are_resized_to_zero_masks():
    assert resize_masks(np.zeros((0, 5, 6), bool), 8).shape == (0, 8, 8)
