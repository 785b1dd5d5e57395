"""Mask R-CNN as a whole: images of all kinds in, Instances out, at any size of network."""

import numpy as np
import pytest

from chainer_seg.compat.blank import blank_parameters
from chainer_seg.errors import ImageError, UserError
from chainer_seg.model_file import load_model, save_model
from chainer_seg.models.mask_rcnn import MaskRCNN

SMALL = {'classes': 3, 'blocks': (1, 1, 1, 1), 'width': 4, 'fpn_channels': 8, 'box_features': 16,
         'mask_channels': 8, 'keypoint_channels': 8, 'anchor_sizes': (8, 16, 32, 64, 128),
         'min_side': 64, 'max_side': 96, 'proposals': 30, 'score_threshold': 0.2}
VARIANTS = {
    'fpn': {}, 'c4': {'neck': 'c4', 'anchor_sizes': (16, 32)}, 'batch': {'norm': 'batch'},
    'boxes': {'with_masks': False}, 'pooled': {'pooling': 'pool'}, 'wide stem': {'stem_width': 6},
    'keypoints': {'classes': 1, 'keypoints': 5},
    'keypoints alone': {'keypoints': 5, 'with_masks': False},
    'three stages': {'blocks': (1, 2, 1), 'anchor_sizes': (8, 16, 32, 64), 'stride_on': '3x3'}}


def model_of(name='fpn', **changes):
    return MaskRCNN(**{**SMALL, **VARIANTS[name], **changes})


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (50, 70, 3)).astype(np.uint8)


@pytest.mark.parametrize('name', VARIANTS)
def test_every_variant_detects_instances_of_the_image_size(name, image):
    found = model_of(name).detect(image)
    assert len(found) > 0 and found.masks.shape[1:] == (50, 70)
    assert (found.bboxes >= 0).all() and (found.bboxes <= [50, 70, 50, 70]).all()
    assert (found.scores > 0.2).all() and found.labels.max() < 3
    assert found.keypoints is None or found.keypoints.shape == (len(found), 5, 3)


@pytest.mark.parametrize('name', VARIANTS)
def test_a_saved_model_detects_the_same(name, image, tmp_path):
    model = model_of(name, seed=3)
    model.class_names = ('a', 'b', 'c')
    save_model(tmp_path / 'model.npz', model)
    loaded = load_model(tmp_path / 'model.npz')
    found, expected = loaded.detect(image), model.detect(image)
    np.testing.assert_array_equal(found.masks, expected.masks)
    np.testing.assert_array_equal(found.scores, expected.scores)
    assert found.class_names == ('a', 'b', 'c')


def test_images_of_a_batch_give_the_same_detections_as_alone(image, rng):
    model = model_of()
    other = rng.integers(0, 256, image.shape).astype(np.uint8)
    for found, alone in zip(model.detect_batch([image, other]), map(model.detect, (image, other))):
        np.testing.assert_array_equal(found.labels, alone.labels)
        np.testing.assert_allclose(found.bboxes, alone.bboxes, atol=1e-2)
        np.testing.assert_allclose(found.scores, alone.scores, atol=1e-4)


def test_images_of_a_batch_may_have_any_sizes(image):
    images = [image, image[:20], image[:, :10], image[:1, :1]]
    found = model_of().detect_batch(images)
    assert [instances.image_size for instances in found] == [(50, 70), (20, 70), (50, 10), (1, 1)]
    assert model_of().detect_batch([]) == []


@pytest.mark.parametrize('image_like', [
    np.zeros((40, 30), np.uint8), np.zeros((40, 30, 4), np.uint8), np.zeros((3, 40, 30), np.float32),
    np.zeros((1, 1, 3), np.uint8), np.zeros((1, 3000, 3), np.uint8)])
def test_all_image_types_are_accepted(image_like):
    size = image_like.shape[1:] if image_like.shape[0] == 3 else image_like.shape[:2]
    assert model_of().detect(image_like).image_size == size


def test_anything_but_an_image_is_a_user_error():
    with pytest.raises(ImageError):
        model_of().detect(np.zeros((4, 5, 7), np.uint8))


@pytest.mark.parametrize('name', ['fpn', 'c4', 'keypoints', 'boxes'])
def test_without_detections_there_is_no_error(name, image):
    model = model_of(name)
    found = model.detect(image, score_threshold=1)
    assert len(found) == 0 and found.masks.shape == (0, 50, 70)
    assert (found.keypoints is None) == (name != 'keypoints')


def test_options_of_a_call_replace_those_of_the_model(image):
    model = model_of(max_detections=5)
    assert len(model.detect(image)) == 5
    assert len(model.detect(image, max_detections=2)) == 2
    least = np.sort(model.detect(image, max_detections=50).scores)[-3]
    assert len(model.detect(image, score_threshold=float(least))) == 2
    assert model.max_detections == 5


def test_chainercv_gets_masks_labels_and_scores(image):
    model = model_of()
    masks, labels, scores = model.predict([image.transpose(2, 0, 1).astype(np.float32)])
    found = model.detect(image)
    np.testing.assert_array_equal(masks[0], found.masks)
    np.testing.assert_array_equal(labels[0], found.labels)
    np.testing.assert_array_equal(scores[0], found.scores)


@pytest.mark.parametrize('options', [
    {'score_threshold': 2}, {'nms_threshold': 0}, {'max_detections': 0}])
def test_invalid_options_are_errors(options, image):
    with pytest.raises(UserError):
        model_of().detect(image, **options)


def test_an_unknown_option_is_an_error_that_names_it(image):
    with pytest.raises(TypeError, match='threshold'):
        model_of().detect(image, threshold=0.5)


@pytest.mark.parametrize('wrong, name', [
    ({'neck': 'c5'}, 'neck'), ({'anchor_sizes': (8, 16)}, 'anchor_sizes'),
    ({'pooling': 'mean'}, 'pooling'), ({'neck': 'c4', 'keypoints': 3}, 'keypoints')])
def test_inconsistent_arguments_are_rejected(wrong, name):
    with pytest.raises(ValueError, match=name):
        MaskRCNN(**{**SMALL, **wrong})


def test_the_published_network_has_the_published_number_of_parameters():
    # ResNet-50 without its norms 23,454,912; pyramid 3,344,384; RPN 593,935;
    # box head 13,895,680 + 83,025 + 332,100; mask head 2,360,320 + 262,400 + 20,817.
    with blank_parameters():
        model = MaskRCNN()
    assert model.count_params() == 44_347_573


@pytest.mark.gpu
@pytest.mark.parametrize('name', ['fpn', 'c4', 'keypoints'])
def test_a_gpu_gives_the_same_detections(name, image):
    pytest.importorskip('cupy')
    model = model_of(name)
    expected = model.detect(image)
    model.to_device('@cupy:0')
    found = model.detect(image)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_allclose(found.bboxes, expected.bboxes, atol=0.1)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-3)
    assert np.count_nonzero(found.masks != expected.masks) <= 1e-3 * expected.masks.size
