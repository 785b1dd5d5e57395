"""The DeepMask and the SharpMask that come with the package."""

import numpy as np
import pytest

from chainer_seg import load_model
from chainer_seg.datasets import ObjectIndex, PlainShapesDataset, ShapesDataset
from chainer_seg.evaluation import evaluate_patches
from chainer_seg.models.deepmask import DeepMask, SharpMask
from chainer_seg.zoo import shipped_path

NAMES = {'deepmask': DeepMask, 'sharpmask': SharpMask}


@pytest.mark.parametrize('name', NAMES)
def test_the_model_is_small_and_has_a_card_and_an_origin(name):
    model, file = load_model(name), shipped_path(name)
    assert isinstance(model, NAMES[name]) and f'train {name}' in model.origin['command']
    assert file.stat().st_size <= 4 * 1024 * 1024 and file.with_suffix('.md').exists()


def test_sharpmask_has_the_trunk_and_the_score_of_deepmask():
    deepmask, sharpmask = (dict(load_model(name).namedparams()) for name in NAMES)
    for path, parameter in deepmask.items():
        np.testing.assert_array_equal(sharpmask[path].array, parameter.array, err_msg=path)


@pytest.mark.slow
@pytest.mark.parametrize('images, gain', [(PlainShapesDataset(40, 77), 1.5), (ShapesDataset(40, 77), 1.2)])
def test_refined_masks_follow_the_edges_of_new_images(images, gain):
    index = ObjectIndex(images)
    coarse, refined = (evaluate_patches(load_model(name), index, 256, target_size=64, shift=10,
                                        boundary=True) for name in NAMES)
    assert refined['iou'] > coarse['iou'] > 0.4
    assert refined['boundary_iou'] > gain * coarse['boundary_iou']
    assert coarse['score_accuracy'] == refined['score_accuracy'] > 0.9
