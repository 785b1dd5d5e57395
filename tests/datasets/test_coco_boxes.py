"""Boxes that belong to other masks than theirs, coordinates that are no pixels, masks without any."""

import json
import logging

import numpy as np
import pytest
from PIL import Image

from chainer_seg.datasets import CocoDataset, ObjectIndex, PackedDataset, pack_dataset, validate_coco
from chainer_seg.errors import DatasetError
from chainer_seg.models.mask_rcnn import PolygonDataset

from .coco_files import annotation

HEIGHT, WIDTH = 96, 128
CORNERS = [(20, 10, 70, 50), (80, 30, 120, 90), (5, 60, 35, 92), (60, 55, 78, 80)]


def square(number, **fields):
    """A square object of CORNERS; a function of its corners is called, a field of None left out."""
    left, top, right, bottom = CORNERS[number]
    fields = {name: value(left, top, right, bottom) if callable(value) else value
              for name, value in fields.items()}
    return annotation(**{
        'id': number + 1, 'segmentation': polygon(left, top, right, bottom),
        'bbox': [left, top, right - left, bottom - top], 'area': (right - left) * (bottom - top),
        **fields})


def polygon(left, top, right, bottom):
    return [[left, top, right, top, right, bottom, left, bottom]]


def run_lengths(left, top, right, bottom):
    mask = np.zeros((WIDTH, HEIGHT), bool)  # column by column
    mask[left:right, top:bottom] = True
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask.ravel(), [False]])))
    return {'size': [HEIGHT, WIDTH], 'counts': np.diff([0, *edges, mask.size]).tolist()}


def write(folder, *annotations):
    images = folder / 'images'
    images.mkdir(exist_ok=True)
    Image.new('RGB', (WIDTH, HEIGHT)).save(images / 'a.png')
    path = folder / 'annotations.json'
    path.write_text(json.dumps({
        'images': [{'id': 7, 'file_name': 'a.png', 'height': HEIGHT, 'width': WIDTH}],
        'annotations': annotations, 'categories': [{'id': 3, 'name': 'thing'}]}))
    return path, images


def kinds(paths):
    return [problem.kind for problem in validate_coco(*paths)]


def squares(**fields):
    return [square(number, **fields) for number in range(len(CORNERS))]


@pytest.mark.parametrize('segmentation', [polygon, run_lengths])
def test_boxes_that_belong_to_their_masks_are_no_problem(tmp_path, segmentation):
    assert kinds(write(tmp_path, *squares(segmentation=segmentation))) == []


@pytest.mark.parametrize('segmentation', [polygon, run_lengths])
def test_boxes_written_as_corners_are_rejected_and_listed(tmp_path, segmentation):
    paths = write(tmp_path, *squares(
        bbox=lambda *corners: list(corners), segmentation=segmentation))
    with pytest.raises(DatasetError, match='the boxes are x1, y1, x2, y2'):
        CocoDataset(*paths)
    found = validate_coco(*paths)
    assert ('boxes as corners', True) in [(each.kind, each.fatal) for each in found]


def test_one_box_written_as_corners_among_others_is_listed_and_reported(tmp_path, caplog):
    # The box of corners must lie in the image.
    paths = write(tmp_path, *squares()[1:], square(0, bbox=[20, 10, 70, 50]))
    [problem] = validate_coco(*paths)
    assert problem.where == 'annotation 1' and 'x1, y1, x2, y2' in problem.sentence
    CocoDataset(*paths)
    [warning] = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert 'of 4 checked boxes, 1 contradict' in warning


@pytest.mark.parametrize('shift', [(12, 0), (0, -9), (8, 8)])
def test_shifted_boxes_are_listed(tmp_path, shift):
    def moved(left, top, right, bottom):
        return [left + shift[0], top + shift[1], right - left, bottom - top]
    found = kinds(write(tmp_path, square(3, bbox=moved)))
    assert found == ['box and mask']


def test_boxes_drawn_by_hand_are_no_problem(tmp_path):
    def loose(left, top, right, bottom):
        return [left - 1.5, top - 1.5, right - left + 3, bottom - top + 3]
    assert kinds(write(tmp_path, *squares(bbox=loose))) == []


def relative_box(left, top, right, bottom):
    return [left / WIDTH, top / HEIGHT, (right - left) / WIDTH, (bottom - top) / HEIGHT]


def relative_polygon(*corners):
    scales = [WIDTH, HEIGHT] * 4
    return [[value / scale for value, scale in zip(polygon(*corners)[0], scales)]]


@pytest.mark.parametrize('fields, noun', [
    ({'bbox': relative_box, 'segmentation': relative_polygon}, 'boxes and polygons'),
    ({'bbox': relative_box}, 'boxes'), ({'segmentation': relative_polygon}, 'polygons'),
    ({'bbox': None, 'segmentation': relative_polygon}, 'polygons'),
    ({'bbox': relative_box, 'segmentation': None}, 'boxes'),
    ({'bbox': relative_box, 'segmentation': run_lengths}, 'boxes')])
