"""ObjectIndex: all objects of a data set in arrays, and windows cut out of its images."""

import cv2
import numpy as np
import pytest

from chainer_seg import Instances
from chainer_seg.datasets import CocoDataset, ShapesDataset, write_coco
from chainer_seg.datasets.object_index import ObjectIndex, cut_window
from chainer_seg.errors import DatasetError

from .coco_files import NO_SAMPLE, SAMPLE, annotation, content, write

WHOLE = (0.0, 0.0, 30.0)  # The image of 20 x 30 pixels and a strip below it.


def index_of(folder, *annotations, **fields):
    return ObjectIndex(CocoDataset(*write(folder, content(*annotations, **fields))))


def assert_same(index, other):
    for name in ('image_numbers', 'places', 'labels', 'crowds'):
        np.testing.assert_array_equal(getattr(index, name), getattr(other, name), err_msg=name)
    np.testing.assert_allclose(index.bboxes, other.bboxes, atol=1e-3)
    np.testing.assert_allclose(index.areas, other.areas, rtol=1e-6)


def test_the_index_from_the_json_equals_that_from_all_images(tmp_path):
    drawn = ShapesDataset(6, 1, (64, 80), crowd_probability=0.5)
    path = write_coco(drawn, tmp_path / 'set')
    dataset = CocoDataset(path, path.parent / 'images')
    index = ObjectIndex(dataset)
    assert_same(index, ObjectIndex(drawn))
    assert len(index) == sum(len(dataset[i][1]) for i in range(6)) and index.crowds.any()


@pytest.mark.skipif(not SAMPLE.is_dir(), reason=NO_SAMPLE)
def test_real_annotations():
    dataset = CocoDataset(SAMPLE / 'annotations' / 'instances_val.json', SAMPLE / 'val')
    index = ObjectIndex(dataset)
    for image in range(len(dataset)):
        instances, own = dataset.read_instances(image), index.of_image(image)
        assert (index.image_numbers[own] == image).all()
        np.testing.assert_array_equal(index.places[own], np.arange(len(instances)))
        for name in ('labels', 'bboxes', 'areas', 'crowds') if len(instances) else ():
            np.testing.assert_allclose(getattr(index, name)[own], getattr(instances, name),
                                       err_msg=name)


def test_missing_box_and_area_come_from_the_mask(tmp_path):
    index = index_of(tmp_path, annotation(bbox=None, area=None))
    assert index.bboxes.tolist() == [[3, 2, 9, 8]] and index.areas.tolist() == [36]


def test_images_without_objects_have_an_empty_slice(tmp_path):
    images = [{'id': i, 'file_name': 'a.png', 'height': 20, 'width': 30} for i in (5, 7, 9)]
    index = index_of(tmp_path, annotation(), images=images)
    assert [index.of_image(i) for i in range(3)] == [slice(0, 0), slice(0, 1), slice(1, 1)]


def test_data_set_without_objects():
    index = ObjectIndex([(np.zeros((4, 4, 3), np.uint8), Instances.empty(4, 4))])
    assert len(index) == 0 and index.bboxes.shape == (0, 4)


def test_broken_annotation_is_one_sentence(tmp_path):
    with pytest.raises(DatasetError, match='no category with the id 55'):
        index_of(tmp_path, annotation(category_id=55))


def test_polygon_is_drawn_at_the_resolution_of_the_window(tmp_path):
    triangle = [[2, 2, 10, 2, 2, 10]]
    index = index_of(tmp_path, annotation(segmentation=triangle, bbox=[2, 2, 8, 8], area=32))
    image, mask = index.read_object(0, (0.0, 0.0, 12.0), 240)
    assert image.shape == (20, 30, 3)
    y, x = (np.mgrid[:240, :240] + 0.5) / 20
    expected = (x > 2) & (y > 2) & (x + y < 12)
    # A pixel of 1/20 on each side of the outline is for the rasteriser to decide.
    assert (mask != expected).sum() <= 2 * 3 * 8 * 20


@pytest.mark.parametrize('segmentation', [
    {'size': [20, 30], 'counts': [43, 6, 14, 6, 14, 6, 14, 6, 14, 6, 14, 6, 451]},
    [[2, 3, 8, 3, 8, 9, 2, 9]], None])
def test_every_kind_of_segmentation_is_rasterised(tmp_path, segmentation):
    index = index_of(tmp_path, annotation(segmentation=segmentation))
    _, mask = index.read_object(0, WHOLE, 30)
    expected = np.zeros((30, 30), bool)
    expected[3:9, 2:8] = True
    np.testing.assert_array_equal(mask, expected)


def test_broken_polygon_is_one_sentence(tmp_path):
    index = index_of(tmp_path, annotation(segmentation=[[1, 2, 'three', 4, 5, 6]]))
    with pytest.raises(DatasetError, match='a coordinate that is not a finite number'):
        index.read_object(0, WHOLE, 30)


def test_object_of_a_drawn_image():
    drawn = ShapesDataset(2, 0, (64, 64))
    index = ObjectIndex(drawn)
    image, instances = drawn[1]
    last = index.of_image(1).stop - 1
    read, mask = index.read_object(last, (0, 0, 64), 64)
    np.testing.assert_array_equal(read, image)
    np.testing.assert_array_equal(mask, instances.masks[-1])
    np.testing.assert_array_equal(index.read_image(1), image)


def test_window_of_whole_pixels_is_a_slice(rng):
    image = rng.integers(0, 256, (40, 50, 3), np.uint8)
    np.testing.assert_allclose(cut_window(image, (7, 9, 16), 16, 0), image[7:23, 9:25], atol=1e-3)


def test_shrinking_averages_whole_pixels(rng):
    image = rng.random((40, 50), dtype=np.float32)
    expected = image[4:28, 6:30].reshape(8, 3, 8, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(cut_window(image, (4, 6, 24), 8, 0), expected, atol=1e-5)


def test_enlarging_is_bilinear_between_pixel_centres():
    image = np.arange(40, dtype=np.float32)[None, :].repeat(30, axis=0)
    result = cut_window(image, (5, 10, 8), 32, 0)
    np.testing.assert_allclose(result, np.tile(10 + (np.arange(32) + 0.5) / 4 - 0.5, (32, 1)),
                               atol=1 / 32)  # OpenCV rounds places to 1/32 of a pixel.


def test_outside_the_image_is_the_fill():
    image = np.ones((10, 10, 3), np.uint8)
    result = cut_window(image, (-5, -5, 10), 10, 7.5)
    expected = np.full((10, 10, 3), 7.5)
    expected[5:, 5:] = 1
    np.testing.assert_allclose(result, expected, atol=1e-6)
    assert (cut_window(image, (50, 3, 5), 5, 7.5) == 7.5).all()


def test_large_window_is_that_of_the_padded_image(rng):
    image = cv2.GaussianBlur(rng.random((30, 40), dtype=np.float32), (0, 0), 2)
    padded = np.full((120, 120), 0.5, np.float32)
    padded[45:75, 40:80] = image
    expected = padded.reshape(20, 6, 20, 6).mean(axis=(1, 3))
    np.testing.assert_allclose(cut_window(image, (-45, -40, 120), 20, 0.5), expected, atol=1e-5)
