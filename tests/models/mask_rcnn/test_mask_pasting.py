"""Masks of boxes in the image against padding, OpenCV's resizing and a threshold, a mask at a time."""

import cv2
import numpy as np
import pytest

from chainer_seg.models.mask_rcnn.mask_pasting import paste_masks

SIZE = (60, 80)


def paste_one(mask, box):
    """A mask in the image as the reference makes it; box (y_min, x_min, y_max, x_max), inclusive."""
    side = len(mask)
    box = np.float32(box)
    centre, half = (box[2:] + box[:2]) * np.float32(0.5), (box[2:] - box[:2]) * np.float32(0.5)
    half = half * np.float32((side + 2) / side)
    (top, left), (bottom, right) = (centre - half).astype(int), (centre + half).astype(int)
    height, width = max(bottom - top + 1, 1), max(right - left + 1, 1)
    large = cv2.resize(np.pad(mask, 1), (width, height)) > 0.5
    # Room on all sides, so that a mask may reach over the border.
    image = np.zeros((SIZE[0] + 400, SIZE[1] + 400), bool)
    image[top + 200:top + 200 + height, left + 200:left + 200 + width] = large
    return image[200:-200, 200:-200]


def boxes_inside(rng, count, largest):
    corners = rng.uniform(-5, 50, (count, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(0, largest, (count, 2))], axis=1)
    return np.clip(boxes, 0, [59, 79, 59, 79]).astype(np.float32)


def smooth(rng, count, side):
    return np.stack([cv2.resize(rng.uniform(size=(5, 5)), (side, side)) for _ in range(count)])


@pytest.mark.parametrize('side', [14, 28])
@pytest.mark.parametrize('largest', [3, 20, 80])
@pytest.mark.parametrize('kind', ['smooth', 'noise'])
def test_pasted_masks_equal_those_resized_by_opencv(rng, side, largest, kind):
    masks = smooth(rng, 40, side) if kind == 'smooth' else rng.uniform(size=(40, side, side))
    masks, boxes = masks.astype(np.float32), boxes_inside(rng, 40, largest)
    found = paste_masks(masks, boxes, SIZE).to_masks()
    expected = np.stack(list(map(paste_one, masks, boxes)))
    # Where a pixel is within a rounding error of the threshold, it may fall to either side.
    assert np.count_nonzero(found != expected) <= 1e-4 * expected.sum()
    assert expected.any()


def test_a_mask_is_clipped_to_the_image():
    boxes = np.array([[-20, -30, 19, 29], [40, 60, 99, 119]], np.float32)
    masks = np.ones((2, 14, 14), np.float32)
    found = paste_masks(masks, boxes, SIZE).to_masks()
    for number in (0, 1):
        np.testing.assert_array_equal(found[number], paste_one(masks[number], boxes[number]))


def test_empty_masks_and_zero_masks_are_pasted():
    box = np.array([[5, 5, 20, 20]], np.float32)
    assert not paste_masks(np.zeros((1, 28, 28), np.float32), box, SIZE).to_masks().any()
    assert paste_masks(np.zeros((0, 28, 28), np.float32), box[:0], SIZE).to_masks().shape == (0, *SIZE)


def test_another_threshold_gives_another_mask():
    mask, box = np.full((1, 28, 28), 0.6, np.float32), np.array([[10, 10, 40, 40]], np.float32)
    assert paste_masks(mask, box, SIZE, threshold=0.5).to_masks().any()
    assert not paste_masks(mask, box, SIZE, threshold=0.7).to_masks().any()
