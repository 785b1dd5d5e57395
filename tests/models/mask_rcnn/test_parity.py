"""Mask R-CNN with genuine Detectron weights: every stage against what Detectron computed on Caffe2.

``pytest -s`` prints the tables of all differences.
"""

import numpy as np
import pytest

import converters
from tests.conftest import SHARED_DATA
from tests.models.mask_rcnn import detectron_stages

FOLDER = SHARED_DATA / 'formats' / 'detectron'

# Of the largest value of an array.
TOLERANCE = 1e-4

MODELS = ('public_mask_c4_5', 'public_mask_c4_81', 'public_mask_fpn_81', 'public_kp_fpn_2')


pytestmark = pytest.mark.usefixtures('evaluating')


def model_of(name):
    return converters.convert(FOLDER / f'{name}.pkl')


def stages_of(model, recorded):
    """All stages of a network, those behind proposals for the recorded RoIs."""
    x, size = detectron_stages.prepare(model, recorded)
    features, stages = detectron_stages.image_stages(model, x)
    stages.update(detectron_stages.box_stages(model, features, size, recorded))
    if model.with_masks:
        stages.update(detectron_stages.mask_stages(model, features, recorded))
    if model.keypoints:
        stages.update(detectron_stages.keypoint_stages(model, features, recorded))
    return stages


def differences(name):
    """The largest difference of each recorded stage, as a part of its largest value."""
    model = model_of(name)
    result = {}
    for image, recorded in detectron_stages.recorded_images(FOLDER / f'{name}.npz').items():
        stages = stages_of(model, recorded)
        for key in filter(detectron_stages.STAGES.fullmatch, sorted(recorded)):
            whole = stages[detectron_stages.STAGES.fullmatch(key)[1]]
            found = detectron_stages.recorded_part(key, getattr(whole, 'array', whole))
            assert found.shape == recorded[key].shape, key
            peak = np.abs(recorded[key]).max()
            result[f'{image}/{key}'] = np.abs(found - recorded[key]).max() / peak
    return result


@pytest.mark.parametrize('name', MODELS)
def test_every_stage_equals_detectron(name, shared_data):
    found = differences(name)
    for key, value in found.items():
        print(f'{name:20} {key:40} {value:.1e}')
    assert {key: value for key, value in found.items() if not value < TOLERANCE} == {}


def matched(found, expected, tolerance):
    """How many of the expected rows (n, 4) have a found one within ``tolerance``."""
    distance = np.abs(found[None] - expected[:, None]).max(axis=2)
    return int((distance.min(axis=1) < tolerance).sum())


@pytest.mark.parametrize('name', MODELS)
def test_proposals_equal_detectron(name, shared_data):
    model = model_of(name)
    for image, recorded in detectron_stages.recorded_images(FOLDER / f'{name}.npz').items():
        x, size = detectron_stages.prepare(model, recorded)
        np.testing.assert_array_equal(size.inner, recorded['im_info'][0, :2])
        assert size.scale == pytest.approx(recorded['im_scale'])
        rois, _ = model.propose(*model.forward(x)[1:], [size.inner])
        expected, _ = detectron_stages.recorded_rois(recorded, 'rois')
        same = matched(rois, expected, 1e-2)
        print(f'{name:20} {image} {len(rois)} proposals, {same} of {len(expected)} found')
        assert len(rois) == len(expected)
        # Where two overlap by .7 and a rounding error, another one of them may stay.
        assert same >= len(expected) - 2


@pytest.mark.parametrize('name', MODELS)
def test_detections_equal_detectron(name, shared_data):
    model = model_of(name)
    for image, recorded in detectron_stages.recorded_images(FOLDER / f'{name}.npz').items():
        detectron_stages.prepare(model, recorded)
        found = model.detect(recorded['im'][:, :, ::-1])
        assert len(found) == len(recorded['det_scores'])
        np.testing.assert_array_equal(found.labels + 1, recorded['det_classes'])
        legacy = found.bboxes[:, [1, 0, 3, 2]] - [0, 0, 1, 1]
        boxes = np.abs(legacy - recorded['det_boxes']).max()
        scores = np.abs(found.scores - recorded['det_scores']).max()
        print(f'{name:20} {image} {len(found)} objects, boxes {boxes:.1e} px, scores {scores:.1e}')
        assert boxes < 1e-2 and scores < 1e-4
        if model.with_masks:
            pixels = found.masks.shape[1] * found.masks.shape[2]
            masks = np.unpackbits(recorded['det_masks_packed'], axis=1)[:, :pixels]
            wrong = np.count_nonzero(found.masks.reshape(len(found), -1) != masks)
            print(f'{name:20} {image} {wrong} of {masks.sum()} mask pixels differ')
            assert wrong <= 3  # Where a probability is .5 but for rounding.
        if model.keypoints:
            keypoints = recorded['keypoints'].transpose(0, 2, 1)
            place = np.abs(found.keypoints[:, :, [1, 0]] - keypoints[:, :, :2]).max()
            logit = np.abs(found.keypoints[:, :, 2] - keypoints[:, :, 2]).max()
            print(f'{name:20} {image} keypoints {place:.1e} px, logits {logit:.1e}')
            assert place < 1e-2
