"""What TensorBoard shows of a data set: the truth above what the model finds."""

import numpy as np
import pytest

from chainer_seg.datasets import ObjectIndex, PlainShapesDataset, SemanticDataset
from chainer_seg.evaluation.sample_predictions import SIDE, sample_drawing
from chainer_seg.models.deeplab import ClickSegmenter, DeepLab
from chainer_seg.visualization import overlay_labels

SHAPES = PlainShapesDataset(3, seed=2, size=(SIDE, SIDE))


def test_the_first_images_are_drawn_with_the_truth_above_the_prediction():
    semantic = SemanticDataset(SHAPES)
    model = DeepLab(7, blocks=(1, 1, 1, 1), width=2, pyramid=(1,))
    model.class_names = semantic.class_names
    drawing = sample_drawing(semantic, 2)(model)
    assert drawing.shape == (2 * (SIDE + 4), 2 * (SIDE + 4), 3)
    for column in range(2):
        image, labels = semantic[column]
        left = column * (SIDE + 4)
        np.testing.assert_array_equal(drawing[:SIDE, left:left + SIDE],
                                      overlay_labels(image, labels, model.class_names))
        np.testing.assert_array_equal(drawing[SIDE + 4:-4, left:left + SIDE],
                                      overlay_labels(image, model.segment(image), model.class_names))


def test_a_click_model_is_drawn_with_its_click():
    drawing = sample_drawing(SHAPES, 9)(ClickSegmenter(blocks=(1, 1, 1, 1), width=2))
    assert drawing.shape == (2 * (SIDE + 4), 3 * (SIDE + 4), 3)


@pytest.mark.parametrize(('dataset', 'count'), [(SHAPES, 0), (ObjectIndex(SHAPES), 2)])
def test_there_may_be_nothing_to_draw(dataset, count):
    assert sample_drawing(dataset, count) is None
