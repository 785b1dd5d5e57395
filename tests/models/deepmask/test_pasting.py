"""Pasting: what Torch's ``image.scale`` gives, as runs, against masks filled pixel by pixel."""

import numpy as np
import pytest

from chainer_seg.models.deepmask.pasting import paste, resize_masks

THRESHOLD = 0.2


def enlarged(mask, side):
    """The definition: every output sample from the four around its place, corners on corners."""
    result, last = np.empty((side, side)), len(mask) - 1
    for row in range(side):
        for column in range(side):
            y, x = (place * last / max(side - 1, 1) for place in (row, column))
            top, left = min(int(y), max(last - 1, 0)), min(int(x), max(last - 1, 0))
            below, right = min(top + 1, last), min(left + 1, last)
            upper = mask[top, left] * (1 - x + left) + mask[top, right] * (x - left)
            lower = mask[below, left] * (1 - x + left) + mask[below, right] * (x - left)
            result[row, column] = upper * (1 - y + top) + lower * (y - top)
    return result


def shrunk(mask, side):
    """Means over areas: each sample is cut into side x side equal ones, which are then shared out."""
    fine = mask.repeat(side, axis=0).repeat(side, axis=1)
    size = len(mask)
    return fine.reshape(side, size, side, size).mean(axis=(1, 3))


def pasted(mask, top, left, size):
    """The mask (H, W), filled pixel by pixel."""
    image = np.zeros(size, bool)
    for row in range(len(mask)):
        for column in range(len(mask)):
            if 0 <= top + row < size[0] and 0 <= left + column < size[1]:
                image[top + row, left + column] = mask[row, column] > np.log(THRESHOLD / (1 - THRESHOLD))
    return image


@pytest.mark.parametrize(('samples', 'side'), [(6, 6), (6, 7), (6, 25), (2, 9), (1, 5), (5, 6)])
def test_enlarged_masks_are_interpolated_with_aligned_corners(rng, samples, side):
    mask = rng.normal(size=(samples, samples)).astype(np.float32)
    np.testing.assert_allclose(resize_masks(mask[None], side)[0], enlarged(mask, side), atol=1e-5)


@pytest.mark.parametrize(('samples', 'side'), [(6, 5), (6, 3), (9, 2), (4, 1)])
def test_shrunk_masks_are_averaged_over_areas(rng, samples, side):
    mask = rng.normal(size=(samples, samples)).astype(np.float32)
    np.testing.assert_allclose(resize_masks(mask[None], side)[0], shrunk(mask, side), atol=1e-5)


@pytest.mark.parametrize('size', [(17, 14), (1, 30), (30, 1)])
@pytest.mark.parametrize('side', [1, 4, 6, 7, 20])
def test_pasted_masks_equal_those_computed_pixel_by_pixel(rng, side, size):
    masks = rng.normal(-1, 1, (12, 6, 6)).astype(np.float32)
    tops, lefts = (rng.integers(-side - 1, length + 2, 12) for length in size)
    resize = shrunk if side < 6 else enlarged
    expected = np.stack([pasted(resize(mask, side), top, left, size)
                         for mask, top, left in zip(masks, tops, lefts)])
    np.testing.assert_array_equal(
        paste(masks, tops, lefts, side, size, THRESHOLD).to_masks(), expected)


def test_full_and_empty_masks_are_pasted():
    masks = np.stack([np.full((4, 4), value, np.float32) for value in (9, -9)])
    corners = np.array([-5, -5])
    found = paste(masks, corners, corners, 40, (11, 13), THRESHOLD).to_masks()
    assert found[0].all() and not found[1].any()


def test_the_threshold_is_an_exclusive_probability():
    mask = np.zeros((1, 3, 3), np.float32)  # the probability 0.5 everywhere
    corner = np.array([0])
    covered = [paste(mask, corner, corner, 3, (3, 3), threshold).to_masks().sum()
               for threshold in (0.49, 0.5, 0.51)]
    assert covered == [9, 0, 0]


def test_zero_masks_are_pasted():
    none = np.zeros(0, int)
    runs = paste(np.zeros((0, 4, 4), np.float32), none, none, 9, (5, 5), THRESHOLD)
    assert runs.to_masks().shape == (0, 5, 5)


def test_memory_does_not_grow_with_the_image(memory_of):
    # 100 masks of 12 megapixels would take 1.2 GB.
    masks = np.random.default_rng(0).normal(size=(100, 56, 56)).astype(np.float32)
    tops, lefts = np.arange(100) * 20, np.arange(100) * 30
    assert memory_of(lambda: paste(masks, tops, lefts, 905, (3000, 4000), THRESHOLD).to_rle()) < 100e6
