"""Which candidate clicks pick, and how further clicks combine and cut."""

import numpy as np
import pytest

from chainer_seg.run_length_masks import RunLengthMasks
from chainer_seg.models.candidate_choice import compose
from chainer_seg.models.candidate_masks import CandidateMasks
from chainer_seg.models.deeplab import Click

SIZE = 60, 80


def box(top, left, bottom, right):
    mask = np.zeros(SIZE, bool)
    mask[top:bottom, left:right] = True
    return mask


LEFT, RIGHT, BOTH, SPOT = (box(10, 10, 30, 30), box(10, 30, 30, 50), box(10, 10, 30, 50), box(18, 18, 22, 22))


def candidates(*masks, scores=None):
    return CandidateMasks.of(RunLengthMasks.from_masks(np.stack(masks)),
                             np.full(len(masks), 0.9) if scores is None else np.array(scores))


def test_a_click_picks_the_candidate_in_whose_middle_it_lies():
    found = candidates(LEFT, RIGHT, BOTH)
    np.testing.assert_array_equal(compose(found, [Click(20, 20)]), LEFT)
    np.testing.assert_array_equal(compose(found, [Click(20, 40)]), RIGHT)
    np.testing.assert_array_equal(compose(found, [Click(20, 30)]), BOTH)


def test_of_equal_places_the_higher_score_is_picked():
    found = candidates(box(15, 15, 25, 25), LEFT, scores=[0.2, 0.9])
    np.testing.assert_array_equal(compose(found, [Click(19.5, 19.5)]), LEFT)


def test_a_second_click_picks_the_candidate_that_agrees_with_both():
    found = candidates(LEFT, RIGHT, BOTH)
    np.testing.assert_array_equal(compose(found, [Click(20, 20), Click(20, 40)]), BOTH)
    np.testing.assert_array_equal(compose(found, [Click(20, 29), Click(20, 45, False)]), LEFT)


def test_without_a_common_candidate_two_are_combined():
    np.testing.assert_array_equal(
        compose(candidates(LEFT, RIGHT), [Click(20, 20), Click(20, 40)]), BOTH)


def test_a_click_off_the_object_cuts_a_candidate_out_of_it():
    np.testing.assert_array_equal(
        compose(candidates(BOTH, SPOT), [Click(20, 30), Click(20, 20, False)]), BOTH & ~SPOT)


def test_what_is_cut_is_never_most_of_the_object():
    almost = box(10, 11, 30, 30)  # the object but for a column: no part of it
    found = compose(candidates(LEFT, almost, scores=[0.9, 0.1]), [Click(20, 10), Click(20, 26, False)])
    assert not found[20, 26] and found[20, 10] and found.sum() > LEFT.sum() / 2


def test_where_no_candidate_helps_a_disc_changes():
    found = compose(candidates(LEFT), [Click(20, 20), Click(28, 28, False)])
    assert not found[28, 28] and found[20, 20] and 0 < (LEFT & ~found).sum() < 40
    assert not (found & ~LEFT).any()


def test_without_candidates_a_click_is_a_disc_around_it():
    found = compose(CandidateMasks.none(SIZE), [Click(20, 20)])
    rows, columns = np.nonzero(found)
    assert found[20, 20] and np.hypot(rows - 20, columns - 20).max() <= 6 < np.sqrt(found.sum())


def test_a_start_stands_in_the_place_of_the_best_candidate():
    np.testing.assert_array_equal(compose(candidates(RIGHT), [Click(20, 40)], LEFT), BOTH)
    assert not LEFT[20, 40]  # the start itself is not changed


@pytest.mark.parametrize('seed', range(5))
def test_the_object_agrees_with_every_click(seed):
    rng = np.random.default_rng(seed)
    masks = np.stack([box(*np.sort(rng.integers(0, 60, 2)), *(0, 80)) | box(0, 0, 1, 1) for _ in range(6)])
    places = rng.permutation(60 * 80)[:20]
    clicks = [Click(place // 80, place % 80, bool(rng.random() < 0.5)) for place in places]
    found = compose(candidates(*masks), clicks)
    for click in clicks:
        assert found[click.y, click.x] == click.positive
