"""The engines: the numbers of Chainer, for every model, and for weights that change."""

import copy
import importlib.util
import logging
import pickle

import numpy as np
import pytest

from chainer_seg import engines
from chainer_seg.engines import onnx_runtime
from chainer_seg.errors import ModelError, UserError
from chainer_seg.models.base import Model
from chainer_seg.models.deeplab import Click, ClickSegmenter, DeepLab
from chainer_seg.models.deepmask import DeepMask, SharpMask
from chainer_seg.models.inference import arrays_of, inference
from chainer_seg.models.mask_rcnn import MaskRCNN
from chainer_seg.models.ritm import RitmDeepLab, RitmHRNet
from chainer_seg.models.yolact import Yolact

import chainer  # isort: skip

pytest.importorskip('onnxruntime')

SMALL = {'blocks': (1, 1, 1, 1), 'width': 4}
FPN = {**SMALL, 'classes': 3, 'fpn_channels': 8, 'box_features': 8, 'mask_channels': 8, 'min_side': 64,
       'max_side': 96, 'anchor_sizes': (8, 16, 32, 64, 128)}

MODELS = {
    'DeepLab': lambda: DeepLab(4, **SMALL),
    'DeepLab, frozen, same padding': lambda: DeepLab(4, **SMALL, norm='affine', padding='same'),
    'click': lambda: ClickSegmenter(**SMALL, decoder=8, mask_input=True, longest_side=64, zoom_side=48),
    'RITM HRNet': lambda: RitmHRNet(width=4, blocks=1, modules=(1, 1, 1), stem_width=8, ocr_width=4,
                                    zoom_side=64),
    'RITM DeepLab': lambda: RitmDeepLab(blocks=(1, 1, 1, 1), width=4, channels=8, zoom_side=64),
    'DeepMask': lambda: DeepMask(patch_size=32, mask_size=14, blocks=(1, 1, 1), width=4, bottleneck=4,
                                 features=8, hidden=8),
    'SharpMask': lambda: SharpMask(patch_size=32, mask_size=14, blocks=(1, 1, 1), width=4, bottleneck=4,
                                   features=8, hidden=8, mask_channels=16, skip_channels=8),
    'Mask R-CNN, FPN, keypoints': lambda: MaskRCNN(**FPN, keypoints=2, keypoint_channels=4),
    'Mask R-CNN, C4': lambda: MaskRCNN(**{**FPN, 'anchor_sizes': (16, 32), 'neck': 'c4', 'proposals': 20}),
    'Mask R-CNN, group normalisation, groups': lambda: MaskRCNN(
        **FPN, norm='group', norm_groups=4, groups=2, group_heads=True, box_convolutions=1, box_channels=8),
    'YOLACT, ResNet': lambda: Yolact(classes=3, image_size=96, **SMALL, fpn_channels=8, prototypes=4),
    'YOLACT, DarkNet': lambda: Yolact('darknet53', 3, 96, 4, (1, 1, 1, 1, 1), fpn_channels=8, prototypes=4),
    'YOLACT, MobileNetV2': lambda: Yolact('mobilenetv2', 3, 96, 1, fpn_channels=8, prototypes=4),
    'YOLACT, EfficientNet': lambda: Yolact('efficientnet-b0', 3, 96, 1, fpn_channels=8, prototypes=4),
}


def result(model: Model, image: np.ndarray) -> list[np.ndarray]:
    """What a user gets of a model for an image, as arrays."""
    if hasattr(model, 'probabilities'):
        return [model.probabilities(image)]
    if hasattr(model, 'detect'):
        found = model.detect(image, score_threshold=0, max_detections=5)
    elif hasattr(model, 'propose'):
        found = model.propose(image, n=5, scales=(0.5, 1, 1.3))
    else:
        session = model.session(image)
        session.add(Click(20, 30))
        session.add(Click(40, 70, positive=False))
        return [session.probability]
    return [found.masks, found.bboxes, found.scores]


def image_of(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), np.uint8)


def assert_close(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        largest = max(1, np.abs(other, dtype=float).max())
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4 * largest)


@pytest.mark.parametrize('name', MODELS)
def test_results_are_those_of_chainer_for_images_of_several_sizes(name, caplog):
    caplog.set_level(logging.INFO)
    model = MODELS[name]()
    images = [image_of(80, 112), image_of(97, 75), image_of(64, 90), image_of(80, 112)]
    expected = [result(model, image) for image in images]
    engines.compile(model, 'onnxruntime')
    for image, wanted in zip(images, expected):
        assert_close(result(model, image), wanted)
    assert model.engine.session_count > 0
    assert not caplog.records  # Chainer computed no network.


def test_a_network_without_fixed_sizes_has_one_session_for_all_images():
    model = engines.compile(MODELS['click'](), 'onnxruntime')
    for size in ((64, 64), (64, 49), (33, 64), (51, 57)):
        model.segment(image_of(*size), Click(20, 30))
    assert model.engine.session_count == 1


