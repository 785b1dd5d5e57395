"""The DeepMask and the SharpMask that come with the package."""

import numpy as np
import pytest

from chainer_seg import load_model
from chainer_seg.datasets import ObjectIndex, ShapesDataset
from chainer_seg.evaluation import evaluate_patches
from chainer_seg.models.deepmask import DeepMask, SharpMask
from chainer_seg.zoo import shipped_path

NAMES = {'deepmask': DeepMask, 'sharpmask': SharpMask}


@pytest.mark.parametrize('name', NAMES)
def test_the_model_is_small_and_has_a_card_and_an_origin(name):
    model, file = load_model(name), shipped_path(name)
    assert isinstance(model, NAMES[name]) and 'train.py' in model.origin['command']
    assert file.stat().st_size <= 4 * 1024 * 1024 and file.with_suffix('.md').exists()


def test_sharpmask_has_the_trunk_and_the_score_of_deepmask():
    deepmask, sharpmask = (dict(load_model(name).namedparams()) for name in NAMES)
    for path, parameter in deepmask.items():
        np.testing.assert_array_equal(sharpmask[path].array, parameter.array, err_msg=path)


@pytest.mark.slow
def test_refined_masks_are_better_on_new_images():
    index = ObjectIndex(ShapesDataset(40, 77, (256, 256)))
    coarse, refined = (evaluate_patches(load_model(name), index, 96, target_size=64, shift=10,
                                        boundary=True) for name in NAMES)
    assert refined['iou'] > coarse['iou'] > 0.3
    assert refined['boundary_iou'] > coarse['boundary_iou']
    assert coarse['score_accuracy'] == refined['score_accuracy'] > 0.8
