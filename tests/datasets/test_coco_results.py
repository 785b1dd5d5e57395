"""Files of results are opened with the data set that they belong to, or refused in a sentence."""

import json

import numpy as np
import pytest

from chainer_seg.datasets import ExampleList
from chainer_seg.datasets.coco_results import CocoResults
from chainer_seg.errors import DatasetError
from tests.synthetic import squares

NAMES = ('cat', 'dog')
IMAGE = np.zeros((200, 200, 3), np.uint8)


@pytest.fixture
def dataset():
    return ExampleList([(IMAGE, squares((0, 0), labels=[1], class_names=NAMES)),
                        (IMAGE, squares((80, 80), labels=[0], class_names=NAMES))], NAMES)


@pytest.fixture
def results():
    """A dog in the second image."""
    return squares((80, 90), labels=[1], scores=[0.5]).to_coco_results(2)


def write(path, results, *names):
    path.write_text(json.dumps([{name: each[name] for name in ('image_id', 'category_id', 'score', *names)}
                                for each in results]))
    return path


def test_masks_are_read_from_the_folder_of_an_evaluation(tmp_path, dataset, results):
    write(tmp_path / 'segm.json', results, 'segmentation')
    write(tmp_path / 'bbox.json', results, 'bbox')
    found = CocoResults.read(tmp_path, dataset)
    assert found.kind == 'segm' and len(found) == 2 and len(found[0]) == 0
    np.testing.assert_array_equal(found[1].masks, squares((80, 90)).masks)
    assert found[1].class_names == NAMES and found[1].labels.tolist() == [1]
    assert [len(each) for each in found[:2]] == [0, 1]


def test_boxes_are_read_without_masks(tmp_path, dataset, results):
    found = CocoResults.read(write(tmp_path / 'bbox.json', results, 'bbox'), dataset)
    assert found.kind == 'bbox' and not found[1].masks.any()
    assert found[1].bboxes.tolist() == [[80, 90, 120, 130]]


def test_results_of_other_images_are_refused(dataset, results):
    with pytest.raises(DatasetError, match='detections in an image 7, which the data set does not have'):
        CocoResults([{**results[0], 'image_id': 7}], dataset)


def test_files_without_masks_and_boxes_are_refused(tmp_path, dataset, results):
    with pytest.raises(DatasetError, match='must all have a segmentation, or all a bbox'):
        CocoResults.read(write(tmp_path / 'a.json', results), dataset)
    with pytest.raises(DatasetError, match='has neither segm.json nor bbox.json'):
        CocoResults.read(tmp_path, dataset)
    with pytest.raises(DatasetError, match='no.json'):
        CocoResults.read(tmp_path / 'no.json', dataset)
    (tmp_path / 'b.json').write_text('{"figures": 1}')
    with pytest.raises(DatasetError, match='is not what it should be'):
        CocoResults.read(tmp_path / 'b.json', dataset)
