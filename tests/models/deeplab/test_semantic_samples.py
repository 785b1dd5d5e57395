"""Training samples of DeepLab: every pixel keeps its label, and what is beside the image is void."""

import numpy as np
import pytest

from chainer_seg.models.deeplab import SemanticSamples
from chainer_seg.models.deeplab.preparation import CAFFE_MEAN_BGR
from chainer_seg.models.deeplab.semantic_samples import resize_labels


def numbered(height, width):
    """An image that is told from its labels: a pixel's red, and its label, is 10 * row + column."""
    labels = (10 * np.arange(height)[:, None] + np.arange(width)).astype(np.int32)
    image = np.zeros((height, width, 3), np.uint8)
    image[:, :, 0] = labels
    return image, labels


def reds(image):
    """The red channel of a sample, with its mean, as whole numbers."""
    return np.round(image[2] + CAFFE_MEAN_BGR[2]).astype(int)


@pytest.mark.parametrize('mirror', [0, 1])
def test_crop_and_mirror_keep_pixels_and_labels_aligned(mirror):
    samples = SemanticSamples((5, 6), (1, 1), mirror)
    for seed in range(20):
        image, labels = samples(numbered(12, 10), np.random.default_rng(seed))
        assert image.shape == (3, 5, 6) and image.dtype == np.float32
        assert labels.shape == (5, 6) and labels.dtype == np.int32
        np.testing.assert_array_equal(reds(image), labels)
        assert (np.diff(labels, axis=1) == (-1 if mirror else 1)).all()
        assert (np.diff(labels, axis=0) == 10).all()


def test_crops_cover_the_whole_image():
    samples = SemanticSamples((5, 6), (1, 1), 0)
    corners = {int(samples(numbered(7, 8), np.random.default_rng(seed))[1][0, 0])
               for seed in range(200)}
    assert corners == {10 * row + column for row in range(3) for column in range(3)}


def test_padding_is_void_and_has_the_mean_colour():
    image, labels = SemanticSamples((6, 14), (1, 1), 0)(numbered(4, 9), np.random.default_rng(0))
    np.testing.assert_array_equal(labels[:4, :9], numbered(4, 9)[1])
    assert (labels[4:] == -1).all() and (labels[:, 9:] == -1).all()
    assert not image[:, 4:].any() and not image[:, :, 9:].any()


def test_one_side_can_be_cropped_and_the_other_padded():
    _, labels = SemanticSamples((3, 12), (1, 1), 0)(numbered(8, 9), np.random.default_rng(3))
    assert (labels[:, :9] >= 0).all() and (labels[:, 9:] == -1).all()
    assert (np.diff(labels[:, 0]) == 10).all()


def test_scales_are_drawn_from_their_range(rng):
    samples = SemanticSamples((200, 200), (0.5, 1.5), 0)
    sides = []
    for seed in range(60):
        _, labels = samples((np.zeros((100, 80, 3), np.uint8), np.ones((100, 80), np.int32)),
                            np.random.default_rng(seed))
        height, width = (labels == 1).any(axis=1).sum(), (labels == 1).any(axis=0).sum()
        assert abs(height - width / 0.8) < 2
        sides.append(height)
    assert 50 <= min(sides) < 60 and 140 < max(sides) <= 150


def test_void_is_preserved_at_every_scale():
    labels = np.full((40, 30), -1, np.int32)
    for seed in range(10):
        sample = SemanticSamples((21, 21))((np.zeros((40, 30, 3), np.uint8), labels),
                                           np.random.default_rng(seed))
        assert (sample[1] == -1).all()


@pytest.mark.parametrize('size', [(8, 12), (2, 3), (4, 6), (1, 1), (5, 7)])
def test_labels_are_resized_by_nearest_neighbour(rng, size):
    labels = rng.integers(-1, 21, (4, 6)).astype(np.int32)
    found = resize_labels(labels, size)
    for row in range(size[0]):
        for column in range(size[1]):
            y, x = (row + 0.5) * 4 / size[0], (column + 0.5) * 6 / size[1]
            assert found[row, column] == labels[int(y), int(x)]


def test_the_seed_determines_the_sample():
    first, second = (SemanticSamples((9, 9))(numbered(12, 10), np.random.default_rng(5))
                     for _ in range(2))
    for a, b in zip(first, second):
        np.testing.assert_array_equal(a, b)
