"""Training samples of Mask R-CNN: sizes, mirroring and skipped objects, checked on one image."""

import json

import cv2
import numpy as np
import pytest

from chainer_seg.datasets import CocoDataset
from chainer_seg.datasets.keypoints import PERSON_KEYPOINTS, PERSON_MIRROR
from chainer_seg.instances import Instances
from chainer_seg.models.mask_rcnn import DetectionSamples, MaskRCNN, PolygonDataset, batch_samples

ALWAYS, NEVER = 1.0, 0.0


@pytest.fixture
def original(rng):
    return rng.integers(0, 256, (40, 60, 3)).astype(np.uint8)


def instances_of(*boxes, crowds=None, keypoints=None):
    masks = np.zeros((len(boxes), 40, 60), bool)
    for mask, (top, left, bottom, right) in zip(masks, boxes):
        mask[int(top):int(bottom), int(left):int(right)] = True
    return Instances(masks, boxes, labels=np.arange(len(boxes)), crowds=crowds, keypoints=keypoints)


def draw(original, instances, flip=NEVER, polygons=None, seed=0, **options):
    samples = DetectionSamples(**{'min_sides': (80,), 'max_side': 200, **options}, flip=flip)
    polygons = [None] * len(instances) if polygons is None else polygons
    return samples((original, instances, polygons), np.random.default_rng(seed))


def test_the_sample_image_equals_the_models_input(original):
    image, truth = draw(original, instances_of((5, 10, 25, 30)))
    x, sizes = MaskRCNN(1, blocks=(1, 1, 1, 1), width=2, fpn_channels=2, box_features=2, mask_channels=2,
                        min_side=80, max_side=200).prepare([original])
    np.testing.assert_array_equal(image, x[0, :, :80, :120])
    assert truth.size.inner == (80, 120) and truth.size.scale == sizes[0].scale == 2


def test_boxes_have_inclusive_maxima_and_are_scaled(original):
    _, truth = draw(original, instances_of((5, 10, 25, 30)))
    np.testing.assert_array_equal(truth.boxes, [[10, 20, 48, 58]])
    assert truth.labels.tolist() == [0]


def test_a_mirrored_image_has_mirrored_boxes_and_masks(original):
    instances = instances_of((5, 10, 25, 30))
    image, truth = draw(original, instances, flip=ALWAYS)
    mirrored, expected = draw(original[:, ::-1], instances_of((5, 30, 25, 50)))
    np.testing.assert_array_equal(image, mirrored)
    np.testing.assert_array_equal(truth.boxes, expected.boxes)
    region = np.array([[3, 25, 30, 55]], np.float32)
    np.testing.assert_array_equal(*(each.masks.project(np.array([0]), region, 14)
                                    for each in (truth, expected)))


def test_left_and_right_keypoints_are_swapped_in_a_mirrored_image(original):
    points = np.zeros((1, 17, 3), np.float32)
    points[0, PERSON_KEYPOINTS.index('left_eye')] = [7, 12, 2]
    instances = instances_of((5, 10, 25, 30), keypoints=points)
    _, truth = draw(original, instances, flip=ALWAYS)
    assert truth.keypoints[0, PERSON_KEYPOINTS.index('right_eye')].tolist() == [7, 60 - 1 - 12, 2]
    assert (truth.keypoints[0, :, 2] > 0).sum() == 1
    assert [PERSON_MIRROR[PERSON_MIRROR[k]] for k in range(17)] == list(range(17))


def test_images_with_unknown_keypoints_are_not_mirrored(original):
    instances = instances_of((5, 10, 25, 30), keypoints=np.ones((1, 3, 3), np.float32))
    image, truth = draw(original, instances, flip=ALWAYS)
    np.testing.assert_array_equal(image, draw(original, instances, flip=NEVER)[0])
    assert truth.keypoints.tolist() == [[[1, 1, 1]] * 3]


