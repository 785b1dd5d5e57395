"""Which class of a model is which class of a data set."""

import numpy as np
import pytest

from chainer_seg.errors import DatasetError
from chainer_seg.evaluation import match_classes
from chainer_seg.instances import Instances


def objects(labels):
    return Instances(np.ones((len(labels), 2, 2), bool), labels=labels)


def test_names_are_matched_in_any_case_and_order():
    match = match_classes(('Dog', 'bird', 'CAT'), ('cat', 'dog'))
    assert match.labels.tolist() == [1, -1, 0] and match.missing == ()


def test_names_of_pascal_match_those_of_coco():
    match = match_classes(('aeroplane', 'sofa', 'tvmonitor'), ('couch', 'airplane', 'tv'))
    assert match.labels.tolist() == [1, 0, 2]


def test_predictions_get_the_labels_of_the_data_set():
    found = match_classes(('dog', 'bird', 'cat'), ('cat', 'dog')).found(objects([2, 1, 0, 0]))
    assert found.labels.tolist() == [0, 1, 1] and found.class_names == ('cat', 'dog')


def test_ground_truth_of_unknown_classes_is_skipped_when_matching_by_name():
    match = match_classes(('dog',), ('cat', 'dog'), by='name')
    assert match.missing == ('cat',)
    assert match.truth(objects([0, 1, 1])).labels.tolist() == [1, 1]


def test_a_model_without_names_is_matched_by_number():
    assert match_classes((), ('cat', 'dog'), count=2).labels.tolist() == [0, 1]


@pytest.mark.parametrize('model, options, sentence', [
    (('cow',), {}, 'The model finds cow, and the data set has cat, dog: no class has the same name'),
    (('cat',), {}, 'The model does not have dog of the data set'),
    ((), {'count': 3}, 'The model has 3 classes and the data set 2'),
    (('cat',), {'by': 'number'}, 'The model has 1 classes and the data set 2')])
def test_classes_that_do_not_match_are_an_error(model, options, sentence):
    with pytest.raises(DatasetError, match=sentence):
        match_classes(model, ('cat', 'dog'), **options)


def test_labels_of_pixels_become_those_of_the_data_set_or_its_background():
    match = match_classes(('background', 'Dog', 'bird', 'cat'), ('background', 'cat', 'dog'))
    found = match.found_labels(np.array([[0, 1], [2, 3]]))
    assert found.tolist() == [[0, 2], [0, 1]] and found.dtype == np.int32


def test_ground_truth_pixels_of_unknown_classes_are_void():
    match = match_classes(('background', 'bird', 'dog'), ('background', 'cat', 'dog'), by='name')
    assert match.truth_labels(np.array([0, 1, 2, -1])).tolist() == [0, -1, 2, -1]


def test_classes_that_differ_in_case_are_different():
    assert match_classes(('car', 'Car'), ('Car', 'car')).labels.tolist() == [1, 0]
    with pytest.raises(DatasetError, match='The model does not have car of the data set'):
        match_classes(('Car',), ('Car', 'car'))
