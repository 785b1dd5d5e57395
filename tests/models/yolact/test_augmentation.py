"""What happens to an image also happens to its objects, and nothing happens that is switched off."""

import dataclasses

import numpy as np
import pytest

from chainer_seg import masks
from chainer_seg.instances import Instances
from chainer_seg.models.yolact.augmentation import (
    NO_AUGMENTATION, STANDARD, augment, crop_part, cut, expand, mirror, shift_colours)


def marked(rng, height=40, width=60, count=3):
    """An image whose red channel is the number of the object of each pixel, times 50."""
    found = np.zeros((count, height, width), bool)
    for number, mask in enumerate(found):
        top, left = rng.integers(0, height - 8), rng.integers(0, width - 8)
        mask[top:top + rng.integers(4, 20), left:left + rng.integers(4, 20)] = True
        found[:number] &= ~mask
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0] = (found * 50 * np.arange(1, count + 1)[:, None, None]).sum(axis=0)
    return image, Instances(found, labels=np.arange(count), class_names=('a', 'b', 'c'))


def only(**parts):
    return dataclasses.replace(NO_AUGMENTATION, **parts)


def assert_objects_are_where_the_image_shows_them(image, instances):
    for label, mask in zip(instances.labels, instances.masks):
        np.testing.assert_array_equal(image[..., 0] == 50 * (label + 1), mask)


def test_without_augmentation_nothing_changes(rng):
    image, instances = marked(rng)
    same, kept = augment(image, instances, rng, NO_AUGMENTATION)
    np.testing.assert_array_equal(same, image)
    assert kept is instances


@pytest.mark.parametrize('part', ['expand', 'crop', 'mirror'])
def test_masks_boxes_and_labels_follow_the_image(rng, part):
    changed = 0
    for _ in range(30):
        image, instances = marked(rng)
        new, moved = augment(image, instances, rng, only(**{part: True}, canvas_colour=(7, 7, 7)))
        changed += new.shape != image.shape or (new != image).any()
        assert moved.image_size == new.shape[:2]
        assert_objects_are_where_the_image_shows_them(new, moved)
        assert set(moved.labels) <= set(instances.labels) and len(moved)
        shown = moved.masks.any(axis=(1, 2))
        assert (moved.bboxes[shown, :2] <= masks.mask_to_bbox(moved.masks[shown])[:, :2]).all()
    assert 5 < changed < 30


def test_the_seed_determines_the_result(rng):
    image, instances = marked(rng)
    runs = [augment(image, instances, np.random.default_rng(5), STANDARD) for _ in range(2)]
    np.testing.assert_array_equal(runs[0][0], runs[1][0])
    np.testing.assert_array_equal(runs[0][1].bboxes, runs[1][1].bboxes)


def test_mirrored_boxes_match_the_mirrored_masks(rng):
    image, instances = marked(rng)
    _, mirrored = mirror(image, instances)
    np.testing.assert_array_equal(mirrored.bboxes, masks.mask_to_bbox(mirrored.masks))


def test_an_expanded_image_is_complete_and_at_most_four_times_as_large(rng):
    image, instances = marked(rng)
    sizes = []
    for _ in range(50):
        canvas, moved = expand(image, instances, rng)
        sizes.append(canvas.shape[0] / image.shape[0])
        assert canvas.shape[0] / canvas.shape[1] == pytest.approx(40 / 60, rel=0.05)
        np.testing.assert_array_equal(moved.masks.sum(axis=(1, 2)), instances.masks.sum(axis=(1, 2)))
    assert 1 <= min(sizes) < 1.5 and 3.5 < max(sizes) <= 4


def test_objects_are_kept_if_their_centre_is_in_the_crop(rng):
    found = np.zeros((2, 20, 20), bool)
    found[0, 2:8, 2:8], found[1, 2:8, 9:19] = True, True
    image = np.zeros((20, 20, 3), np.uint8)
    part, kept = cut(image, Instances(found, labels=[4, 5]), np.array([0, 0, 10, 12]))
    assert part.shape == (10, 12, 3)
    assert kept.labels.tolist() == [4]  # The middle of the other one is at column 14.
    assert kept.bboxes.tolist() == [[2, 2, 8, 8]]


def test_boxes_are_clipped_to_the_crop():
    found = np.zeros((1, 20, 20), bool)
    found[0, 5:15, 5:15] = True
    _, kept = cut(np.zeros((20, 20, 3), np.uint8), Instances(found), np.array([8, 0, 20, 12]))
    assert kept.bboxes.tolist() == [[0, 5, 7, 12]]


def test_crops_are_neither_too_small_nor_too_flat(rng):
    image, instances = marked(rng, 100, 100)
    sizes = np.array([crop_part(image, instances, rng)[0].shape[:2] for _ in range(200)])
    assert sizes.min() >= 30 and len(np.unique(sizes)) > 20
    ratios = sizes[:, 0] / sizes[:, 1]
    assert ratios.min() > 0.48 and ratios.max() < 2.1


def test_an_image_of_only_a_crowd_is_not_cropped(rng):
    image, instances = marked(rng, count=1)
    instances.crowds[:] = True
    assert all(crop_part(image, instances, rng)[0] is image for _ in range(20))


def test_images_without_objects_are_augmented(rng):
    image = rng.integers(0, 255, (30, 20, 3), np.uint8)
    for _ in range(20):
        new, instances = augment(image, Instances.empty(30, 20), rng)
        assert len(instances) == 0 and instances.image_size == new.shape[:2]


def test_photometric_augmentation_changes_only_colours(rng):
    image = rng.integers(0, 255, (30, 20, 3), np.uint8)
    shifted = [shift_colours(image, rng) for _ in range(40)]
    assert all(new.dtype == np.uint8 and new.shape == image.shape for new in shifted)
    means = np.array([new.mean() for new in shifted])
    assert means.std() > 5
    grey = np.full((4, 4, 3), 100, np.uint8)
    # Grey has neither hue nor saturation: only brightness and contrast change it.
    assert all(np.ptp(shift_colours(grey, rng)) == 0 for _ in range(20))


def test_the_brightness_shift_is_within_its_limits(rng):
    grey = np.full((2, 2, 3), 100, np.uint8)
    settings = dataclasses.replace(STANDARD, contrast=(1, 1), brightness=10)
    values = [int(shift_colours(grey, rng, settings)[0, 0, 0]) for _ in range(60)]
    assert min(values) >= 90 and max(values) <= 110 and len(set(values)) > 10