def test_several_shorter_sides_are_sampled_uniformly(original):
    sides = [draw(original, instances_of((5, 10, 25, 30)), min_sides=(40, 60, 80), seed=seed)[1].size.inner[0]
             for seed in range(60)]
    assert set(sides) == {40, 60, 80} and min(map(sides.count, (40, 60, 80))) > 8


def test_crowds_are_kept_separately_from_objects(original):
    _, truth = draw(original, instances_of((5, 10, 25, 30), (0, 0, 40, 60), crowds=[False, True]))
    assert len(truth.boxes) == len(truth.masks) == 1
    np.testing.assert_array_equal(truth.crowds, [[0, 0, 78, 118]])


@pytest.mark.parametrize('box', [(5, 10, 5, 30), (5, 10, 25, 10), (5, 10, 6, 30), (5, 70, 25, 90)],
                         ids=['no height', 'no width', 'one pixel high', 'outside'])
def test_a_box_without_an_area_is_skipped(original, box):
    _, truth = draw(original, instances_of(box, (5, 10, 25, 30)))
    assert truth.labels.tolist() == [1]
    assert draw(original, instances_of(box)) is None


def test_an_image_without_objects_is_skipped(original):
    assert draw(original, Instances.empty(40, 60)) is None


def test_the_seed_determines_the_sample(original):
    instances = instances_of((5, 10, 25, 30))
    (one, truth), (other, same) = (
        draw(original, instances, flip=0.5, min_sides=(40, 80), seed=3) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert truth.seed == same.seed


def test_images_of_different_sizes_are_padded_into_a_batch(original):
    small = draw(original, instances_of((5, 10, 25, 30)), min_sides=(32,))
    large = draw(original, instances_of((5, 10, 25, 30)), min_sides=(40,))
    batch = batch_samples([small, large], MaskRCNN(1, blocks=(1, 1, 1, 1), width=2).device, multiple=32)
    assert batch['x'].shape == (2, 3, 64, 64) and len(batch['truths']) == 2
    assert batch['x'].dtype == np.float32
    np.testing.assert_array_equal(batch['x'][0, :, :32, :48], small[0])
    assert not batch['x'][0, :, 32:].any() and not batch['x'][0, :, :, 48:].any()


SQUARE = [10, 5, 30, 5, 30, 25, 10, 25]


@pytest.fixture
def coco(tmp_path):
    """A COCO file of one original with odd ids and all kinds of segmentations."""
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((40, 60, 3), np.uint8))
    def annotation(number, category, **fields):
        return {'id': number, 'image_id': 7, 'category_id': category, 'bbox': [10, 5, 20, 20],
                'area': 400, **fields}
    content = {
        'images': [{'id': 7, 'file_name': 'a.png', 'height': 40, 'width': 60}],
        'categories': [{'id': 90, 'name': 'b'}, {'id': 3, 'name': 'a'}],
        'annotations': [
            annotation(1, 90, segmentation=[SQUARE]),
            annotation(2, 3),
            annotation(3, 3, segmentation=[[1, 2, 3, 4]]),
            annotation(4, 90, segmentation={'size': [40, 60], 'counts': [0, 2400]}, iscrowd=1)]}
    (tmp_path / 'a.json').write_text(json.dumps(content))
    return PolygonDataset(CocoDataset(tmp_path / 'a.json', tmp_path))


def test_polygons_accompany_their_objects(coco):
    _, instances, polygons = coco[0]
    assert polygons == [[SQUARE], None, None, None]
    assert len(instances) == 4 and coco.ids == [7] and coco.class_names == ('a', 'b')


def test_objects_without_a_segmentation_are_represented_by_their_boxes(coco):
    image, truth = DetectionSamples((40,), 100, flip=NEVER)(coco[0], np.random.default_rng(0))
    # Category ids that are not contiguous became the labels 0 and 1.
    assert truth.labels.tolist() == [1, 0, 0] and len(truth.crowds) == 1
    region = np.array([[0, 0, 39, 59]], np.float32)
    drawn, *others = (truth.masks.project(np.array([number]), region, 40)[0] for number in range(3))
    for other in others:
        assert (other != drawn).mean() < 0.05
