"""The Mask R-CNN that comes with the package."""

import pytest

from chainer_seg import load_model
from chainer_seg.datasets import PlainShapesDataset
from chainer_seg.evaluation import evaluate_coco
from chainer_seg.models.mask_rcnn import MaskRCNN
from chainer_seg.zoo import shipped_path


def test_the_model_is_small_and_has_a_card_and_an_origin():
    model, file = load_model('mask-rcnn'), shipped_path('mask-rcnn')
    assert isinstance(model, MaskRCNN) and model.config['neck'] == 'fpn'
    assert 'train.py mask-rcnn' in model.origin['command']
    assert model.class_names == PlainShapesDataset().class_names
    assert file.stat().st_size <= 4 * 1024 * 1024 and file.with_suffix('.md').exists()


@pytest.mark.slow
def test_it_detects_new_synthetic_shapes():
    figures = evaluate_coco(load_model('mask-rcnn'), PlainShapesDataset(40, seed=77))
    assert figures['segm/AP'] > 0.6 and figures['bbox/AP'] > 0.6
    assert figures['segm/AP50'] > 0.8
