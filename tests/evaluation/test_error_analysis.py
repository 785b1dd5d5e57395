"""The kinds of errors by hand-made cases, and what they cost by arithmetic."""

import numpy as np
import pytest

from chainer_seg.evaluation import CocoEvaluator, ErrorAnalysis
from chainer_seg.evaluation.detection_errors import (
    CORRECT, ERROR_KINDS, VERDICTS, average_precision, judge, match_greedily)
from chainer_seg.instances import Instances
from tests.synthetic import squares

from .test_coco import perturbed

NAMES = ('cat', 'dog')


def analysed(truth, found, **options):
    analysis = ErrorAnalysis(NAMES, **options)
    analysis.add(truth, found)
    return analysis


def verdicts(analysis):
    return [VERDICTS[number] for number in analysis.detections.verdict]


@pytest.fixture
def cat():
    """A cat of 40 x 40 pixels at (80, 80)."""
    return squares((80, 80), labels=[0], class_names=NAMES)


@pytest.mark.parametrize('corner, label, verdict', [
    ((80, 80), 0, 'correct'),
    ((80, 92), 0, 'correct'),        # 28 of 52 columns: IoU 0.54
    ((80, 94), 0, 'localisation'),   # 26 of 54: 0.48
    ((80, 112), 0, 'localisation'),  # 8 of 72: 0.11
    ((80, 114), 0, 'background'),    # 6 of 74: 0.08
    ((80, 80), 1, 'class'),
    ((80, 92), 1, 'class'),
    ((80, 94), 1, 'both'),
    ((80, 114), 1, 'background'),
    ((0, 0), 0, 'background'),
])
@pytest.mark.parametrize('kind', ['segm', 'bbox'])
def test_the_kind_follows_from_class_and_overlap(cat, corner, label, verdict, kind):
    found = squares(corner, labels=[label], scores=[0.9], class_names=NAMES)
    analysis = analysed(cat, found, kind=kind)
    assert verdicts(analysis) == [verdict]
    missed = verdict not in ('correct', 'localisation', 'class')
    assert analysis.missed().tolist() == [missed]
    counts = analysis.counts()
    assert counts[verdict][label] == 1 and counts['missed'].tolist() == [int(missed), 0]
    assert sum(each.sum() for each in counts.values()) == 1 + missed


def test_the_better_of_two_detections_is_correct_and_the_other_a_duplicate(cat):
    found = squares((80, 81), (80, 80), labels=[0, 0], scores=[0.9, 0.8], class_names=NAMES)
    analysis = analysed(cat, found)
    assert verdicts(analysis) == ['correct', 'duplicate']
    assert analysis.detections.number.tolist() == [0, 1]
    assert analysis.detections.truth.tolist() == [0, 0]


def test_detections_come_in_the_order_of_their_scores(cat):
    found = squares((0, 0), (80, 80), labels=[0, 0], scores=[0.2, 0.8], class_names=NAMES)
    analysis = analysed(cat, found)
    assert analysis.detections.number.tolist() == [1, 0]
    assert verdicts(analysis) == ['correct', 'background']
    np.testing.assert_allclose(analysis.detections.iou, [1, 0])


def test_detections_in_a_crowd_of_their_class_are_ignored():
    crowd = np.ones((1, 200, 200), bool)
    truth = Instances(crowd, labels=[0], crowds=[True], class_names=NAMES)
    found = squares((0, 0), (80, 80), labels=[0, 1], scores=[0.9, 0.8], class_names=NAMES)
    analysis = analysed(truth, found)
    assert verdicts(analysis) == ['ignored', 'background']
    assert analysis.missed().tolist() == []


def test_errors_below_a_score_do_not_count(cat):
    found = squares((0, 0), (80, 94), labels=[0, 0], scores=[0.9, 0.3], class_names=NAMES)
    counts = analysed(cat, found).counts(score_threshold=0.5)
    assert {kind: each.sum() for kind, each in counts.items() if each.sum()} == {'background': 1, 'missed': 1}


def test_confusion_counts_classes_missed_objects_and_false_alarms():
    truth = squares((0, 0), (0, 80), (80, 0), labels=[0, 1, 1], class_names=NAMES)
    found = squares((0, 0), (0, 80), (150, 150), labels=[0, 0, 1], scores=[0.9, 0.8, 0.7], class_names=NAMES)
    analysis = analysed(truth, found)
    assert analysis.confusion(0.5).tolist() == [[1, 0, 0], [1, 0, 1], [0, 1, 0]]
    assert analysis.confusion(0.85).tolist() == [[1, 0, 0], [0, 0, 2], [0, 0, 0]]


