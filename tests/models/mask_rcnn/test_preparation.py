"""Images in the network's input: how large, which values, which padding."""

import cv2
import numpy as np
import pytest

from chainer_seg.models.mask_rcnn.preparation import input_scale, network_image, pad_to_multiple, stack


@pytest.mark.parametrize('size, scale', [
    ((480, 640), 800 / 480),  # 1067 pixels on the longer side
    ((1600, 800), 1333 / 1600),  # 800 would make it 1600
    ((640, 480), 800 / 480), ((3000, 2000), 0.4), ((1, 5000), 1333 / 5000)])
def test_the_shorter_side_is_scaled_unless_the_longer_one_becomes_too_long(size, scale):
    assert input_scale(size, 800, 1333) == pytest.approx(scale)


def test_channels_are_blue_green_red_minus_their_means():
    image = np.full((4, 6, 3), (10, 20, 30), np.uint8)
    found = network_image(image, 1.0)
    assert found.shape == (3, 4, 6) and found.dtype == np.float32
    np.testing.assert_allclose(found[:, 2, 3], [30 - 102.9801, 20 - 115.9465, 10 - 122.7717], atol=1e-4)


def test_images_are_enlarged_bilinearly_with_aligned_centres(rng):
    image = rng.integers(0, 256, (5, 7, 3)).astype(np.uint8)
    mean = np.array([102.9801, 115.9465, 122.7717], np.float32)
    found = network_image(image, 2.0) + mean[:, None, None]
    expected = cv2.resize(image[:, :, ::-1].astype(np.float32), (14, 10))
    np.testing.assert_allclose(found, expected.transpose(2, 0, 1), atol=1e-3)


def test_a_resized_image_is_at_least_one_pixel_high_and_wide():
    assert network_image(np.zeros((1, 5000, 3), np.uint8), 0.2666).shape == (3, 1, 1333)


def test_a_batch_is_padded_with_zeros_to_a_multiple():
    small, large = np.ones((3, 10, 33), np.float32), np.full((3, 20, 8), 2, np.float32)
    batch = stack([small, large], 32)
    assert batch.shape == (2, 3, 32, 64)
    assert batch[0, :, :10, :33].min() == 1 and batch[0].sum() == small.sum()
    assert batch[1, :, :20, :8].min() == 2 and batch[1].sum() == large.sum()
    assert stack([small], 1).shape == (1, 3, 10, 33)
    assert pad_to_multiple((32, 33), 32) == (32, 64)
