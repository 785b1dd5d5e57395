import copy
import json
import pickle

import numpy as np
import pytest

from chainer_seg import Instances
from chainer_seg.errors import UserError
from chainer_seg.run_length_masks import RunLengthMasks


FIELDS = ('masks', 'bboxes', 'labels', 'scores', 'keypoints', 'crowds', 'areas')


@pytest.fixture(params=['array', 'runs'])
def instances(request, rng):
    """Three objects, made from both forms of masks."""
    masks = np.zeros((3, 6, 8), bool)
    masks[0, 1:3, 2:5] = masks[1, 4:6, 0:2] = masks[2, 0, 7] = True
    return Instances(
        masks if request.param == 'array' else RunLengthMasks.from_masks(masks), labels=[1, 0, 1],
        scores=[0.9, 0.5, 0.1], class_names=('cat', 'dog'), keypoints=rng.integers(0, 6, (3, 2, 3)))


def test_omitted_values_have_their_defaults():
    masks = np.zeros((2, 4, 5), bool)
    masks[0, 1, 1:3] = True
    made = Instances(masks)
    assert made.bboxes.tolist() == [[1, 1, 2, 3], [0, 0, 0, 0]]
    assert made.labels.tolist() == [0, 0] and made.scores.tolist() == [1, 1]
    assert made.crowds.tolist() == [False, False] and made.keypoints is None


def test_types_are_those_of_the_contract(instances):
    assert instances.masks.dtype == bool and instances.bboxes.dtype == np.float32
    assert instances.labels.dtype == np.int32 and instances.scores.dtype == np.float32
    assert instances.keypoints.dtype == np.float32 and instances.crowds.dtype == bool


@pytest.mark.parametrize('wrong', [
    {'bboxes': np.zeros((2, 4))}, {'labels': [1]}, {'scores': np.zeros((3, 1))},
    {'keypoints': np.zeros((3, 4))}, {'areas': [1, 2]}])