def test_gains_are_those_of_arithmetic():
    # Two cats, one found after a false alarm: precision 1/2 up to recall 1/2, which is 51 of 101 points.
    truth = squares((0, 0), (100, 100), labels=[0, 0], class_names=NAMES)
    found = squares((0, 100), (0, 0), labels=[0, 0], scores=[0.9, 0.8], class_names=NAMES)
    analysis = analysed(truth, found)
    assert analysis.average_precision() == pytest.approx(0.5 * 51 / 101)
    assert analysis.gains() == pytest.approx({
        **dict.fromkeys(ERROR_KINDS, 0), 'background': 0.5 * 51 / 101, 'missed': 0.5 * 50 / 101})


def test_putting_a_place_or_a_class_right_counts_only_the_best_detection_of_an_object():
    truth = squares((0, 0), (100, 100), labels=[0, 1], class_names=NAMES)
    found = squares((0, 20), (0, 22), (100, 100), labels=[0, 0, 0], scores=[0.9, 0.8, 0.7], class_names=NAMES)
    analysis = analysed(truth, found)
    assert verdicts(analysis) == ['localisation', 'localisation', 'class']
    # The cat is found (AP 1 of cats, where the wrong class follows), the dog is not; and the reverse.
    assert analysis.gains() == pytest.approx({
        **dict.fromkeys(ERROR_KINDS, 0), 'localisation': 0.5, 'class': 0.5})


@pytest.mark.parametrize('kind', ['segm', 'bbox'])
def test_average_precision_is_that_of_coco(kind):
    rng = np.random.default_rng(0)
    evaluator, analysis = CocoEvaluator(NAMES, kinds=(kind,)), ErrorAnalysis(NAMES, kind)
    for _ in range(20):
        corners = rng.integers(0, 160, (rng.integers(0, 5), 2))
        truth = squares(*corners, labels=rng.integers(0, 2, len(corners)), class_names=NAMES,
                        crowds=rng.random(len(corners)) < 0.2)
        found = perturbed(truth, rng)
        evaluator.add(truth, found)
        analysis.add(truth, found)
    assert analysis.average_precision() == pytest.approx(evaluator.summary()[f'{kind}/AP50'], abs=1e-6)
    assert sum(each.sum() for each in analysis.counts().values()) == (
        (analysis.detections.verdict != VERDICTS.index('ignored')).sum() + analysis.missed().sum())


def test_only_the_best_hundred_detections_of_a_class_count(cat):
    found = squares(*[(0, 0)] * 101, (80, 80), labels=[0] * 101 + [1], scores=np.linspace(0.9, 0.1, 102),
                    class_names=NAMES)
    counts = analysed(cat, found).counts()
    assert (counts['background'][0], counts['class'][1]) == (100, 1)


def test_there_may_be_nothing_at_all():
    analysis = ErrorAnalysis(NAMES)
    assert np.isnan(analysis.average_precision())
    analysis.add(Instances.empty(20, 20), Instances.empty(20, 20))
    assert analysis.confusion().sum() == 0 and analysis.missed().tolist() == []
    assert judge(np.zeros((1, 0)), np.zeros((1, 0), bool), np.array([-1]))[0].tolist() == [
        VERDICTS.index('background')]
    assert match_greedily(np.zeros((2, 0))).tolist() == [-1, -1] and VERDICTS[0] == CORRECT
    assert np.isnan(average_precision(np.zeros(0), np.zeros(0, bool), 0))


def test_counts_and_gains_are_those_of_the_reference_program():
    # Recorded from tidecv 1.0.1, the program of the paper's authors, on the same 60 images.
    rng, names = np.random.default_rng(1), ('a', 'b', 'c')
    analysis = ErrorAnalysis(names)
    for _ in range(60):
        corners = rng.integers(0, 160, (rng.integers(1, 7), 2))
        truth = squares(*corners, labels=rng.integers(0, 3, len(corners)), class_names=names)
        count = rng.integers(1, 14)
        moved = (corners[rng.integers(0, len(corners), count)]
                 + rng.integers(-18, 19, (count, 2)) * (rng.random((count, 1)) < 0.8)
                 + rng.integers(-60, 60, (count, 2)) * (rng.random((count, 1)) < 0.2))
        found = squares(*np.clip(moved, 0, 160), labels=rng.integers(0, 3, count),
                        scores=rng.random(count).astype('f4'), class_names=names)
        analysis.add(truth, found)
    counts = {kind: int(each.sum()) for kind, each in analysis.counts().items()}
    assert [counts[kind] for kind in ERROR_KINDS] == [94, 93, 115, 7, 51, 56]
    assert 100 * analysis.average_precision() == pytest.approx(6.6012, abs=1e-4)
    assert [100 * gain for gain in analysis.gains().values()] == pytest.approx(
        [12.6135, 9.9034, 1.8403, 0.0175, 0.8216, 3.4302], abs=1e-4)
