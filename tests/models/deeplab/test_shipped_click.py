"""The click model that comes with the package."""

import chainer
import numpy as np
import pytest

from chainer_seg import load_model
from chainer_seg.datasets import ShapesDataset
from chainer_seg.evaluation import evaluate_clicks


def test_all_parameters_are_finite():
    # Variances above 65504 were once lost when the model was saved in half precision.
    serializer = chainer.serializers.DictionarySerializer()
    serializer.save(load_model('click'))
    for name, array in serializer.target.items():
        assert np.isfinite(array).all(), name


@pytest.mark.slow
def test_it_segments_new_synthetic_shapes():
    figures = evaluate_clicks(load_model('click'), ShapesDataset(6, seed=77), clicks=(1, 5))
    assert figures['iou@1'] > 0.4 and figures['iou@5'] > 0.75