def test_arrays_that_do_not_fit_are_rejected(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Instances(np.zeros((3, 4, 5), bool), **wrong)


@pytest.mark.parametrize('index, expected', [
    (1, [0.5]), (-1, [0.1]), (slice(0, 2), [0.9, 0.5]), ([2, 0], [0.1, 0.9]),
    (np.array([True, False, True]), [0.9, 0.1]), ([], [])])
def test_indexing_picks_objects(instances, index, expected):
    picked = instances[index]
    np.testing.assert_allclose(picked.scores, expected)
    assert len(picked) == len(picked.masks) == len(picked.keypoints) == len(expected)
    assert picked.class_names == ('cat', 'dog')
    if not isinstance(index, int):
        np.testing.assert_array_equal(picked.masks, instances.masks[index])


def test_index_beyond_the_end_is_an_error(instances):
    with pytest.raises(IndexError):
        instances[3]


def test_both_forms_of_masks_are_the_same(instances):
    np.testing.assert_array_equal(instances.masks, instances.runs.to_masks())
    assert instances.masks.shape == (3, *instances.image_size)


def test_masks_cannot_be_changed(instances):
    with pytest.raises(ValueError, match='read-only'):
        instances.masks[0] = True


def test_an_array_stays_writeable_for_its_owner():
    masks = np.zeros((1, 2, 3), bool)
    assert not Instances(masks).masks.flags.writeable
    masks[0] = True
    assert masks.flags.writeable and masks.all()


def test_areas_are_those_of_the_masks_unless_they_are_annotated(instances):
    assert instances.pixel_areas.tolist() == [6, 4, 1]
    assert Instances(instances.runs, areas=[5.5, 4, 2]).pixel_areas.tolist() == [5.5, 4, 2]


@pytest.mark.parametrize('how', [copy.copy, copy.deepcopy, lambda each: pickle.loads(pickle.dumps(each))])
def test_copies_are_equal_and_cannot_be_changed_either(instances, how):
    copied = how(instances)
    for field in FIELDS:
        np.testing.assert_array_equal(getattr(copied, field), getattr(instances, field))
    assert copied.class_names == instances.class_names and not copied.masks.flags.writeable


def test_pickles_do_not_grow_with_the_image():
    mask = np.zeros((1, 1000, 1000), bool)
    mask[0, 100:200, 100:200] = True
    assert len(pickle.dumps(Instances(mask))) < 10_000


def test_other_classes_leave_the_rest(instances):
    renamed = instances.with_classes([0, 2, 1], ('a', 'b', 'c'))
    assert [renamed.name(number) for number in range(3)] == ['a', 'c', 'b']
    assert instances.name(0) == 'dog'
    for field in set(FIELDS) - {'labels'}:
        np.testing.assert_array_equal(getattr(renamed, field), getattr(instances, field))
    with pytest.raises(ValueError, match='labels'):
        instances.with_classes([0], ('a',))


def test_filtering_by_score(instances):
    assert instances.above(0.5).scores.tolist() == pytest.approx([0.9, 0.5])


def test_iteration_yields_one_object_at_a_time(instances):
    assert [len(each) for each in instances] == [1, 1, 1]


def test_empty_has_the_size_of_its_image():
    empty = Instances.empty(4, 5, ('cat',), keypoints=17)
    assert len(empty) == 0 and empty.image_size == (4, 5) and empty.keypoints.shape == (0, 17, 3)
    assert empty.to_coco_results(1) == []


def test_coco_results_and_back(instances):
    results = json.loads(json.dumps(instances.to_coco_results(42, category_ids=[18, 7])))
    assert [result['category_id'] for result in results] == [7, 18, 7]
    assert results[0]['image_id'] == 42 and results[0]['bbox'] == [2, 1, 3, 2]
    back = Instances.from_coco_results(results, (6, 8), [18, 7], ('cat', 'dog'))
    for name in ('masks', 'bboxes', 'labels', 'scores', 'keypoints'):
        np.testing.assert_array_equal(getattr(back, name), getattr(instances, name))


def test_keypoints_of_results_are_x_before_y(instances):
    y, x, visible = instances.keypoints[0, 0].tolist()
    assert instances.to_coco_results(1)[0]['keypoints'][:3] == [x, y, visible]


def test_unknown_category_of_results_is_named(instances):
    results = instances.to_coco_results(1, category_ids=[18, 7])
    with pytest.raises(UserError, match=r'\[7\]'):
        Instances.from_coco_results(results, (6, 8), category_ids=[18])


def test_text_counts_the_classes(instances):
    assert repr(instances) == 'Instances(3 in 6x8: 2 dog, 1 cat)'


def test_label_without_a_name_is_shown_as_a_number():
    assert Instances(np.zeros((1, 2, 2), bool), labels=[5]).name(0) == '5'


def test_notebook_shows_text_and_image(instances):
    shown = instances._repr_html_()
    assert '2 dog' in shown and '<img' in shown


CODE = {'size': [4, 5], 'counts': '52='}


@pytest.mark.parametrize('change', [
    {'score': 'high'}, {'score': float('nan')}, {'segmentation': None}, {'bbox': None}, {'bbox': [1, 2]},
    {'keypoints': [1, 2]}, {'keypoints': 'x'}, {'category_id': 10 ** 20}, {'category_id': 1.5}])
def test_results_of_another_form_are_one_sentence(change):
    good = {'score': 0.5, 'category_id': 1, 'segmentation': CODE, 'bbox': [0, 0, 1, 1],
            'keypoints': [1, 2, 2]}
    assert len(Instances.from_coco_results([good], (4, 5))) == 1
    with pytest.raises(UserError):
        Instances.from_coco_results([{**good, **change}], (4, 5))
    for name in ('score', 'segmentation', 'category_id'):
        with pytest.raises(UserError):
            Instances.from_coco_results([{key: value for key, value in good.items() if key != name}], (4, 5))
