"""Sampled clicks side by side."""

import numpy as np
import pytest

from chainer_seg.models.deeplab import Click
from chainer_seg.visualization import NotebookFigure, draw_click_samples, draw_click_sheet
from chainer_seg.colors import NEGATIVE, POSITIVE


@pytest.fixture
def image(rng):
    return rng.integers(0, 256, (30, 40, 3), np.uint8)


@pytest.fixture
def mask():
    mask = np.zeros((30, 40), bool)
    mask[5:15, 5:15] = True
    return mask


def discs(ax):
    """{colour: places (x, y)} of the clicks drawn on an axis."""
    return {tuple(np.round(255 * collection.get_facecolor()[0, :3]).astype(int)):
            collection.get_offsets().tolist()
            for collection in ax.collections if collection.get_zorder() == 5}


def test_each_set_of_clicks_has_an_image_with_its_title(image, mask):
    samples = {'one': [Click(6, 7)], 'two': [Click(8, 9), Click(20, 30, False)], 'none': []}
    axes = draw_click_samples(image, mask, samples)
    assert [ax.get_title() for ax in axes] == ['one', 'two', 'none']
    assert len({id(ax.figure) for ax in axes}) == 1 and isinstance(axes[0].figure, NotebookFigure)
    assert [discs(ax) for ax in axes] == [
        {POSITIVE: [[7, 6]]}, {POSITIVE: [[9, 8]], NEGATIVE: [[30, 20]]}, {}]


def test_a_list_of_sets_has_no_titles(image, mask):
    axes = draw_click_samples(image, mask, [[Click(6, 7)], [Click(8, 9)]])
    assert [ax.get_title() for ax in axes] == ['', '']


def test_the_object_and_others_are_drawn_in_two_colours(image, mask):
    others = np.zeros((2, 30, 40), bool)
    others[0, 20:25, 20:25] = others[1, 20:25, 30:35] = True
    ax = draw_click_samples(image, mask, {'only': []}, others)[0]
    pixels, layer = (drawn.get_array() for drawn in ax.images)
    np.testing.assert_array_equal(pixels, image)
    assert tuple(layer[10, 10, :3]) == POSITIVE
    assert tuple(layer[22, 22]) == tuple(layer[22, 32]) != tuple(layer[10, 10])
    assert (layer[~(mask | others.any(axis=0)), 3] == 0).all()


def test_mask_of_another_size_is_rejected(image):
    with pytest.raises(ValueError, match='30x40 pixels, but the instances are of an image of 7x9'):
        draw_click_samples(image, np.ones((7, 9), bool), {'one': []})


def test_a_sheet_shows_each_image_with_its_object_and_its_clicks(image, mask):
    examples = [(image, mask, [Click(6, 7)]), (image[:, ::-1], ~mask, [Click(2, 3, False)])]
    axes = draw_click_sheet(examples, ['first', 'second'])
    assert [ax.get_title() for ax in axes] == ['first', 'second']
    assert [discs(ax) for ax in axes] == [{POSITIVE: [[7, 6]]}, {NEGATIVE: [[3, 2]]}]
    for ax, (shown, object_, _) in zip(axes, examples):
        pixels, layer = (drawn.get_array() for drawn in ax.images)
        np.testing.assert_array_equal(pixels, shown)
        np.testing.assert_array_equal(layer[:, :, 3] > 0, object_)
