"""The figures of single patches, for models whose answers are known."""

import chainer
import numpy as np
import pytest

from chainer_seg import Instances
from chainer_seg.datasets import ShapesDataset
from chainer_seg.datasets.object_index import ObjectIndex
from chainer_seg.errors import DatasetError
from chainer_seg.evaluation.boundary import boundary_iou
from chainer_seg.evaluation.patches import evaluate_patches
from chainer_seg.models.base import Model
from chainer_seg.models.deepmask import DeepMask


class SquareModel(Model):
    """Takes a square of the window's middle for the mask and bright patches for objects."""

    patch_size, target_size = 64, 64

    def __init__(self, side):
        super().__init__()
        self.side = side
        self.shown = []

    def forward(self, x):
        self.shown.append(x)
        logits = np.full((len(x), 64, 64), -1, 'f')
        low = (64 - self.side) // 2
        logits[:, low:low + self.side, low:low + self.side] = 1
        return chainer.Variable(logits), chainer.Variable(x[:, 0, 48, 48])


@pytest.fixture
def square_objects():
    """An image of a bright square of 37 pixels, which is canonical for windows of 64."""
    image = np.zeros((150, 150, 3), np.uint8)
    mask = np.zeros((1, 150, 150), bool)
    mask[0, 50:87, 60:97] = True
    image[mask[0]] = 255
    return [(image, Instances(mask))]


@pytest.mark.parametrize('side', [40, 36, 32, 28, 20])
def test_figures_of_a_centred_square_equal_hand_computed_values(square_objects, side):
    figures = evaluate_patches(SquareModel(side), square_objects, 40, shift=0, scale=0)
    # In the middle, 37 pixels cover half a pixel at both ends, which does not count.
    iou = (min(side, 36) / max(side, 36)) ** 2
    assert figures['iou'] == pytest.approx(iou)
    assert figures['median_iou'] == pytest.approx(iou)
    assert figures['iou@0.5'] == float(iou > 0.5) and figures['iou@0.7'] == float(iou > 0.7)


def test_median_and_shares_are_computed_from_the_ious(square_objects):
    figures = evaluate_patches(SquareModel(38), square_objects, 60, shift=16, scale=0.25)
    assert figures['iou@0.7'] <= figures['iou@0.5'] <= 1
    assert 0 < figures['iou@0.5'] < 1 and figures['iou'] != figures['median_iou']


def test_score_accuracy_is_the_share_of_correct_scores(square_objects):
    # The middle of a positive is bright; a negative may show the object only at another scale.
    figures = evaluate_patches(SquareModel(38), square_objects, 60, shift=0, scale=0)
    assert figures['score_accuracy'] > 0.8


def test_boundary_iou_is_computed_on_request(square_objects):
    figures = evaluate_patches(SquareModel(32), square_objects, 4, shift=0, scale=0, boundary=True)
    truth, found = np.zeros((1, 64, 64), bool), np.zeros((1, 64, 64), bool)
    truth[0, 14:50, 14:50], found[0, 16:48, 16:48] = True, True
    assert figures['boundary_iou'] == pytest.approx(boundary_iou(truth, found)[0])
    assert 'boundary_iou' not in evaluate_patches(SquareModel(32), square_objects, 4)


def test_the_seed_determines_the_patches():
    index = ObjectIndex(ShapesDataset(3, 0, (96, 96)))
    models = [SquareModel(20), SquareModel(30), SquareModel(30)]
    for model, seed in zip(models, (0, 0, 1)):
        evaluate_patches(model, index, 5, seed=seed)
    first, second, third = (np.concatenate(model.shown) for model in models)
    np.testing.assert_array_equal(first, second)
    assert (first != third).any()


def test_masks_can_be_compared_at_another_size():
    model = DeepMask(patch_size=48, mask_size=9, target_size=24, blocks=(1, 1, 1), width=3,
                     norm='batch', bottleneck=4, features=10, hidden=7)
    index = ObjectIndex(ShapesDataset(3, 0, (64, 64)))
    for side in (None, 48):
        figures = evaluate_patches(model, index, 6, target_size=side)
        assert all(0 <= value <= 1 for value in figures.values())


def test_a_data_set_without_objects_is_an_error():
    empty = [(np.zeros((50, 50, 3), np.uint8), Instances.empty(50, 50))]
    with pytest.raises(DatasetError, match='no object to train on'):
        evaluate_patches(SquareModel(20), empty, 5)
