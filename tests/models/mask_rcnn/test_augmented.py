"""Test-time augmentation: views are united, and masks averaged, as in Detectron."""

import numpy as np
import pytest

from chainer_seg import load_model, save_model
from chainer_seg.models.inference import inference
from chainer_seg.models.mask_rcnn import MaskRCNN
from chainer_seg.models.mask_rcnn.augmented import MAX_SIDE, mirrored_boxes, views_of
from chainer_seg.models.mask_rcnn.decode import best_boxes
from tests.models.mask_rcnn.test_model import SMALL

OPTIONS = {'score_threshold': 0.2, 'nms_threshold': 0.5, 'max_detections': 100}


@pytest.fixture
def model():
    return MaskRCNN(**SMALL)


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (50, 70, 3)).astype(np.uint8)


def test_boxes_are_mirrored_by_pixels():
    boxes = np.array([[[1, 0, 5, 9], [2, 60, 3, 69]]], np.float32)
    np.testing.assert_array_equal(mirrored_boxes(boxes, 70), [[[1, 60, 5, 69], [2, 0, 3, 9]]])
    np.testing.assert_array_equal(mirrored_boxes(mirrored_boxes(boxes, 70), 70), boxes)


def test_views_are_the_usual_size_and_the_scales_each_also_mirrored(model):
    assert list(views_of(model, (), False)) == [(64, 96, False)]
    assert list(views_of(model, (80,), True)) == [
        (64, 96, False), (64, 96, True), (80, MAX_SIDE, False), (80, MAX_SIDE, True)]


def outputs_in(model, image, **sides):
    """Boxes and probabilities, the features and the size, of one view of an image."""
    x, [size] = model.prepare([image], **sides)
    features, objectness, deltas = model.forward(x)
    rois, _ = model.propose(objectness, deltas, [size.inner])
    return *model.classify(features, rois, 0, size), features, size


def test_the_boxes_of_all_views_are_united_and_their_masks_averaged(model, image):
    found = model.detect(image, scales=(80,), flip=True, **OPTIONS)
    with inference():
        views = [outputs_in(model, shown, **sides) for sides in (
            {}, {'min_side': 80, 'max_side': MAX_SIDE}) for shown in (image, image[:, ::-1])]
        boxes = [mirrored_boxes(view[0], 70) if number % 2 else view[0] for number, view in enumerate(views)]
        chosen, labels, scores = best_boxes(
            np.concatenate(boxes), np.concatenate([view[1] for view in views]), **OPTIONS)
        masks = []
        for number, (_, _, features, size) in enumerate(views):
            inside = (mirrored_boxes(chosen, 70) if number % 2 else chosen) * np.float32(size.scale)
            each = model.mask_probabilities(features, inside, 0, labels)
            masks.append(each[:, :, ::-1] if number % 2 else each)
    np.testing.assert_allclose(found.scores, scores, rtol=1e-5)
    np.testing.assert_allclose(found.bboxes - [0, 0, 1, 1], chosen, atol=1e-3)
    from chainer_seg.models.mask_rcnn.mask_pasting import paste_masks
    expected = paste_masks(np.mean(masks, axis=0), chosen, (50, 70)).to_masks()
    assert (found.masks != expected).mean() < 1e-3 and len(found)


def test_without_views_the_result_is_the_usual_one(model, image):
    usual, same = model.detect(image, **OPTIONS), model.detect(image, scales=(), flip=False, **OPTIONS)
    np.testing.assert_array_equal(usual.masks, same.masks)
    np.testing.assert_array_equal(usual.bboxes, same.bboxes)


def test_mirroring_the_image_mirrors_what_is_found_in_both(model, image):
    """The union of an image and its mirror image is that of the mirror image, mirrored."""
    found, other = (model.detect(shown, flip=True, **OPTIONS) for shown in (image, image[:, ::-1].copy()))
    assert len(found) == len(other) > 0
    order, mirrored = np.argsort(-found.scores), np.argsort(-other.scores)
    np.testing.assert_allclose(found.scores[order], other.scores[mirrored], rtol=1e-4)
    boxes = other.bboxes[mirrored][:, [0, 3, 2, 1]] * [1, -1, 1, -1] + [0, 70, 0, 70]
    np.testing.assert_allclose(found.bboxes[order], boxes, atol=1e-2)


def test_a_model_file_keeps_the_settings(image, tmp_path):
    save_model(tmp_path / 'model.npz', MaskRCNN(**SMALL, scales=(80,), flip=True, soft_nms='linear',
                                                vote_threshold=0.9))
    model = load_model(tmp_path / 'model.npz')
    assert (model.scales, model.flip, model.soft_nms, model.vote_threshold) == ((80,), True, 'linear', 0.9)
    explicit = MaskRCNN(**SMALL).detect(image, scales=(80,), flip=True, soft_nms='linear',
                                        vote_threshold=0.9)
    np.testing.assert_allclose(model.detect(image).scores, explicit.scores, rtol=1e-5)


def test_keypoints_come_from_the_usual_view(image):
    model = MaskRCNN(**{**SMALL, 'classes': 1, 'keypoints': 5})
    found = model.detect(image, flip=True, score_threshold=0.1)
    assert found.keypoints.shape == (len(found), 5, 3)
