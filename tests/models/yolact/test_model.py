import chainer
import numpy as np
import pytest

from chainer_seg.errors import UserError
from chainer_seg.functions import resize_bilinear
from chainer_seg.links import ResNet
from chainer_seg.model_file import copy_matching, load_model, save_model
from chainer_seg.models.yolact import Backbone, Yolact, register_backbone
from chainer_seg.models.yolact.backbones import BACKBONES

SMALL = {'width': 4, 'blocks': (1, 1, 1, 1), 'fpn_channels': 8, 'prototypes': 5, 'classes': 3,
         'image_size': 96, 'anchor_scales': ((8,), (16,), (32,), (64,), (96,))}
EVERYTHING = {'anchor_threshold': 0, 'score_threshold': 0}


@pytest.fixture(scope='module')
def model():
    return calm(Yolact(**SMALL))


@pytest.fixture(scope='module')
def rescored_model():
    return calm(Yolact(rescoring=(2, 3), **SMALL))


def calm(model):
    """The model with running statistics of noise, without which its values grow from block to block."""
    x = np.random.default_rng(1).normal(size=(4, 3, 96, 96)).astype(np.float32)
    with chainer.using_config('train', True), chainer.no_backprop_mode():
        for _ in range(5):
            model.forward(x)
    return model


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (50, 70, 3), np.uint8)


def assert_same(found, expected):
    for name in ('masks', 'bboxes', 'labels', 'scores'):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name))


def test_outputs_are_codes_logits_coefficients_and_prototypes(model):
    codes, logits, coefficients, prototypes = model.forward(np.zeros((2, 3, 96, 96), np.float32))
    assert codes.shape == (2, 3 * (144 + 36 + 9 + 4 + 1), 4)
    assert logits.shape == codes.shape[:2] + (4,)
    assert coefficients.shape == codes.shape[:2] + (5,)
    assert prototypes.shape == (2, 24, 24, 5)


def test_coefficients_are_within_1_and_prototypes_not_negative(model, rng):
    _, _, coefficients, prototypes = model.forward(rng.normal(size=(1, 3, 96, 96)).astype('f'))
    assert np.abs(coefficients.array).max() <= 1 and coefficients.array.min() < 0
    assert prototypes.array.min() >= 0 and prototypes.array.max() > 0


def test_training_outputs_include_the_semantic_logits(model, rng):
    x = rng.normal(size=(1, 3, 96, 96)).astype(np.float32)
    with chainer.using_config('train', False):
        *outputs, semantic = model.forward_train(x)
        for found, expected in zip(outputs, model.forward(x)):
            np.testing.assert_array_equal(found.array, expected.array)
    assert semantic.shape == (1, 3, 12, 12)


def test_prototypes_have_the_requested_scale():
    model = Yolact(**{**SMALL, 'prototype_scale': 4})
    assert model.forward(np.zeros((1, 3, 96, 96), np.float32))[3].shape == (1, 48, 48, 5)


def test_anchors_of_three_scales_are_predicted():
    scales = tuple((side, side * 1.26, side * 1.59) for side in (8, 16, 32, 64, 96))
    model = Yolact(**{**SMALL, 'anchor_scales': scales})
    assert model.forward(np.zeros((1, 3, 96, 96), np.float32))[0].shape == (1, 9 * 194, 4)
    assert model.anchors().shape == (9 * 194, 4)


def test_an_image_is_resized_to_a_square_and_normalised(model, image):
    x, sizes = model.prepare([image])
    resized = resize_bilinear(image.transpose(2, 0, 1)[None].astype('f'), (96, 96), False).array
    mean, std = np.array([123.68, 116.78, 103.94]), np.array([58.40, 57.12, 57.38])
    np.testing.assert_allclose(x, (resized - mean[:, None, None]) / std[:, None, None], atol=1e-4)
    assert x.dtype == np.float32 and sizes == [(50, 70)]


def test_instances_have_the_image_size_and_descending_scores(model, image):
    model.class_names = ('disc', 'box', 'star')
    found = model.detect(image, **EVERYTHING)
    assert 0 < len(found) <= 100 and found.image_size == (50, 70)
    assert (np.diff(found.scores) <= 0).all() and found.scores[0] <= 1
    assert found.labels.min() >= 0 and found.labels.max() <= 2
    assert found.class_names == model.class_names


def test_masks_are_within_their_boxes_up_to_a_prototype_pixel(model, image):
    found = model.detect(image, **EVERYTHING)
    slack = 2 * np.array([50, 70]) / 24 + 1
    for mask, box in zip(found.masks, found.bboxes):
        places = np.argwhere(mask)
        assert (places >= box[:2] - slack).all() and (places <= box[2:] + slack).all()


def test_a_batch_gives_the_same_detections_as_its_images_alone(model, rng):
    images = [rng.integers(0, 256, size + (3,), np.uint8) for size in ((50, 70), (30, 20), (96, 96))]
    batch = model.detect_batch(images, **EVERYTHING)
    for found, image in zip(batch, images):
        alone = model.detect(image, **EVERYTHING)
        np.testing.assert_allclose(found.scores, alone.scores, rtol=1e-4)
        assert found.image_size == image.shape[:2]
    assert model.detect_batch([]) == []


def test_options_apply_to_one_call(model, image):
    assert len(model.detect(image, **EVERYTHING, max_detections=3)) == 3
    limit = 0.9 * model.detect(image, **EVERYTHING).scores[0]
    assert (model.detect(image, anchor_threshold=0, score_threshold=limit).scores > limit).all()
    assert model.max_detections == 100 and model.score_threshold == 0.05


