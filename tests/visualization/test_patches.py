"""Sheets of patches: the image with the true outline, and the probability in colours."""

import numpy as np

from chainer_seg.visualization.patches import draw_patches


def test_a_row_has_the_image_with_the_true_outline_and_the_probability():
    images = np.stack([np.full((8, 8, 3), 200, np.uint8), np.full((8, 8, 3), 90, np.uint8)])
    truth = np.zeros((2, 16, 16), bool)
    truth[0, 4:12, 4:12] = True
    probability = np.zeros((2, 16, 16), np.float32)
    probability[0, :8] = 1
    sheet = draw_patches(images, truth, probability)
    assert sheet.shape == (32, 32, 3)
    red = (sheet[:16, :16] == (255, 0, 0)).all(axis=2)
    ring = np.zeros((16, 16), bool)
    ring[3:13, 3:13] = True
    ring[5:11, 5:11] = False  # the pixels on both sides of the outline
    np.testing.assert_array_equal(red, ring)
    assert (sheet[:16, :16][~ring] == 200).all() and (sheet[16:, :16] == 90).all()
    assert (sheet[:8, 16:] == (128, 0, 0)).all() and (sheet[8:, 16:] == (0, 0, 128)).all()
