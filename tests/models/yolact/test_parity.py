"""Converted files of the original YOLACT against its outputs: every stage, every detection, every mask.

``pytest -s`` prints the table of all differences.
"""

import functools

import numpy as np
import pytest

from chainer_seg.models.yolact.detection import find_detections
from tests.models.yolact import reference
from tests.models.yolact.reference import MODELS

converters = pytest.importorskip('converters')

# Of the largest value of an array.
TOLERANCE = 5e-5

SUPPRESSIONS = {'det': 'fast', 'detcc': 'cross_class', 'dettrad': 'traditional'}
SCORE_THRESHOLD = 0.15  # Of the recorded images.

pytestmark = pytest.mark.usefixtures('shared_data', 'evaluating')


@functools.cache
def computed(name):
    """A converted model and its stages for the image."""
    model = converters.convert(reference.path_of(name), reference.config_of(name))
    return model, reference.stages(model)


def assert_stages(name, stages, recorded):
    found = {key: reference.difference(key, value, recorded) for key, value in stages.items()}
    for key, value in found.items():
        print(f'{name:30} {key:12} {value:.1e}')
    assert {key: value for key, value in found.items() if not value < TOLERANCE} == {}


def assert_detections(model, stages, recorded, prefix):
    """All detections; those of one class are told apart by their scores."""
    outputs = [stages[key] for key in ('loc', 'conf_logits', 'mask')]
    found = find_detections(*outputs, model.anchors(), model.image_size,
                            suppression=SUPPRESSIONS[prefix])
    scores, labels = recorded[f'{prefix}_score'], recorded[f'{prefix}_class']
    assert len(found) == len(scores)
    ours, theirs = np.lexsort((found.scores, found.labels)), np.lexsort((scores, labels))
    np.testing.assert_array_equal(found.labels[ours], labels[theirs])
    np.testing.assert_allclose(found.scores[ours], scores[theirs], rtol=1e-4)
    if f'{prefix}_box' in recorded:
        boxes = recorded[f'{prefix}_box'][theirs][:, [1, 0, 3, 2]]
        np.testing.assert_allclose(found.boxes[ours], boxes, atol=1e-5)
    if f'{prefix}_coeff' in recorded:
        coefficients = recorded[f'{prefix}_coeff'][theirs]
        np.testing.assert_allclose(found.coefficients[ours], coefficients, atol=1e-4)


def assert_images(model, stages, recorded):
    """The objects of the images of both recorded sizes."""
    outputs = [stages[key][None] for key in ('loc', 'conf_logits', 'mask', 'proto')]
    options = {**{name: getattr(model, name) for name in model.option_names},
               'score_threshold': SCORE_THRESHOLD}
    for prefix in ('pp0', 'pp1'):
        width, height = recorded[f'{prefix}_wh'].tolist()
        found, = model.decode(outputs, [(height, width)], **options)
        scores = recorded[f'{prefix}_mask_scores' if model.rescores else f'{prefix}_scores']
        order = np.argsort(-scores, kind='stable')
        np.testing.assert_allclose(found.scores, scores[order], rtol=1e-4)
        np.testing.assert_array_equal(found.labels, recorded[f'{prefix}_classes'][order])
        np.testing.assert_array_equal(found.bboxes[:, [1, 0, 3, 2]], recorded[f'{prefix}_boxes'][order])
        areas = found.masks.sum(axis=(1, 2)) - recorded[f'{prefix}_mask_area'][order].astype(int)
        assert np.abs(areas).max() <= 2
        for key in {f'{prefix}_masks', f'{prefix}_masks_first8'} & recorded.keys():
            masks = reference.unpacked_masks(recorded, key, width)
            differing = found.masks[np.argsort(order)[:len(masks)]] != masks
            assert differing.sum(axis=(1, 2)).max() <= 2


@pytest.mark.parametrize('name', MODELS)
def test_every_stage_equals_the_original(name):
    _, stages = computed(name)
    assert_stages(name, stages, reference.recorded_for(name))


@pytest.mark.parametrize('name', MODELS)
def test_detections_of_all_suppressions_equal_the_original(name):
    for prefix in SUPPRESSIONS:
        assert_detections(*computed(name), reference.recorded_for(name), prefix)


@pytest.mark.parametrize('name', MODELS)
def test_detections_of_images_of_two_sizes_equal_the_original(name):
    assert_images(*computed(name), reference.recorded_for(name))


@pytest.mark.slow
@pytest.mark.parametrize('name', MODELS)
def test_the_published_model_has_the_published_sizes(name, monkeypatch):
    """Without a configuration: the anchors and the input size are those of the published network."""
    recorded, state = reference.full_width_record(name), reference.full_width_state(name)
    total = sum(np.abs(array.astype(np.float64)).sum() for key, array in state.items()
                if not key.endswith('num_batches_tracked'))
    np.testing.assert_allclose(total, recorded['sum_abs_all_float_weights'], rtol=1e-12)
    monkeypatch.setattr('converters.formats.pytorch.read', lambda path: state)
    model = converters.convert(reference.path_of(name))
    stages = reference.stages(model)
    assert_stages(name, stages, recorded)
    for prefix in SUPPRESSIONS:
        assert_detections(model, stages, recorded, prefix)
    assert_images(model, stages, recorded)
