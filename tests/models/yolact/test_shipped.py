"""The YOLACT that comes with the package."""

import pytest

from chainer_seg import load_model
from chainer_seg.datasets import PlainShapesDataset
from chainer_seg.datasets.synthetic.plain_shapes import PLAIN_CLASSES
from chainer_seg.evaluation import evaluate_coco
from chainer_seg.models.yolact import Yolact
from chainer_seg.zoo import shipped_path


def test_the_model_is_small_and_has_a_card_and_an_origin():
    model, file = load_model('yolact'), shipped_path('yolact')
    assert isinstance(model, Yolact) and 'train.py yolact' in model.origin['command']
    assert model.class_names == PLAIN_CLASSES
    assert file.stat().st_size <= 4 * 1024 * 1024 and file.with_suffix('.md').exists()


@pytest.mark.slow
def test_it_detects_plain_shapes_in_new_images():
    figures = evaluate_coco(load_model('yolact'), PlainShapesDataset(40, seed=77))
    assert figures['segm/AP'] > 0.5 and figures['segm/AP50'] > 0.75
