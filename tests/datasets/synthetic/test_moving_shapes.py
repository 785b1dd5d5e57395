"""The drawn video: deterministic, and its objects move a little from frame to frame."""

import cv2
import numpy as np
import pytest

from chainer_seg.datasets import MovingPlainShapes, MovingShapes
from chainer_seg.datasets.synthetic.plain_shapes import PLAIN_CLASSES
from chainer_seg.errors import DatasetError
from chainer_seg.masks import mask_iou


def test_a_frame_is_a_image_and_its_objects():
    image, instances = MovingShapes(10, seed=2, size=(60, 80), classes=('ring', 'star'))[7]
    assert image.shape == (60, 80, 3) and image.dtype == np.uint8
    assert instances.image_size == (60, 80) and instances.class_names == ('ring', 'star')
    assert instances.masks.sum(axis=0).max() == 1


def test_a_frame_depends_on_seed_and_index_alone():
    first = MovingShapes(9, seed=2, size=(60, 80))
    first[0]
    assert np.array_equal(first[8][0], MovingShapes(10 ** 6, seed=2, size=(60, 80))[8][0])
    assert not np.array_equal(first[8][0], MovingShapes(9, seed=3, size=(60, 80))[8][0])


def test_objects_move_but_only_a_little():
    frames = MovingShapes(200, size=(90, 120), objects=1, classes=('circle',))
    masks = np.concatenate([frames[index][1].masks for index in (20, 21, 60)])
    overlap = mask_iou(masks[:1], masks)[0]
    assert 0.7 < overlap[1] < 1 and overlap[2] < 0.5


def test_objects_never_leave():
    frames = MovingShapes(10 ** 6, size=(90, 120), objects=1, classes=('circle',))
    assert all(len(frames[index][1]) == 1 for index in range(0, 10 ** 6, 50_021))


def test_only_what_masks_cover_changes():
    """What changes from one frame to another is what the masks cover."""
    frames = MovingShapes(50, size=(90, 120), objects=1, classes=('circle',))
    (first, one), (second, other) = frames[0], frames[40]
    still = ~(one.masks[0] | other.masks[0])
    change = np.abs(first.astype(int) - second).mean(axis=2)
    assert change[still].mean() < 8 < change[~still].mean()


def test_plain_shapes_have_one_colour_each():
    image, instances = MovingPlainShapes(5, seed=1, size=(90, 120))[3]
    assert len(instances) >= 3 and set(instances.class_names) == set(PLAIN_CLASSES)
    for mask in instances.masks:
        inside = cv2.erode(mask.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        assert image[inside].std(axis=0).max() < 8  # the noise


@pytest.mark.parametrize('wrong, sentence', [
    ({'classes': ('cat',)}, 'classes must be names of silhouettes'),
    ({'classes': ()}, 'classes must be names of silhouettes'),
    ({'size': (8, 80)}, 'at least 16 pixels'), ({'length': -1}, 'must not be negative'),
    ({'objects': -1}, 'at least 0')])
def test_arguments_that_allow_no_video_are_one_sentence(wrong, sentence):
    with pytest.raises(DatasetError, match=sentence):
        MovingShapes(**wrong)