@pytest.mark.parametrize('suppression', ['fast', 'cross_class', 'traditional'])
def test_without_detections_instances_are_empty_and_have_the_image_size(model, image, suppression):
    found = model.detect(image, suppression=suppression, anchor_threshold=1)
    assert len(found) == 0 and found.masks.shape == (0, 50, 70)


def test_rescoring_without_detections_gives_no_instances(rescored_model, image):
    assert len(rescored_model.detect(image, anchor_threshold=1)) == 0


@pytest.mark.parametrize('size', [(1, 1), (1, 300), (2, 3)])
def test_very_small_and_thin_images_are_accepted(model, rng, size):
    found = model.detect(rng.integers(0, 256, size + (3,), np.uint8), **EVERYTHING)
    assert found.masks.shape == (len(found), *size)


@pytest.mark.parametrize('option, value, words', [
    ('suppression', 'slow', "'slow'.*fast, cross_class, traditional"),
    ('top_k', 0, 'top_k must be at least 1, got 0'),
    ('anchor_threshold', 1.5, 'anchor_threshold must be between 0 and 1, got 1.5')])
def test_an_invalid_option_is_an_error(model, image, option, value, words):
    with pytest.raises(UserError, match=words):
        model.detect(image, **{option: value})


def test_mask_scores_multiply_box_scores(rescored_model, image):
    """The net predicts 1 / (1 + label) for every mask."""
    last = rescored_model.rescoring.layers[-1]
    last.W.array[...] = 0
    last.b.array[...] = 1 / (1 + np.arange(3))
    plain = rescored_model.detect(image, rescore=False, **EVERYTHING)
    found = rescored_model.detect(image, **EVERYTHING)
    products = plain.scores / (1 + plain.labels)
    order = np.argsort(-products, kind='stable')
    np.testing.assert_allclose(found.scores, products[order], rtol=1e-6)
    np.testing.assert_array_equal(found.labels, plain.labels[order])
    np.testing.assert_array_equal(found.masks, plain.masks[order])


def test_half_precision_gives_nearly_the_same_outputs(rescored_model, image):
    with chainer.using_config('dtype', chainer.mixed16):
        half = Yolact(rescoring=(2, 3), **SMALL)
    copy_matching(rescored_model, half)
    assert half.backbone.stem.conv.W.dtype == np.float16
    with chainer.using_config('train', False):
        x, _ = half.prepare([image])
        for found, expected in zip(half.forward_train(x), rescored_model.forward_train(x)):
            assert found.dtype == np.float32
            limit = 0.02 * np.abs(expected.array).max()
            np.testing.assert_allclose(found.array, expected.array, atol=limit)
    assert half.detect(image, **EVERYTHING).scores.dtype == np.float32


def test_predict_follows_chainercvs_interface(model, image):
    masks, labels, scores = model.predict([image.transpose(2, 0, 1).astype(np.float32)])
    found = model.detect(image)
    np.testing.assert_array_equal(masks[0], found.masks)
    np.testing.assert_array_equal(labels[0], found.labels)
    np.testing.assert_array_equal(scores[0], found.scores)


def test_a_saved_model_is_loaded_unchanged(rescored_model, image, tmp_path):
    save_model(tmp_path / 'model.npz', rescored_model)
    loaded = load_model(tmp_path / 'model.npz')
    assert_same(loaded.detect(image, **EVERYTHING), rescored_model.detect(image, **EVERYTHING))


def test_the_seed_determines_the_weights():
    first, second, other = (Yolact(**SMALL, seed=seed) for seed in (3, 3, 4))
    weights = [dict(net.namedparams()) for net in (first, second, other)]
    assert all((weights[0][name].array == weights[1][name].array).all() for name in weights[0])
    assert not (weights[0]['/head/codes/W'].array == weights[2]['/head/codes/W'].array).all()


def test_any_link_with_three_maps_can_be_the_backbone(monkeypatch, image):
    def build(width, seed):
        return ResNet((1, 1, 1, 1), width, seed=seed)
    monkeypatch.setattr('chainer_seg.models.yolact.backbones.BACKBONES', dict(BACKBONES))
    register_backbone('mine', Backbone(build, width=3, mean=(0, 0, 0), std=(255, 255, 255)))
    model = Yolact('mine', fpn_channels=4, prototypes=2, classes=2, image_size=64)
    assert model.backbone.out_channels[-1] == 96
    assert model.prepare([image])[0].max() <= 1
    assert model.detect(image).image_size == (50, 70)


@pytest.mark.gpu
@pytest.mark.parametrize('suppression', ['fast', 'cross_class', 'traditional'])
def test_a_gpu_gives_the_same_detections(image, suppression):
    pytest.importorskip('cupy')
    model = calm(Yolact(rescoring=(2, 3), **SMALL))
    options = {**EVERYTHING, 'suppression': suppression, 'max_detections': 10}
    expected = model.detect(image, **options)
    model.to_device('@cupy:0')
    found = model.detect(image, **options)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-3)
    np.testing.assert_allclose(found.bboxes, expected.bboxes, atol=1)
    assert (found.masks != expected.masks).mean() < 1e-3


def test_invalid_settings_are_errors():
    with pytest.raises(ValueError, match='unknown backbone .vgg.*resnet50'):
        Yolact('vgg')
    with pytest.raises(ValueError, match='prototypes of 24 pixels.*needs at least 31'):
        Yolact(**SMALL, rescoring=(2, 2, 2, 2))
    with pytest.raises(ValueError, match='anchor_scales'):
        Yolact(anchor_scales=((24,), (48,)))
    with pytest.raises(ValueError, match='anchor_scales'):
        Yolact(anchor_scales=((24,), (48,), (96, 100), (192,), (384,)))
