"""Detectron2's rules of boxes, which are kept with inclusive maxima as Detectron's are."""

import chainer
import numpy as np
import pytest

from chainer_seg.errors import TrainingError
from chainer_seg.instances import Instances
from chainer_seg.models.mask_rcnn import DetectionSamples, MaskRCNN, MaskRCNNTrainChain, batch_samples
from chainer_seg.models.mask_rcnn.anchors import exact_anchors
from chainer_seg.models.mask_rcnn.deltas import clip_boxes
from chainer_seg.models.mask_rcnn.mask_pasting import paste_masks
from chainer_seg.models.mask_rcnn.preparation import shown_image

SMALL = {'classes': 2, 'blocks': (1, 1, 1, 1), 'width': 4, 'fpn_channels': 8, 'box_features': 8,
         'mask_channels': 8, 'min_side': 64, 'max_side': 96, 'anchor_sizes': (8, 16, 32, 64, 128)}
TO_HALF_OPEN = np.array([0, 0, 1, 1], np.float32)


def test_anchors_are_not_rounded_and_lie_about_the_corner_of_their_position():
    # Of detectron2's DefaultAnchorGenerator(sizes=[32, 64], aspect_ratios=[0.5, 1, 2]), x and y exchanged.
    expected = [[-11.3137, -22.6274, 11.3137, 22.6274], [-16, -16, 16, 16],
                [-22.6274, -11.3137, 22.6274, 11.3137], [-22.6274, -45.2548, 22.6274, 45.2548],
                [-32, -32, 32, 32], [-45.2548, -22.6274, 45.2548, 22.6274]]
    np.testing.assert_allclose(exact_anchors([32, 64], [0.5, 1, 2]) + TO_HALF_OPEN, expected, atol=1e-4)


def test_nothing_is_left_of_a_box_beyond_the_image():
    boxes = np.array([[5, 5, 9, 9], [-3, -4, 40, 50], [30, 3, 35, 9], [4, -9, 6, -5]], np.float32)
    clipped = clip_boxes(boxes, (20, 30), half_open=True) + TO_HALF_OPEN
    np.testing.assert_array_equal(clipped, [[5, 5, 10, 10], [0, 0, 20, 30], [20, 3, 20, 10], [4, 0, 7, 0]])


@pytest.mark.parametrize('size, expected', [
    ((97, 131), (64, 86)), ((50, 200), (24, 96)), ((1, 300), (1, 96))])
def test_an_image_has_whole_pixels_and_a_scale_for_each_side(size, expected):
    image = np.full((*size, 3), (10, 20, 30), np.uint8)
    x, found = shown_image(image, 64, 96, half_open=True)
    assert x.shape[1:] == found.inner == expected and found.original == size
    np.testing.assert_allclose(x[:, 0, 0], [30 - 103.53, 20 - 116.28, 10 - 123.675], atol=1e-4)
    whole = np.array([[0, 0, size[0] - 1, size[1] - 1]], np.float32)
    there = found.to_input(whole)
    np.testing.assert_allclose(there + TO_HALF_OPEN, [[0, 0, *expected]], rtol=1e-6)
    np.testing.assert_allclose(found.to_image(there), whole, rtol=1e-5)


def test_a_mask_is_pasted_into_its_box_without_rounding():
    boxes = np.array([[2.25, 3.4, 7.75, 9.6], [2.75, 3.6, 7.25, 9.4]], np.float32) - TO_HALF_OPEN
    masks = np.ones((2, 28, 28), np.float32)
    found = paste_masks(masks, boxes, (12, 14), half_open=True).to_masks()
    expected = np.zeros((2, 12, 14), bool)
    expected[0, 2:8, 3:10] = expected[1, 3:7, 4:9] = True  # the pixels whose centres are in the box
    np.testing.assert_array_equal(found, expected)


def test_a_model_is_trained_in_its_geometry():
    image = np.random.default_rng(0).integers(0, 256, (70, 95, 3), np.uint8)
    masks = np.zeros((2, 70, 95), bool)
    masks[0, 10:40, 5:50] = masks[1, 30:65, 40:90] = True
    boxes = np.array([[10, 5, 40, 50], [30, 40, 65, 90]], np.float32)
    samples = DetectionSamples((64,), 96, flip=0, half_open=True)
    points = np.array([[[12, 9, 2], [39, 49, 1]], [[30, 40, 2], [64, 89, 2]]], np.float32)
    example = image, Instances(masks, boxes, labels=[0, 1], keypoints=points), [None, None]
    x, truth = samples(example, np.random.default_rng(0))
    assert x.shape[1:] == truth.size.inner == (64, 87)
    np.testing.assert_allclose(truth.boxes + TO_HALF_OPEN, boxes * np.tile(truth.size.scales, 2), rtol=1e-5)
    model = MaskRCNN(**SMALL, geometry='detectron2', sampling_ratio=0, keypoints=2, keypoint_channels=4)
    chain = MaskRCNNTrainChain(model)
    optimizer = chainer.optimizers.MomentumSGD(0.0005).setup(chain)
    batch = batch_samples([(x, truth)], chainer.get_device('@numpy'), model.size_multiple)
    losses = []
    for _ in range(8):
        optimizer.update(chain, **batch)
        losses.append(float(chain(**batch).array))
    assert np.isfinite(losses).all() and min(losses[4:]) < losses[0]
    other = DetectionSamples((64,), 96, flip=0)(example, np.random.default_rng(0))
    with pytest.raises(TrainingError, match='other rules of boxes'):
        chain(**batch_samples([other], chainer.get_device('@numpy'), model.size_multiple))