def test_coordinates_relative_to_the_image_are_rejected_and_listed(tmp_path, fields, noun):
    paths = write(tmp_path, *squares(**fields))
    with pytest.raises(DatasetError, match=f'all {noun} are in 0..1, relative to the size of the image'):
        CocoDataset(*paths)
    found = validate_coco(*paths)
    assert ('relative coordinates', True) in [(each.kind, each.fatal) for each in found]


def test_an_object_of_one_pixel_is_not_in_relative_coordinates(tmp_path):
    paths = write(tmp_path, annotation(segmentation=polygon(0, 0, 1, 1), bbox=[0, 0, 1, 1], area=1))
    assert len(CocoDataset(*paths)[0][1]) == 1


EMPTY_POLYGONS = {
    'a line': [[20, 10, 70, 50, 20, 10]], 'a flat line': [[20, 30, 70, 30, 45, 30]],
    'a point': [[30, 30, 30, 30, 30, 30]], 'below a pixel': [[30.1, 30.1, 30.3, 30.1, 30.2, 30.3]],
    'two points': [[20, 10, 70, 50]], 'no polygon': [], 'an empty polygon': [[]],
    'several': [[30, 30, 30, 30, 30, 30], [20, 10, 70, 50]], 'outside': [[-9, -9, -5, -9, -5, -5]],
    'no pixel': {'size': [HEIGHT, WIDTH], 'counts': [HEIGHT * WIDTH]}}


@pytest.mark.parametrize('name', EMPTY_POLYGONS)
def test_an_empty_segmentation_becomes_the_pixels_of_its_box_everywhere(tmp_path, name):
    # A square of 50 x 36 pixels beside one that is drawn.
    box = [30, 20, 50, 36]
    paths = write(tmp_path, square(1), annotation(
        id=9, segmentation=EMPTY_POLYGONS[name], bbox=box, area=None))
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[20:56, 30:80] = True
    dataset = CocoDataset(*paths)
    assert np.array_equal(dataset[0][1].masks[1], expected)
    pack_dataset(dataset, tmp_path / 'all.packed')
    packed = PackedDataset(tmp_path / 'all.packed')
    assert np.array_equal(packed.read_instances(0).masks[1], expected)
    _, drawn = ObjectIndex(dataset).read_object(1, (0, 0, WIDTH), WIDTH)
    assert np.array_equal(drawn[:HEIGHT], expected)
    _, instances, polygons = PolygonDataset(dataset)[0]
    assert polygons[0] and polygons[1] is None and np.array_equal(instances.masks[1], expected)
    found = validate_coco(*paths)
    assert found and {problem.where for problem in found} == {'annotation 9'}
    assert not any(problem.fatal for problem in found)


@pytest.mark.parametrize('name', EMPTY_POLYGONS)
def test_what_encloses_nothing_without_a_box_is_rejected_and_listed(tmp_path, name):
    paths = write(tmp_path, square(1), annotation(
        id=9, segmentation=EMPTY_POLYGONS[name], bbox=None, area=None))
    with pytest.raises(DatasetError, match='Annotation 9 of'):
        CocoDataset(*paths)[0]
    assert True in [problem.fatal for problem in validate_coco(*paths)]


def test_an_object_outside_its_image_is_reported_when_it_is_read(tmp_path, caplog):
    paths = write(tmp_path, square(1), annotation(id=9, segmentation=None, bbox=[500, 500, 9, 9]))
    dataset = CocoDataset(*paths)
    assert dataset[0][1].masks.sum(axis=(1, 2)).tolist() == [2400, 0]
    assert any('annotation 9 covers no pixel' in each.getMessage() for each in caplog.records)
    assert kinds(paths) == ['outside the image']


@pytest.mark.parametrize('segmentation, reason', [
    ([20, 10, 70, 10, 70, 50], 'a flat list of numbers'),
    ([[20, 10], [70, 10], [70, 50]], 'but pairs'), ([[[20, 10], [70, 10], [70, 50]]], 'but pairs'),
    ('20,10,70,10,70,50', 'neither polygons'), (['20,10,70,10,70,50'], 'neither polygons'),
    ([{'x': 20, 'y': 10}], 'neither polygons'), ([['20', '10', '70', '10', '70', '50']], 'finite'),
    ([[20, 10, 70, 10, 70]], 'odd number'), ({}, 'lacks its size'), (0, 'neither polygons'),
    ([[20, 10, 70, 10, 70, 10**400]], 'finite'), ([[20, 10, True, 10, 70, 50]], 'finite'),
    ([[0, 0, 120, 90] * 30_000], 'too long')])
def test_a_segmentation_in_another_form_is_rejected_and_listed(tmp_path, segmentation, reason):
    paths = write(tmp_path, square(0), square(1, segmentation=segmentation))
    with pytest.raises(DatasetError, match=reason):
        CocoDataset(*paths)[0]
    found = [problem for problem in validate_coco(*paths) if problem.fatal]
    assert len(found) == 1 and reason in found[0].sentence
