"""Mask R-CNN out of genuine Detectron files: every stage against what Detectron computed on Caffe2.

``pytest -s -k every_stage`` prints the table of all differences.
"""

import pickle

import chainer
import numpy as np
import pytest

import converters
from tests.conftest import SHARED_DATA
from tests.converters import detectron_stages

FOLDER = SHARED_DATA / 'formats' / 'detectron'

# Of the largest value of an array.
TOLERANCE = 1e-4

MODELS = ('public_mask_c4_5', 'public_mask_c4_81', 'public_mask_fpn_81', 'public_kp_fpn_2')


@pytest.fixture(autouse=True)
def evaluating():
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        yield


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
def test_every_stage_is_what_detectron_computed(name, shared_data):
    found = differences(name)
    for key, value in found.items():
        print(f'{name:20} {key:40} {value:.1e}')
    assert {key: value for key, value in found.items() if not value < TOLERANCE} == {}
