"""Thumbnails: decode the image in the HTML and look at its pixels."""

import base64
import re

import cv2
import numpy as np

from chainer_seg.instances import Instances
from chainer_seg.thumbnail import instances_thumbnail
from chainer_seg.colors import instance_colors


def decode(html):
    """The image in an <img> element as (H, W, 3) RGB."""
    data = base64.b64decode(re.search(r'base64,([^"]+)"', html).group(1))
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]


def test_pixels_have_the_colours_of_their_objects():
    masks = np.zeros((2, 4, 6), bool)
    masks[0, :2] = True
    masks[1, 3, :3] = True
    image = decode(instances_thumbnail(Instances(masks)))
    colors = instance_colors(2)
    assert (image[:2] == colors[0]).all()
    assert (image[3, :3] == colors[1]).all()
    assert (image[2] == image[3, 5]).all()


def test_no_objects_give_a_plain_image():
    image = decode(instances_thumbnail(Instances.empty(50, 80)))
    assert image.shape == (50, 80, 3)
    assert (image == image[0, 0]).all()


def test_huge_masks_are_shrunk_first():
    masks = np.zeros((1, 6000, 4000), bool)
    masks[0, :3000] = True
    html = instances_thumbnail(Instances(masks), longest_side=60)
    image = decode(html)
    assert image.shape == (60, 40, 3)
    assert (image[:30] == instance_colors(1)[0]).all() and (image[30] == image[59]).all()
    assert len(html) < 2000


def test_keypoints_are_drawn_where_they_are_after_shrinking():
    masks = np.ones((1, 100, 200), bool)
    points = np.float32([[[20, 160, 2], [80, 40, 0]]])
    image = decode(instances_thumbnail(Instances(masks, keypoints=points), longest_side=100))
    assert (image[10, 80] == 255).all()
    assert (image[40, 20] == instance_colors(1)[0]).all()


def test_an_image_without_pixels_has_an_empty_thumbnail():
    assert instances_thumbnail(Instances.empty(0, 0)) == ''


def test_instances_show_themselves_with_it():
    html = Instances.empty(5, 5)._repr_html_()
    assert '<img' in html
