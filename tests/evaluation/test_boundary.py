"""Boundary IoU against its definition by distances."""

import numpy as np
import pytest

from chainer_seg.evaluation.boundary import boundary_iou, mask_rims
from tests.synthetic import disc

SIZE = 60, 80


def naive_rim(mask, pixels):
    """Pixels of the mask from which a pixel outside is at most ``pixels`` steps away, diagonals too."""
    padded = np.pad(mask, pixels)
    rim = np.zeros_like(mask)
    for y, x in np.argwhere(mask):
        rim[y, x] = not padded[y:y + 2 * pixels + 1, x:x + 2 * pixels + 1].all()
    return rim


@pytest.mark.parametrize('pixels', [1, 2, 5])
def test_the_boundary_consists_of_the_pixels_near_the_outline(pixels):
    masks = np.stack([disc(SIZE, (30, 40), 17), disc(SIZE, (0, 0), 30), disc(SIZE, (30, 40), 2)])
    rims = mask_rims(masks, width=pixels / 100)  # The diagonal of 60 x 80 is 100.
    for mask, rim in zip(masks, rims):
        np.testing.assert_array_equal(rim, naive_rim(mask, pixels))


def test_the_boundary_is_at_least_one_pixel_thick():
    mask = disc(SIZE, (30, 40), 10)
    np.testing.assert_array_equal(mask_rims(mask[None], width=1e-6)[0], naive_rim(mask, 1))


def test_boundary_iou_is_the_iou_of_the_boundaries():
    a, b = disc(SIZE, (30, 40), 17), disc(SIZE, (32, 38), 15)
    rim_a, rim_b = naive_rim(a, 2), naive_rim(b, 2)
    expected = (rim_a & rim_b).sum() / (rim_a | rim_b).sum()
    assert boundary_iou(a[None], b[None]) == pytest.approx([expected])


def test_boundary_iou_is_harder_on_large_masks_than_iou():
    large, shifted = disc(SIZE, (30, 40), 28), disc(SIZE, (30, 42), 28)
    iou = (large & shifted).sum() / (large | shifted).sum()
    assert iou > 0.9 and boundary_iou(large[None], shifted[None])[0] < 0.6


def test_boundary_iou_of_equal_empty_and_disjoint_masks():
    empty, a, b = np.zeros((60, 80), bool), disc(SIZE, (10, 10), 5), disc(SIZE, (50, 70), 5)
    result = boundary_iou(np.stack([a, empty, a, empty]), np.stack([a, empty, b, b]))
    assert result.tolist() == [1, 1, 0, 0]
    assert boundary_iou(np.zeros((0, 4, 4), bool), np.zeros((0, 4, 4), bool)).shape == (0,)
