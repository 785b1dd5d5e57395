"""The DeepLab that comes with the package."""

import pytest

from chainer_seg import load_model
from chainer_seg.datasets import PlainShapesDataset, SemanticDataset
from chainer_seg.datasets.synthetic.plain_shapes import PLAIN_CLASSES
from chainer_seg.evaluation import evaluate_semantic
from chainer_seg.models.deeplab import DeepLab
from chainer_seg.zoo import shipped_path


def test_the_model_is_small_and_has_a_card_and_an_origin():
    model, file = load_model('deeplab'), shipped_path('deeplab')
    assert isinstance(model, DeepLab) and 'train.py deeplab' in model.origin['command']
    assert model.class_names == ('background', *PLAIN_CLASSES)
    assert file.stat().st_size <= 4 * 1024 * 1024 and file.with_suffix('.md').exists()


@pytest.mark.slow
def test_it_recognises_plain_shapes_in_new_images():
    dataset = SemanticDataset(PlainShapesDataset(40, seed=77))
    figures = evaluate_semantic(load_model('deeplab'), dataset)
    assert figures['miou'] > 0.6 and figures['pixel_accuracy'] > 0.9
