"""Layers and overlays against values worked out by hand."""

import numpy as np
import pytest

from chainer_seg.visualization import (
    blend,
    instance_colors,
    instances_layer,
    overlay_masks,
    overlay_probability,
    probability_layer,
)


def test_the_colour_of_a_mask_is_blended_with_the_image():
    image = np.full((2, 2, 3), 100, np.uint8)
    mask = np.array([[[True, False], [False, False]]])

    drawn = overlay_masks(image, mask, colors=[(200, 0, 100)], alpha=0.2)

    # opacity 51 / 255: 100 * 0.8 + (200, 0, 100) * 0.2
    assert drawn[0, 0].tolist() == [120, 80, 100]
    assert (drawn[0, 1] == 100).all() and (drawn[1] == 100).all()
    assert drawn.dtype == np.uint8


def test_the_input_image_is_not_modified():
    image = np.zeros((2, 2, 3), np.uint8)
    overlay_masks(image, np.ones((1, 2, 2), bool))
    assert not image.any()


def test_full_opacity_gives_the_pure_colour():
    image = np.full((1, 1, 3), 77, np.uint8)
    drawn = overlay_masks(image, np.ones((1, 1, 1), bool), colors=[(1, 2, 3)], alpha=1)
    assert drawn[0, 0].tolist() == [1, 2, 3]


def test_the_smaller_object_is_on_top_in_either_order():
    large = np.ones((3, 3), bool)
    small = np.zeros((3, 3), bool)
    small[1, 1] = True
    colors = np.array([(10, 10, 10), (20, 20, 20)])
    image = np.zeros((3, 3, 3), np.uint8)

    first = overlay_masks(image, np.stack([large, small]), colors, alpha=1)
    second = overlay_masks(image, np.stack([small, large]), colors[::-1], alpha=1)

    assert first[1, 1, 0] == 20 and first[0, 0, 0] == 10
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize('value', [1, 255])
def test_masks_of_bytes_are_accepted(value):
    masks = np.eye(4, dtype=bool)[None]
    np.testing.assert_array_equal(instances_layer(masks),
                                  instances_layer(masks.astype(np.uint8) * value))


def test_a_single_mask_needs_no_first_axis():
    mask = np.eye(4, dtype=bool)
    np.testing.assert_array_equal(instances_layer(mask), instances_layer(mask[None]))


def test_without_instances_the_image_is_unchanged():
    image = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    np.testing.assert_array_equal(overlay_masks(image, np.zeros((0, 4, 4), bool)), image)


def test_the_contour_is_the_opaque_boundary_of_the_mask():
    mask = np.zeros((7, 7), bool)
    mask[1:6, 1:6] = True

    opacity = instances_layer(mask, alpha=0, contour=1)[:, :, 3]

    rim = mask.copy()
    rim[2:5, 2:5] = False
    np.testing.assert_array_equal(opacity == 255, rim)
    assert (opacity[~rim] == 0).all()


def test_processing_in_strips_gives_the_same_result(monkeypatch):
    rng = np.random.default_rng(0)
    masks = rng.random((5, 37, 23)) < 0.3
    image = rng.integers(0, 256, (37, 23, 3), dtype=np.uint8)
    at_once = overlay_masks(image, masks, contour=1)
    monkeypatch.setattr('chainer_seg.visualization.overlay._PIXELS_AT_ONCE', 600)
    np.testing.assert_array_equal(overlay_masks(image, masks, contour=1), at_once)


def test_the_probability_is_the_opacity():
    probability = np.array([[0.0, 0.5, 1.0]], np.float32)
    layer = probability_layer(probability, color=(9, 8, 7), alpha=0.8)
    assert layer[0, :, 3].tolist() == [0, 102, 204]  # 255 * 0.8 = 204
    assert (layer[:, :, :3] == (9, 8, 7)).all()


def test_a_probability_is_blended_over_an_image():
    image = np.full((1, 2, 3), 50, np.uint8)
    drawn = overlay_probability(image, np.array([[0.0, 1.0]]), color=(250, 0, 50), alpha=1)
    assert drawn.tolist() == [[[50, 50, 50], [250, 0, 50]]]


def test_blend_rounds_to_the_nearest():
    image = np.array([[[255, 0, 10]]], np.uint8)
    layer = np.array([[[0, 255, 20, 128]]], np.uint8)
    # (255 * 127, 255 * 128, 10 * 127 + 20 * 128) / 255 = 127, 128, 15.02
    assert blend(image, layer).tolist() == [[[127, 128, 15]]]


def test_different_sizes_are_rejected():
    with pytest.raises(ValueError, match='4x4 pixels, but the masks have 5x5'):
        overlay_masks(np.zeros((4, 4, 3), np.uint8), np.zeros((1, 5, 5), bool))


def test_too_few_colours_are_rejected():
    with pytest.raises(ValueError, match=r'colors must have shape \(2, 3\)'):
        overlay_masks(np.zeros((4, 4, 3), np.uint8), np.zeros((2, 4, 4), bool), colors=[(1, 2, 3)])


def test_first_colours_are_all_different():
    colors = instance_colors(35)
    assert len(np.unique(colors, axis=0)) == 35
    assert colors.dtype == np.uint8


def test_zero_instances_have_zero_colours():
    assert instance_colors(0).shape == (0, 3)
