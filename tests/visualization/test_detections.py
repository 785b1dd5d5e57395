"""Detections drawn into pixels: what lies where, by hand."""

import numpy as np
import pytest

from chainer_seg.instances import Instances
from chainer_seg.visualization import overlay_detections, overlay_masks
from chainer_seg.visualization.skeletons import skeleton_lines
from chainer_seg.visualization.text import text_patch

RED, BLUE = (200, 20, 20), (20, 20, 200)


@pytest.fixture
def image():
    return np.full((100, 120, 3), 90, np.uint8)


@pytest.fixture
def found():
    """A wide object above and a small one below."""
    masks = np.zeros((2, 100, 120), bool)
    masks[0, 30:50, 20:100] = True
    masks[1, 70:90, 40:60] = True
    return Instances(masks, labels=[0, 1], scores=[0.9, 0.8], class_names=('cat', 'dog'))


def changed(overlay, image):
    """(H, W) bool: the pixels that are not as in the image."""
    return (overlay != image).any(axis=2)


def draw(image, found, **options):
    shown = {'alpha': 0, 'boxes': False, 'labels': False, 'keypoints': False, **options}
    return overlay_detections(image, found, colors=[RED, BLUE][:len(found)], **shown)


def test_with_everything_omitted_nothing_is_drawn(image, found):
    assert not changed(draw(image, found), image).any()


def test_masks_are_drawn_like_overlay_masks(image, found):
    assert np.array_equal(draw(image, found, alpha=0.3, contour=True), overlay_masks(
        image, found.masks, [RED, BLUE], 0.3, contour=1))


def test_a_box_is_drawn_around_its_pixels(image, found):
    overlay = draw(image, found[1:], boxes=True)
    rim = found.masks[1].copy()
    rim[71:89, 41:59] = False
    assert np.array_equal(changed(overlay, image), rim)
    assert (overlay[rim] == RED).all()


def test_a_box_beyond_the_image_is_drawn_at_the_edge(image, found):
    found.bboxes[0] = (-30, -20, 300, 400)
    overlay = draw(image, found[:1], boxes=True)
    assert (overlay[0] == RED).all() and (overlay[:, -1] == RED).all()
    assert not changed(overlay, image)[1:-1, 1:-1].any()


def test_labels_are_above_their_objects(image, found):
    rows, columns = np.nonzero(changed(draw(image, found[:1], labels=True), image))
    assert rows.max() == 29 and columns.min() == 20
    height, width = text_patch('cat 0.90', 9, RED).shape[:2]
    assert rows.min() == 30 - height and columns.max() == 20 + width - 1


def test_labels_have_scores_only_where_there_are_some(image, found):
    with_scores = changed(draw(image, found, labels=True), image).sum()
    found.scores[:] = 1
    assert changed(draw(image, found, labels=True), image).sum() < with_scores


def test_labels_do_not_cover_one_another(image, found):
    both = found[[0, 0]]
    both.bboxes[1, 1] += 1
    ones = [changed(draw(image, each, labels=True), image).sum() for each in both]
    assert changed(draw(image, both, labels=True), image).sum() == sum(ones)


def test_a_label_is_inside_the_image(image):
    mask = np.zeros((1, 100, 120), bool)
    mask[0, 0:4, 116:] = True
    corner = Instances(mask, scores=[0.5], class_names=('a thing',))
    rows, columns = np.nonzero(changed(draw(image, corner, labels=True), image))
    height, width = text_patch('a thing 0.50', 9, RED).shape[:2]
    assert rows.size == height * width and columns.max() == 119 and rows.min() == 0


def test_a_label_wider_than_the_image_is_cropped(found):
    small = np.zeros((100, 20, 3), np.uint8)
    narrow = Instances(found.masks[:, :, :20], class_names=('a very long name', 'another'))
    assert draw(small, narrow, labels=True).shape == small.shape


def test_the_caption_is_in_the_corner(image, found):
    rows, columns = np.nonzero(changed(draw(image, found, caption='12.5 FPS'), image))
    assert rows.min() == columns.min() == 0 and rows.max() < 20


def test_text_is_black_on_light_and_white_on_dark():
    assert text_patch('word', 12, (255, 255, 0)).min() == 0
    assert text_patch('word', 12, (0, 0, 80)).max() > 240


def test_lines_connect_annotated_keypoints(image, found):
    points = np.zeros((1, 3, 3), np.float32)
    points[0] = [(60, 10, 2), (60, 50, 1), (90, 90, 0)]
    one = Instances(found.masks[:1], keypoints=points)
    overlay = draw(image, one, keypoints=True, skeleton=((0, 1), (1, 2)))
    touched = changed(overlay, image)
    assert touched[60, 10:51].all() and not touched[66:].any()
    assert (overlay[60, 10] == RED).all()


def test_lines_of_a_person_have_their_object():
    keypoints = np.zeros((2, 17, 3), np.float32)
    keypoints[0, [13, 15]] = [(5, 6, 2), (7, 8, 1)]  # left knee and ankle
    keypoints[1, [5, 6, 7]] = [(1, 1, 2), (1, 4, 2), (3, 1, 2)]  # shoulders and the left elbow
    lines, owner = skeleton_lines(keypoints)
    assert owner.tolist() == [0, 1, 1]
    assert lines[0].tolist() == [[7, 8], [5, 6]]


def test_other_keypoints_have_no_lines_unless_given():
    keypoints = np.ones((1, 4, 3), np.float32)
    assert len(skeleton_lines(keypoints)[0]) == 0
    assert len(skeleton_lines(keypoints, ((0, 3),))[0]) == 1


def test_without_objects_the_image_is_unchanged(image):
    empty = Instances.empty(100, 120, keypoints=17)
    assert np.array_equal(overlay_detections(image, empty), image)
