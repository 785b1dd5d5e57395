"""Shapes of the heads' outputs, and the fixed enlargement of heat maps."""

import numpy as np
import pytest

from chainer_seg.models.mask_rcnn.heads import BoxHead, KeypointHead, MaskHead, double_side


def test_the_box_head_gives_logits_and_deltas_with_the_background():
    x = np.ones((3, 4, 7, 7), np.float32)
    for hidden in (6, None):
        logits, deltas = BoxHead(4, 7, hidden, 5)(x)
        assert logits.shape == (3, 6) and deltas.shape == (3, 24)


@pytest.mark.parametrize('convolutions', [0, 4])
def test_the_mask_head_doubles_the_side(convolutions):
    masks = MaskHead(4, 3, convolutions, 5)(np.ones((2, 4, 14, 14), np.float32))
    assert masks.shape == (2, 6, 28, 28)


def test_the_keypoint_head_enlarges_four_times():
    heatmaps = KeypointHead(4, 3, 17)(np.ones((2, 4, 14, 14), np.float32))
    assert heatmaps.shape == (2, 17, 56, 56)


def test_doubling_is_bilinear_inside_and_padded_with_zeros_at_the_border(rng):
    x = rng.normal(size=(2, 3, 4, 5)).astype(np.float32)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    expected = np.zeros((2, 3, 8, 10))
    for row in range(8):
        for column in range(10):
            # A new pixel lies a quarter of a pixel before or behind the middle of an old one.
            y, x_place = (row + 0.5) / 2 + 0.5, (column + 0.5) / 2 + 0.5
            for i in (int(y), int(y) + 1):
                for j in (int(x_place), int(x_place) + 1):
                    weight = (1 - abs(y - i)) * (1 - abs(x_place - j))
                    expected[:, :, row, column] += weight * padded[:, :, i, j]
    np.testing.assert_allclose(double_side(x).array, expected, rtol=1e-4, atol=1e-5)
