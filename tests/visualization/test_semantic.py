"""Classes of pixels as colours: on the image, in its legend, and on figures."""

import numpy as np
import pytest

from chainer_seg.label_images import VOC_COLORS
from chainer_seg.visualization import NotebookFigure, draw_labels, draw_semantic, labels_layer, overlay_labels
from chainer_seg.visualization.semantic import legend_of
from chainer_seg.visualization.text import text_height, text_patch

NAMES = ('background', 'cat', 'dog', 'cow')


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)


@pytest.fixture
def labels():
    """A small cat, a large cow and a strip of void; no dog."""
    labels = np.zeros((60, 90), np.int32)
    labels[40:50, 10:20] = 1
    labels[20:58, 30:80] = 3
    labels[59] = -1
    return labels


def test_colours_are_blended_with_the_image_except_for_the_background(image, labels):
    found = overlay_labels(image, labels, legend=False, alpha=0.4)
    assert (found[labels == 0] == image[labels == 0]).all()
    for label in (1, 3, -1):
        there = labels == label
        expected = image[there] * 0.6 + VOC_COLORS[label] * 0.4
        assert np.abs(found[there] - expected).max() <= 1


def test_opaque_labels_have_the_colours_of_voc(image, labels):
    found = overlay_labels(image, labels, legend=False, alpha=1)
    assert (found[45, 15] == (128, 0, 0)).all() and (found[30, 50] == (128, 128, 0)).all()
    assert (found[59, 0] == (224, 224, 192)).all()


def test_the_legend_lists_the_classes_by_area(labels):
    assert legend_of(labels, NAMES) == [('cow', (128, 128, 0)), ('cat', (128, 0, 0)),
                                        ('void', (224, 224, 192))]
    assert [name for name, _ in legend_of(labels)] == ['3', '1', 'void']


def test_the_legend_is_in_the_upper_left_corner(image, labels):
    plain, found = (overlay_labels(image, labels, NAMES, legend=legend) for legend in (False, True))
    top = 0
    for name, color in legend_of(labels, NAMES):
        patch = text_patch(name, text_height(image), color)
        part = found[top:top + patch.shape[0], :patch.shape[1]]
        np.testing.assert_array_equal(part, patch)
        plain[top:top + patch.shape[0], :patch.shape[1]] = patch
        top += patch.shape[0]
    np.testing.assert_array_equal(found, plain)


def test_a_long_legend_continues_in_the_next_column():
    image, labels = np.zeros((40, 300, 3), np.uint8), np.zeros((40, 300), int)
    labels[-1, :6] = np.arange(1, 7)
    found = overlay_labels(image, labels, legend=True)
    patches = [text_patch(name, text_height(image), color) for name, color in legend_of(labels)]
    high, wide = patches[0].shape[:2]
    per_column = 40 // high
    assert per_column < 6
    np.testing.assert_array_equal(found[:high, wide:2 * wide], patches[per_column])


@pytest.mark.parametrize('size', [(1, 1), (1, 30), (30, 1)])
def test_tiny_images_have_a_legend(size):
    labels = np.full(size, 2)
    found = overlay_labels(np.zeros((*size, 3), np.uint8), labels, NAMES)
    assert found.shape == (*size, 3)


def test_an_image_of_another_size_is_an_error(image, labels):
    with pytest.raises(ValueError, match='but the masks have'):
        overlay_labels(image[:-1], labels)
    with pytest.raises(ValueError, match='60x89 pixels, but the labels have 60x90'):
        draw_labels(image[:, :-1], labels)


def test_more_classes_than_colours_repeat():
    layer = labels_layer(np.array([[3, 259]]))
    assert (layer[0, 0] == layer[0, 1]).all()


def test_labels_are_drawn_beside_a_legend(image, labels):
    ax = NotebookFigure().add_subplot()
    assert draw_labels(image, labels, NAMES, ax) is ax
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ['cow', 'cat', 'void']
    np.testing.assert_array_equal(ax.images[1].get_array(), labels_layer(labels, 0.65))
    assert draw_labels(image, labels, legend=False).get_legend() is None


def test_labels_alone_are_drawn_opaque(labels):
    shown = draw_labels(None, labels).images[0].get_array()
    assert (shown[:, :, 3] == 255).all() and (shown[0, 0, :3] == 0).all()


def test_large_labels_are_shrunk_without_new_classes():
    labels = np.repeat([[1, 4]], 3000, axis=1).repeat(9, axis=0)
    shown = draw_labels(None, labels, legend=False).images[0].get_array()
    assert shown.shape[1] == 1600
    assert len(np.unique(shown.reshape(-1, 4), axis=0)) == 2


def test_image_truth_and_labels_are_drawn_side_by_side(image, labels):
    truth = labels.clip(0)
    truth[:3] = 2
    axes = draw_semantic(image, labels, NAMES, truth)
    legend, = axes[0].figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ['cow', 'dog', 'cat', 'void']
    assert [ax.get_title() for ax in axes] == ['image', 'ground truth', 'prediction']
    assert len({ax.figure for ax in axes}) == 1 and axes[0].figure._repr_png_()[1:4] == b'PNG'
    assert len(draw_semantic(image, labels)) == 2
