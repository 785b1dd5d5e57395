import chainer
import numpy as np
import pytest

from chainer_seg.models.yolact import Yolact
from chainer_seg.models.yolact.anchors import anchor_boxes, anchor_corners, decode_boxes, encode_boxes


def test_anchors_equal_hand_computed_values():
    """Two places side by side, then one place; sides 10 and 20 of 100; ratios 1 and 4."""
    anchors = anchor_boxes([(1, 2), (1, 1)], [(10, 20), (50, 60)], (1, 4), 100, square=False)
    np.testing.assert_allclose(anchors, [
        [0.25, 0.5, 0.1, 0.1], [0.25, 0.5, 0.2, 0.05], [0.25, 0.5, 0.2, 0.2], [0.25, 0.5, 0.4, 0.1],
        [0.75, 0.5, 0.1, 0.1], [0.75, 0.5, 0.2, 0.05], [0.75, 0.5, 0.2, 0.2], [0.75, 0.5, 0.4, 0.1],
        [0.5, 0.5, 0.5, 0.5], [0.5, 0.5, 1.0, 0.25], [0.5, 0.5, 0.6, 0.6], [0.5, 0.5, 1.2, 0.3]])


def test_anchors_are_ordered_by_row_before_column():
    anchors = anchor_boxes([(2, 2)], [(10,)], (1,), 100, square=False)
    assert anchors[:, :2].tolist() == [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]]


def test_square_anchors_have_the_width_as_their_height():
    anchors = anchor_boxes([(1, 1)], [(10,)], (1, 0.25, 4), 100, square=True)
    np.testing.assert_allclose(anchors[:, 2:], [[0.1, 0.1], [0.05, 0.05], [0.2, 0.2]])


@pytest.fixture(scope='module')
def model():
    return Yolact(width=1, fpn_channels=1, prototypes=1, classes=1)


def test_the_published_network_has_19248_anchors(model):
    assert model.anchors().shape == (19248, 4)


@pytest.mark.parametrize('backbone, width', [
    ('darknet53', 2), ('mobilenetv2', 0.1), ('efficientnet-b0', 0.1)])
def test_each_anchor_has_a_prediction_with_every_backbone(backbone, width):
    model = Yolact(backbone, width=width, fpn_channels=1, prototypes=1, classes=1, image_size=79)
    with chainer.using_config('train', False):
        codes, *_ = model.forward(np.zeros((1, 3, 79, 79), np.float32))
    assert codes.shape[1:] == model.anchors().shape


@pytest.mark.parametrize('size', [64, 65, 127, (96, 33), (1, 1)])
def test_each_anchor_of_an_image_of_any_size_has_a_prediction(model, size):
    height, width = np.broadcast_to(size, 2)
    with chainer.using_config('train', False):
        codes, *_ = model.forward(np.zeros((1, 3, height, width), np.float32))
    assert codes.shape[1:] == model.anchors(size).shape


def test_anchors_keep_their_relative_size_in_images_of_another_size(model):
    assert set(model.anchors(200)[:, 2].tolist()) == set(model.anchors(550)[:, 2].tolist())


def test_decoded_boxes_equal_hand_computed_values():
    """A tenth of the anchor's width to the right, and e to the power of 0.2 * 5 times as tall."""
    box, = decode_boxes(np.array([[1, 0, 0, 5]]), np.array([[0.5, 0.5, 0.2, 0.1]]))
    height = 0.1 * np.e
    np.testing.assert_allclose(box, [0.5 - height / 2, 0.42, 0.5 + height / 2, 0.62], rtol=1e-6)


def test_encoding_is_the_inverse_of_decoding(rng):
    codes = rng.normal(size=(50, 4))
    anchors = np.concatenate([rng.uniform(0, 1, (50, 2)), rng.uniform(0.1, 1, (50, 2))], axis=1)
    np.testing.assert_allclose(encode_boxes(decode_boxes(codes, anchors), anchors), codes, atol=1e-9)


def test_anchor_corners_are_half_a_side_from_the_centre():
    corners = anchor_corners(np.array([[0.5, 0.25, 0.5, 0.25]]))
    np.testing.assert_allclose(corners, [[0.125, 0.25, 0.375, 0.75]])


def test_boxes_of_an_untrained_network_are_finite():
    codes = np.array([[1e30, -1e30, 1e30, np.inf]], np.float32)
    boxes = decode_boxes(codes, np.full((1, 4), 0.7, np.float32))
    assert np.isfinite((boxes[:, 2:] - boxes[:, :2]).prod(axis=1)).all()
