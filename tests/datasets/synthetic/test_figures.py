"""The drawn people: deterministic, with keypoints that lie where the parts of the body are."""

import pickle

import numpy as np
import pytest

from chainer_seg.datasets import CocoDataset, FiguresDataset, validate_coco, write_coco
from chainer_seg.datasets.keypoints import PERSON_KEYPOINTS, PERSON_MIRROR, PERSON_SKELETON
from chainer_seg.datasets.synthetic.people import random_body
from chainer_seg.errors import DatasetError


@pytest.fixture(scope='module')
def examples():
    dataset = FiguresDataset(40, seed=4, size=(96, 128), crowd_probability=0.2)
    return [dataset[index] for index in range(len(dataset))]


def test_an_example_is_a_uint8_image_and_its_people(examples):
    for image, people in examples:
        assert image.shape == (96, 128, 3) and image.dtype == np.uint8
        assert people.image_size == (96, 128) and people.keypoints.shape[1:] == (17, 3)
        assert people.class_names == ('person',) and (people.labels == 0).all()


def test_a_image_depends_on_seed_and_index_alone():
    first = FiguresDataset(5, seed=3, size=(64, 64))
    first[0]
    image, people = first[4]
    again, same = pickle.loads(pickle.dumps(FiguresDataset(10**9, seed=3, size=(64, 64))))[4]
    assert np.array_equal(image, again) and np.array_equal(people.keypoints, same.keypoints)
    other, _ = FiguresDataset(5, seed=2, size=(64, 64))[4]
    assert not np.array_equal(image, other)


def test_masks_never_overlap(examples):
    assert max(people.masks.sum(0).max() for _, people in examples) == 1


def test_visible_keypoints_lie_on_the_mask_and_hidden_ones_within_the_image(examples):
    for _, people in examples:
        for mask, points in zip(people.masks, people.keypoints):
            y, x, visibility = points.astype(int).T
            assert set(visibility) <= {0, 1, 2}
            assert mask[y[visibility == 2], x[visibility == 2]].all()
            assert (points[visibility == 0] == 0).all()
            assert (y < mask.shape[0]).all() and (x < mask.shape[1]).all()


def test_all_kinds_of_visibility_occur(examples):
    visibility = np.concatenate([people.keypoints[~people.crowds, :, 2].ravel()
                                 for _, people in examples])
    shares = np.bincount(visibility.astype(int)) / len(visibility)
    assert (shares > 0.05).all() and shares[2] > 0.4


def test_crowds_occur_and_have_no_keypoints(examples):
    crowds = [people[people.crowds] for _, people in examples]
    assert sum(map(len, crowds)) > 2
    assert all((people.keypoints == 0).all() for people in crowds)


def test_what_another_person_covers_is_hidden(examples):
    covered = []
    for _, people in examples:
        for number, (y, x, visibility) in enumerate(people.keypoints.astype(int).transpose(0, 2, 1)):
            others = np.delete(people.masks, number, axis=0).any(axis=0)
            covered.append(visibility[others[y, x] & (visibility > 0)])
    covered = np.concatenate(covered)
    assert len(covered) > 20 and (covered == 1).all()


@pytest.mark.parametrize('size', [(16, 16), (24, 200), (200, 40)])
def test_any_size_can_be_drawn(size):
    dataset = FiguresDataset(15, size=size, crowd_probability=0.3)
    for index in range(15):
        assert dataset[index][0].shape == (*size, 3)


def test_bones_have_one_length_from_any_side(rng):
    """Thighs and shins of one body keep their share of its height: they are turned, not stretched."""
    thigh = [PERSON_KEYPOINTS.index(name) for name in ('left_hip', 'left_knee')]
    lengths = [np.linalg.norm(np.diff(random_body(rng).keypoints[thigh], axis=0))
               for _ in range(100)]
    assert min(lengths) > 0.18 and max(lengths) < 0.32


def test_faces_are_hidden_from_behind(rng):
    """Of a body that looks away, the eyes lie behind the head, which is among its parts."""
    away = [body for body in (random_body(rng) for _ in range(200))
            if (body.keypoints[[0, 1, 2], 2] < body.keypoints[[3, 4], 2].min() - 0.02).all()]
    assert away
    for body in away:
        assert not any(part.garment == 'eye' for part in body.parts)


def test_mirror_swaps_left_and_right_and_keeps_the_skeleton():
    assert PERSON_MIRROR[0] == 0 and [PERSON_MIRROR[k] for k in PERSON_MIRROR] == list(range(17))
    assert PERSON_KEYPOINTS[PERSON_MIRROR[9]] == 'right_wrist'
    lines = {frozenset(line) for line in PERSON_SKELETON}
    assert {frozenset(PERSON_MIRROR[k] for k in line) for line in lines} == lines


def test_what_is_written_as_coco_is_clean_and_reads_back(tmp_path):
    drawn = FiguresDataset(6, seed=8, size=(64, 80), crowd_probability=0.5)
    path = write_coco(drawn, tmp_path / 'out', suffix='.png')
    assert validate_coco(path, path.parent / 'images') == []
    read = CocoDataset(path, path.parent / 'images')
    assert read.coco['categories'][0]['keypoints'] == list(PERSON_KEYPOINTS)
    assert read.coco['categories'][0]['skeleton'][0] == [16, 14]
    for (image, people), (again, same) in zip((drawn[i] for i in range(6)), read):
        assert np.array_equal(image, again) and np.array_equal(people.masks, same.masks)
        assert np.array_equal(people.keypoints, same.keypoints)
        assert np.array_equal(people.crowds, same.crowds)


@pytest.mark.parametrize('wrong, sentence', [
    ({'size': (8, 8)}, 'at least 16 pixels'), ({'people': (0, 3)}, 'people must be'),
    ({'people': (3, 1)}, 'people must be'), ({'heights': (0, 1)}, 'heights must be'),
    ({'clutter': -1}, 'clutter must be at least 0, got -1'), ({'seed': -1}, 'must not be negative')])
def test_arguments_that_allow_no_image_are_one_sentence(wrong, sentence):
    with pytest.raises(DatasetError, match=sentence):
        FiguresDataset(**wrong)
