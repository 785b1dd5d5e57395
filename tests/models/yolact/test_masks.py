import chainer.functions as F
import numpy as np
import pytest

from chainer_seg.functions import resize_bilinear
from chainer_seg.models.yolact.masks import assemble_masks, crop_limits, enlarged_runs

EVERYWHERE = np.array([[0, 0, 1, 1]], np.float32)


def random_masks(rng, boxes, size=(11, 14)):
    prototypes = rng.normal(size=(*size, 6)).astype(np.float32)
    return assemble_masks(prototypes, rng.normal(size=(len(boxes), 6)).astype(np.float32), boxes)


def random_boxes(rng, count=12):
    corners = rng.uniform(-0.2, 0.8, (count, 2))
    return np.concatenate([corners, corners + rng.uniform(0.05, 0.6, (count, 2))], axis=1).astype('f')


def test_a_mask_is_the_sigmoid_of_prototypes_times_coefficients(rng):
    prototypes = rng.normal(size=(3, 4, 2)).astype(np.float32)
    coefficients = np.array([[2, -1]], np.float32)
    mask, = assemble_masks(prototypes, coefficients, EVERYWHERE)
    expected = F.sigmoid(2 * prototypes[:, :, 0] - prototypes[:, :, 1]).array
    np.testing.assert_allclose(mask, expected, rtol=1e-5)


def test_masks_of_extreme_logits_are_0_or_1():
    prototypes = np.array([[[1e30], [-1e30]]], np.float32)
    mask, = assemble_masks(prototypes, np.ones((1, 1), np.float32), EVERYWHERE)
    assert mask.tolist() == [[1, 0]]


def test_masks_are_cropped_one_pixel_around_the_box(rng):
    """On ten rows, 0.34 to 0.57 become the places p with 2.4 <= p < 6.7."""
    box = np.array([[0.34, 0, 0.57, 1]], np.float32)
    mask, = random_masks(rng, box, (10, 4))
    assert np.flatnonzero(mask.any(axis=1)).tolist() == [3, 4, 5, 6]
    first, stop = crop_limits(box, (10, 4))
    assert first.tolist() == [[3, 0]] and stop.tolist() == [[7, 4]]


def test_swapped_corners_are_ordered(rng):
    box, exchanged = (np.array([row], np.float32) for row in ([.2, .3, .6, .9], [.6, .9, .2, .3]))
    np.testing.assert_array_equal(crop_limits(box, (10, 10)), crop_limits(exchanged, (10, 10)))


@pytest.mark.parametrize('size', [(48, 64), (11, 14), (5, 3), (200, 31), (1, 1)])
def test_enlarged_masks_equal_fully_resized_masks(rng, size):
    boxes = random_boxes(rng)
    masks = random_masks(rng, boxes)
    whole = resize_bilinear(masks[:, None], size, align_corners=False).array[:, 0]
    clear = np.abs(whole - 0.5) > 1e-5
    found = enlarged_runs(masks, boxes, size).to_masks()
    assert found.dtype == bool and found.shape == (12, *size)
    np.testing.assert_array_equal(found[clear], whole[clear] > 0.5)


def test_zero_masks_are_pasted():
    none = np.zeros((0, 4), np.float32)
    masks = assemble_masks(np.ones((5, 6, 2), np.float32), np.zeros((0, 2), np.float32), none)
    assert masks.shape == (0, 5, 6)
    assert enlarged_runs(masks, none, (20, 30)).to_masks().shape == (0, 20, 30)
