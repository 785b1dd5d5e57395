"""Which objects are clicked on: by size and class, and a number of each class from different images."""

import numpy as np
import pytest

from chainer_seg import Instances
from chainer_seg.datasets import CocoDataset
from chainer_seg.published_classes import COCO_NAMES
from chainer_seg.errors import DatasetError
from chainer_seg.evaluation import find_labels, sample_objects
from chainer_seg.evaluation.object_choice import objects_of_classes

SIZE = 20, 30


def squares(*sides, labels=None, crowds=None):
    """An image with squares of these sides, one over the other in the corner."""
    masks = np.zeros((len(sides), *SIZE), bool)
    for mask, side in zip(masks, sides):
        mask[:side, :side] = True
    return Instances(masks, labels=labels, crowds=crowds)


def dataset_of(*instances):
    return [(np.zeros((*SIZE, 3), np.uint8), each) for each in instances]


def test_crowds_small_objects_and_other_classes_are_not_usable():
    instances = squares(4, 5, 6, 7, 8, labels=[0, 1, 0, 1, 2], crowds=[False] * 3 + [True, False])
    assert objects_of_classes(instances, 25).tolist() == [1, 2, 4]
    assert objects_of_classes(instances, 25, labels=(0, 2)).tolist() == [2, 4]


def test_sample_has_objects_of_each_class_from_different_images(rng):
    dataset = dataset_of(*[squares(5, 6, 7, labels=[0, 0, 1])] * 6, squares(9, labels=[2]))
    chosen = sample_objects(dataset, 4, rng, least_area=1)
    labels = [(number, int(dataset[number][1].labels[place]))
              for number, places in chosen.items() for place in places]
    assert len(set(labels)) == len(labels)
    assert np.bincount([label for _, label in labels]).tolist() == [4, 4, 1]


def test_the_sample_depends_only_on_the_generator():
    dataset = dataset_of(*[squares(5, 6, 7)] * 9)
    first, again, other = (sample_objects(dataset, 3, np.random.default_rng(seed), least_area=1)
                           for seed in (1, 1, 2))
    assert list(first) == list(again) != list(other)
    assert all((first[number] == again[number]).all() for number in first)


def test_every_usable_object_can_be_drawn_and_no_other():
    dataset = dataset_of(squares(3, 6, 7, 8, labels=[0, 0, 0, 1], crowds=[False, True, False, False]))
    drawn = [sample_objects(dataset, 1, np.random.default_rng(seed), least_area=1, labels=(0,))
             for seed in range(30)]
    assert {int(chosen[0][0]) for chosen in drawn} == {0, 2}
    assert sample_objects(dataset, 5, np.random.default_rng(0), least_area=10)[0].tolist() == [2, 3]


def test_a_data_set_without_usable_objects_is_an_error(rng):
    with pytest.raises(DatasetError, match='no object of at least 500 pixels'):
        sample_objects(dataset_of(squares(5)), 4, rng, least_area=500)


def test_labels_are_found_by_name_in_any_case():
    assert find_labels(('Cat', 'dog', 'bus'), ['BUS', 'cat']) == (0, 2)


def test_seen_categories_are_those_of_pascal_and_unseen_all_others():
    seen, unseen = find_labels(COCO_NAMES, 'seen'), find_labels(COCO_NAMES, 'unseen')
    assert len(seen) == 20 and sorted(seen + unseen) == list(range(80))
    assert {'airplane', 'couch', 'tv'} <= {COCO_NAMES[label] for label in seen}


def test_a_data_set_may_lack_some_of_a_set_of_categories():
    assert find_labels(('tv', 'zebra', 'rocket'), 'seen') == (0,)
    assert find_labels(('tv', 'zebra', 'rocket'), 'unseen') == (1,)


@pytest.mark.parametrize('names, wanted, sentence', [
    (('cat', 'dog'), ['cow'], "no category 'cow'; it has cat, dog."),
    (('disc', 'star'), 'seen', "no category 'airplane'; it has disc, star."),
    ((), ['cow'], 'it has no names of categories'),
    (tuple('abcdefghijkl'), ['cow'], 'it has a, b, c, d, e, f, g, h, i, j, ...')])
def test_an_unknown_category_is_an_error(names, wanted, sentence):
    with pytest.raises(DatasetError, match=sentence):
        find_labels(names, wanted)


def test_sample_of_a_coco_file_reads_no_pixels(shared_data, rng, monkeypatch):
    sample = shared_data / 'coco_sample'
    dataset = CocoDataset(sample / 'annotations' / 'instances_val.json', sample / 'val')
    monkeypatch.setattr(CocoDataset, 'read_image', None)
    chosen = sample_objects(dataset, 2, rng, labels=find_labels(dataset.class_names, 'seen'))
    labels = [int(label) for number, places in chosen.items()
              for label in dataset.read_instances(number).labels[places]]
    assert max(np.bincount(labels)) <= 2 and len(labels) > 5
