"""Starting from other weights: other classes, other networks, other orders of channels."""

import chainer
import numpy as np
import pytest

from chainer_seg.errors import TrainingError
from chainer_seg.models.classifier import ResNetClassifier
from chainer_seg.models.yolact import Yolact, YolactBackbone
from chainer_seg.models.yolact.backbones import RESNET_MEAN
from chainer_seg.models.yolact.pretrained import start_backbone, start_from
from tests.models.yolact.toys import SMALL


def make(*names, seed=0, **options):
    model = Yolact(**{**SMALL, **options, 'classes': len(names)}, seed=seed)
    model.class_names = names
    return model


def class_outputs(model, x):
    """Logits by anchor and class, and the semantic map of each class."""
    _, logits, _, _, semantic = model.forward_train(x)
    return logits.array, semantic.array


def test_classes_are_matched_by_name(rng):
    source, model = make('cat', 'dog', 'cow', seed=1), make('cow', 'bird', 'cat')
    assert start_from(source, model) == ['cow', 'cat']
    x = rng.normal(size=(1, 3, 64, 64)).astype(np.float32)
    (given, given_maps), (found, found_maps) = (class_outputs(chain, x) for chain in (source, model))
    np.testing.assert_allclose(found[..., [0, 1, 3]], given[..., [0, 3, 1]], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found_maps[:, [0, 2]], given_maps[:, [2, 0]], rtol=1e-4, atol=1e-5)
    assert not np.allclose(found[..., 2], given[..., 2])


def test_unmatched_classes_are_initialised():
    source, model = make('a', 'b', seed=1), make('c', 'd')
    fresh = model.semantic.W.array.copy()
    assert start_from(source, model) == []
    np.testing.assert_array_equal(model.semantic.W.array, fresh)
    np.testing.assert_array_equal(model.head.codes.W.array, source.head.codes.W.array)


def test_parameters_without_class_rows_are_always_copied(rng):
    source, model = make('a', seed=1), make('b', 'c', 'd')
    start_from(source, model)
    x = rng.normal(size=(1, 3, 64, 64)).astype(np.float32)
    for given, found in zip(source.forward(x)[::2], model.forward(x)[::2]):
        np.testing.assert_allclose(found.array, given.array, rtol=1e-5)


def test_the_classes_of_mask_rescoring_are_matched_too():
    source = make('a', 'b', rescoring=(2, 3), seed=1)
    model = make('b', 'c', rescoring=(2, 3))
    start_from(source, model)
    np.testing.assert_array_equal(model.rescoring.layers[-1].W.array[0],
                                  source.rescoring.layers[-1].W.array[1])


def test_with_another_number_of_anchors_the_rest_is_copied():
    source = make('a', seed=1, anchor_ratios=(1,))
    model = make('a')
    fresh = model.head.logits.W.array.copy()
    start_from(source, model)
    np.testing.assert_array_equal(model.head.logits.W.array, fresh)
    np.testing.assert_array_equal(model.head.shared.W.array, source.head.shared.W.array)


def test_a_source_that_does_not_fit_is_an_error():
    with pytest.raises(TrainingError, match='No parameter of the YOLACT to start from has the shape'):
        start_from(make('a', width=3, fpn_channels=5, prototypes=3, blocks=(2, 1, 1, 1)),
                   make('b', blocks=(1, 1, 1, 1)))


def test_the_backbone_starts_from_a_classifier(rng):
    classifier = ResNetClassifier(5, SMALL['blocks'], SMALL['width'], stride_on='3x3', seed=7)
    model = make('a')
    start_backbone(classifier, model)
    x = rng.normal(size=(2, 3, 64, 64)).astype(np.float32)
    for given, found in zip(classifier.resnet(x), model.backbone(x)):
        np.testing.assert_array_equal(found.array, given.array)


def test_a_classifier_with_caffe_channels_gives_the_same_features(rng):
    classifier = ResNetClassifier(5, SMALL['blocks'], SMALL['width'], stride_on='3x3', seed=7)
    model = make('a')
    start_backbone(classifier, model, 'bgr')
    pixels = rng.uniform(0, 255, (2, 64, 64, 3)).astype(np.float32)
    bgr = (pixels - np.float32(RESNET_MEAN))[..., ::-1]
    inputs = [np.ascontiguousarray(x.transpose(0, 3, 1, 2)) for x in (bgr, model.normalise(pixels))]
    for given, found in zip(classifier.resnet(inputs[0]), model.backbone(inputs[1])):
        np.testing.assert_allclose(found.array, given.array, rtol=1e-3, atol=1e-3 * given.array.std())


def test_a_backbone_of_other_sizes_is_an_error():
    with pytest.raises(TrainingError, match='choose one of the same width and blocks'):
        start_backbone(ResNetClassifier(5, (1, 1, 1, 1), 5), make('a'))


def test_a_model_without_a_resnet_is_an_error():
    with pytest.raises(TrainingError, match='The Chain has no ResNet to start from, but the backbone'):
        start_backbone(chainer.Chain(), make('a'))


OTHERS = {'darknet53': {'width': 2, 'blocks': (1, 1, 1, 1, 1)}, 'mobilenetv2': {'width': 0.1},
          'efficientnet-b0': {'width': 0.1}}


def of_backbone(name):
    return make('a', **{'blocks': None, 'backbone': name, **OTHERS[name]})


@pytest.mark.parametrize('name', OTHERS)
def test_other_backbones_start_from_the_same_network(rng, name):
    source, model = YolactBackbone(name, seed=7, **OTHERS[name]), of_backbone(name)
    x = rng.normal(size=(2, 3, 64, 64)).astype(np.float32)
    with chainer.using_config('train', True):
        source(x)  # Changes the statistics of its normalisation.
    start_backbone(source, model)
    with chainer.using_config('train', False):
        for given, found in zip(source(x), model.backbone(x)):
            np.testing.assert_array_equal(found.array, given.array)


def test_another_backbone_or_one_of_other_sizes_is_an_error():
    source = YolactBackbone('darknet53', width=4, blocks=(1, 1, 1, 1, 1))
    with pytest.raises(TrainingError, match='The YolactBackbone has no MobileNetV2 to start from'):
        start_backbone(source, of_backbone('mobilenetv2'))
    with pytest.raises(TrainingError, match=r'has \(.*\) for /.*, but \(.*\) is needed'):
        start_backbone(source, of_backbone('darknet53'))
    with pytest.raises(TrainingError, match="channels='bgr' is for ResNets, but the backbone is a DarkNet"):
        start_backbone(source, of_backbone('darknet53'), 'bgr')


def test_deformable_convolutions_start_with_zero_offsets():
    classifier = ResNetClassifier(5, SMALL['blocks'], SMALL['width'], stride_on='3x3', seed=7)
    model = make('a', deformable=(0, 1, 1, 1))
    start_backbone(classifier, model)
    conv = model.backbone.res3[0].middle.conv
    np.testing.assert_array_equal(conv.W.array, classifier.resnet.res3[0].middle.conv.W.array)
    assert not conv.offset.W.array.any() and not conv.b.array.any()
