"""Where a refinement looks, and which pixels a click settles."""

import math

import numpy as np
import pytest

from chainer_seg.models.deeplab import Click
from chainer_seg.models.deeplab.crop import RefinementCrop, click_discs


def naive_discs(clicks, size, radius):
    """The label of each pixel: that of the nearest click within the radius."""
    labels = np.zeros(size, int)
    for y in range(size[0]):
        for x in range(size[1]):
            near = [(math.dist((y, x), (c.y, c.x)), c.positive) for c in clicks]
            near = min(((d, sign) for d, sign in near if d <= radius), default=(0, None))
            labels[y, x] = {None: 0, True: 1, False: -1}[near[1]]
    return labels


def test_overlapping_discs_belong_to_the_nearer_click():
    clicks = [Click(5, 5), Click(7, 8.5, False), Click(11, 2)]
    positive, negative = click_discs(clicks, (14, 12), 4)
    np.testing.assert_array_equal(positive.astype(int) - negative, naive_discs(clicks, (14, 12), 4))


def test_the_pixel_under_a_click_has_its_label_at_any_radius():
    positive, negative = click_discs([Click(1.4, 2.4), Click(0, 0, False)], (3, 4), 0)
    assert np.argwhere(positive).tolist() == [[1, 2]] and np.argwhere(negative).tolist() == [[0, 0]]


def test_discs_in_a_shrunk_crop_are_around_the_click():
    positive, _ = click_discs([Click(45, 63)], (40, 80), 0, corner=(20, 40), size=(10, 20))
    assert np.argwhere(positive).tolist() == [[6, 5]]


def test_the_crop_contains_the_object_and_the_clicks_with_a_margin(rng):
    image = rng.integers(0, 256, (200, 300, 3), np.uint8)
    probability = np.zeros((200, 300), np.float32)
    probability[80:121, 100:201] = 0.9
    focus = RefinementCrop.on_object(image, probability, [Click(150, 110, False)], longest_side=1000)
    # Rows 80 to 150 and columns 100 to 200, with 12 and 15 pixels around them.
    np.testing.assert_array_equal(focus.image, image[68:163, 85:216])
    np.testing.assert_array_equal(focus.probability, probability[68:163, 85:216])
    assert focus.negative[82, 25] and focus.scale == 1


def test_a_shrunk_crop_is_pasted_back(rng):
    probability = np.zeros((200, 300), np.float32)
    probability[80:121, 100:201] = 1
    image = np.zeros((200, 300, 3), np.uint8)
    focus = RefinementCrop.on_object(image, probability, [], longest_side=50)
    assert max(focus.probability.shape) == 50 and focus.scale == pytest.approx(131 / 50)
    back = focus.paste(focus.probability)
    np.testing.assert_array_equal(back[:68], probability[:68])
    assert ((back > 0.5) != (probability > 0.5)).mean() < 0.01


def test_without_an_object_and_clicks_there_is_no_crop():
    image = np.zeros((20, 30, 3), np.uint8)
    assert RefinementCrop.on_object(image, np.full((20, 30), 0.04, np.float32), [], 50) is None