def test_no_more_than_the_permitted_sessions_are_kept(monkeypatch):
    monkeypatch.setattr(onnx_runtime, 'SESSIONS', 2)
    model = MODELS['DeepLab, frozen, same padding']()
    inputs = [np.random.default_rng(side).normal(size=(1, 3, side, side)).astype(np.float32)
              for side in (32, 33, 34, 35, 32)]
    with inference():
        expected = [model.forward(x).array for x in inputs]
        engines.compile(model, 'onnxruntime')
        assert_close([model.forward(x).array for x in inputs], expected)
    assert model.engine.session_count == 2


def test_exchanged_channels_and_copies_in_one_inference_are_noticed():
    model = MODELS['DeepLab']()
    x = np.random.default_rng(0).normal(size=(1, 3, 32, 32)).astype(np.float32)
    engines.compile(model, 'onnxruntime')
    with inference():
        first = model.forward(x).array
        other = model.copy('copy')  # has the same engine
        weights = other.pyramid.branch0.W.array
        weights[[0, 1]] = weights[[1, 0]]
        second = other.forward(x).array
        other.engine = None
        assert_close([second], [other.forward(x).array])
    assert np.abs(second - first).max() > 1e-3


@pytest.mark.parametrize('change', ['parameter', 'statistics', 'frozen'])
def test_changed_weights_are_noticed(change):
    model = MODELS['DeepLab, frozen, same padding' if change == 'frozen' else 'DeepLab']()
    image = image_of(64, 80)
    engines.compile(model, 'onnxruntime')
    before = model.probabilities(image)
    stem = model.resnet.stem
    array = {'parameter': lambda: stem.conv.W.array, 'statistics': lambda: stem.norm.avg_mean,
             'frozen': lambda: stem.norm.shift}[change]()
    array[..., 0] += 0.1
    after = model.probabilities(image)
    assert np.abs(after - before).max() > 1e-4
    model.engine = None
    assert_close([after], [model.probabilities(image)])


def test_weights_that_are_not_finite_are_refused_as_before():
    model = engines.compile(MODELS['DeepLab'](), 'onnxruntime')
    model.resnet.stem.conv.W.array[1, 0, 0, 0] = np.nan
    with pytest.raises(ModelError, match='resnet/stem/conv/W'):
        model.probabilities(image_of(64, 64))


def test_training_and_gradients_are_chainers(monkeypatch):
    model = engines.compile(MODELS['DeepLab'](), 'onnxruntime')
    x = np.zeros((1, 3, 32, 32), np.float32)
    with chainer.using_config('train', False):
        loss = chainer.functions.sum(model.forward(x))
    loss.backward()
    assert model.pyramid.branch0.b.grad is not None
    with inference(), chainer.using_config('train', True):
        model.forward(x)
    assert model.engine.session_count == 0


def test_a_network_that_onnx_lacks_stays_with_chainer(caplog):
    caplog.set_level(logging.INFO)
    model = Yolact(classes=3, image_size=96, **SMALL, deformable=(0, 1, 0, 0), fpn_channels=8, prototypes=4)
    image = image_of(50, 60)
    expected = result(model, image)
    engines.compile(model, 'onnxruntime')
    for _ in range(2):
        assert_close(result(model, image), expected)
    assert len(caplog.messages) == 1
    assert 'Chainer computes Yolact.forward' in caplog.messages[0]


@pytest.mark.parametrize('duplicate', [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model)),
                                       lambda model: model.copy('copy')])
def test_copies_of_a_model_have_engines_for_their_own_weights(duplicate):
    model = engines.compile(MODELS['DeepLab'](), 'onnxruntime')
    image = image_of(64, 64)
    expected = model.probabilities(image)
    other = duplicate(model)
    assert_close([other.probabilities(image)], [expected])
    other.pyramid.branch0.W.array[0] += 1
    assert np.abs(other.probabilities(image) - expected).max() > 1e-3
    assert_close([model.probabilities(image)], [expected])


def test_the_engine_is_chosen_by_what_is_installed(monkeypatch):
    model = MODELS['DeepLab']()
    assert engines.compile(model).engine is not None
    assert engines.compile(model, 'chainer').engine is None
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    assert engines.compile(model).engine is None
    with pytest.raises(UserError, match='needs the package onnx and onnxruntime: pip install'):
        engines.compile(model, 'onnxruntime')
    with pytest.raises(UserError, match='no engine .tensorrt.; choose from auto, chainer, onnxruntime'):
        engines.compile(model, 'tensorrt')


def test_outputs_keep_their_nesting():
    model = MODELS['Mask R-CNN, FPN, keypoints']()
    x = np.zeros((2, 3, 64, 96), np.float32)
    with inference():
        expected = model.forward(x)
        engines.compile(model, 'onnxruntime')
        found = model.forward(x)
    assert [len(part) for part in found] == [len(part) for part in expected]
    assert_close(list(arrays_of(found)), list(arrays_of(expected)))
