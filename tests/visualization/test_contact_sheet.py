"""Sheets of small images: where each lies, and what is drawn into it."""

import numpy as np

from chainer_seg.instances import Instances
from chainer_seg.visualization import contact_sheet, overlay_detections
from chainer_seg.visualization.contact_sheet import shrink_example


def plain(height, width, value):
    return np.full((height, width, 3), value, np.uint8), Instances.empty(height, width)


def test_rows_are_as_tall_as_their_tallest_image():
    sheet = contact_sheet([plain(20, 30, 10), plain(10, 40, 20), plain(30, 30, 30)], columns=2, side=40)
    assert sheet.shape == (6 + 20 + 6 + 30 + 6, 6 + 40 + 6 + 40 + 6, 3)
    assert (sheet[6:26, 6:36] == 10).all() and (sheet[6:16, 52:92] == 20).all()
    assert (sheet[32:62, 6:36] == 30).all()
    for value, pixels in ((10, 600), (20, 400), (30, 900)):
        assert (sheet == value).all(axis=2).sum() == pixels


def test_large_images_are_shrunk():
    assert contact_sheet([plain(400, 800, 0)], columns=1, side=100).shape == (50 + 12, 100 + 12, 3)


def test_objects_are_shrunk_with_their_image():
    masks = np.zeros((1, 40, 80), bool)
    masks[0, 8:16, 20:40] = True
    points = np.array([[[8, 20, 2], [16, 40, 0]]], np.float32)
    image, instances = shrink_example(np.zeros((40, 80, 3), np.uint8), Instances(
        masks, labels=[1], scores=[0.5], keypoints=points, class_names=('a', 'b'), crowds=[True]), 20)
    assert image.shape == (10, 20, 3) and instances.image_size == (10, 20)
    assert instances.bboxes.tolist() == [[2, 5, 4, 10]]
    assert instances.masks.sum() == 2 * 5 and instances.masks[0, 2:4, 5:10].all()
    assert instances.keypoints.tolist() == [[[2, 5, 2], [4, 10, 0]]]
    assert instances.name(0) == 'b' and instances.crowds[0] and instances.scores[0] == 0.5


def test_options_apply_to_objects_and_captions(rng):
    image = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    masks = np.zeros((1, 60, 80), bool)
    masks[0, 20:50, 30:60] = True
    instances = Instances(masks, class_names=('thing',))
    sheet = contact_sheet([(image, instances)], 1, 80, ['first'], labels=False)
    expected = overlay_detections(image, instances, labels=False, caption='first')
    np.testing.assert_array_equal(sheet[6:66, 6:86], expected)
