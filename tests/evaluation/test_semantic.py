"""Figures of semantic labels: by hand, against ChainerCV's, and what classes that are absent do."""

import numpy as np
import pytest
from chainercv.evaluations import eval_semantic_segmentation

from chainer_seg.errors import DatasetError
from chainer_seg.evaluation import SemanticEvaluator, evaluate_semantic
from chainer_seg.models.deeplab.semantic import SemanticSegmenter

NAMES = ('background', 'cat', 'dog', 'cow')


class Labelled:
    """A data set of given images and labels."""

    class_names = NAMES

    def __init__(self, truths):
        self.truths = truths

    def __len__(self):
        return len(self.truths)

    def __getitem__(self, index):
        truth = self.truths[index]
        return np.zeros((*truth.shape, 3), np.uint8), truth


@pytest.fixture
def random_labels(rng):
    """Truths with void pixels and predictions of six images of different sizes."""
    sizes = [tuple(rng.integers(5, 30, 2)) for _ in range(6)]
    return ([rng.integers(-1, 4, size).astype(np.int32) for size in sizes],
            [rng.integers(0, 4, size).astype(np.int32) for size in sizes])


def evaluated(truths, predictions, names=NAMES):
    evaluator = SemanticEvaluator(names)
    for truth, labels in zip(truths, predictions):
        evaluator.add(truth, labels)
    return evaluator


def test_figures_of_eight_pixels_equal_hand_computed_values():
    truth = np.array([[0, 0, 0, 1], [1, 1, 2, -1]])
    found = np.array([[0, 0, 1, 1], [1, 0, 2, 2]])
    evaluator = evaluated([truth], [found], NAMES[:3])
    assert evaluator.confusion.tolist() == [[2, 1, 0], [1, 2, 0], [0, 0, 1]]
    assert evaluator.summary() == pytest.approx({
        'miou': (2 / 4 + 2 / 4 + 1) / 3, 'pixel_accuracy': 5 / 7,
        'mean_class_accuracy': (2 / 3 + 2 / 3 + 1) / 3,
        'iou/background': 2 / 4, 'iou/cat': 2 / 4, 'iou/dog': 1.0,
        'class_accuracy/background': 2 / 3, 'class_accuracy/cat': 2 / 3, 'class_accuracy/dog': 1.0})


def test_figures_equal_chainercv(random_labels):
    truths, predictions = random_labels
    expected = eval_semantic_segmentation(predictions, truths)
    evaluator = evaluated(truths, predictions)
    summary = evaluator.summary()
    for name in ('miou', 'pixel_accuracy', 'mean_class_accuracy'):
        assert summary[name] == pytest.approx(expected[name], rel=1e-12)
    np.testing.assert_allclose(evaluator.ious(), expected['iou'], rtol=1e-12)
    np.testing.assert_allclose(evaluator.accuracies(), expected['class_accuracy'], rtol=1e-12)


@pytest.mark.filterwarnings('ignore:invalid value encountered')
def test_absent_classes_are_excluded_as_in_chainercv():
    """The dog is nowhere, the cat only in the truth, the cow only in what was found."""
    truth = np.array([[0, 0, 1, 1]], np.int32)
    found = np.array([[0, 3, 0, 0]], np.int32)
    evaluator, expected = evaluated([truth], [found]), eval_semantic_segmentation([found], [truth])
    np.testing.assert_array_equal(evaluator.ious(), [1 / 4, 0, np.nan, 0])
    np.testing.assert_array_equal(evaluator.accuracies(), [1 / 2, 0, np.nan, np.nan])
    summary = evaluator.summary(per_class=False)
    assert summary['miou'] == expected['miou'] == pytest.approx((1 / 4 + 0 + 0) / 3)
    assert summary['mean_class_accuracy'] == expected['mean_class_accuracy'] == 1 / 4
    assert set(summary) == {'miou', 'pixel_accuracy', 'mean_class_accuracy'}


def test_predictions_in_void_pixels_are_ignored():
    truth = np.array([[0, 1, -1, -1]])
    figures = [evaluated([truth], [np.array([[0, 1, *rest]])]).summary()
               for rest in ((0, 0), (3, 2), (-7, 99))]
    assert figures[0]['miou'] == 1
    for other in figures[1:]:
        np.testing.assert_equal(other, figures[0])


def test_an_image_of_only_void_has_no_figures():
    summary = evaluated([np.full((2, 2), -1)], [np.zeros((2, 2), int)]).summary()
    assert all(np.isnan(value) for value in summary.values())


def test_merged_parts_give_the_same_figures(random_labels):
    truths, predictions = random_labels
    whole = evaluated(truths, predictions)
    first, second = evaluated(truths[:2], predictions[:2]), SemanticEvaluator(NAMES)
    for truth, labels in zip(truths[2:], predictions[2:]):
        second.add_counts(SemanticEvaluator(NAMES).add(truth, labels).tolist())
    first.merge(second)
    assert first.summary() == whole.summary() and len(first) == len(whole) == 6


def test_a_function_is_evaluated_with_its_options(random_labels):
    truths, _ = random_labels
    given = []

    def segment(image, **options):
        given.append((image.shape[:2], options))
        return np.zeros(image.shape[:2], np.int32)

    figures = evaluate_semantic(segment, Labelled(truths), mirror=True, per_class=False)
    pixels = np.concatenate([truth[truth >= 0] for truth in truths])
    assert figures['pixel_accuracy'] == (pixels == 0).mean()
    assert given == [(truth.shape, {'mirror': True}) for truth in truths]


@pytest.mark.parametrize('truth, labels, sentence', [
    (np.zeros((2, 3), int), np.zeros((3, 2), int), r'image of \(3, 2\) pixels.*truth for \(2, 3\)'),
    (np.zeros((1, 2), int), np.array([[0, 4]]), 'label 4 has no name among the 4 classes'),
    (np.array([[0, 255]]), np.zeros((1, 2), int), 'label 255 has no name'),
    (np.zeros((1, 2), int), np.array([[0, -1]]), 'label -1 has no name')])
def test_inconsistent_labels_are_an_error(truth, labels, sentence):
    with pytest.raises(DatasetError, match=sentence):
        SemanticEvaluator(NAMES).add(truth, labels)


def test_an_empty_evaluation_is_an_error():
    with pytest.raises(DatasetError, match='nothing to evaluate'):
        evaluate_semantic(None, Labelled([]))


def test_the_classes_of_a_model_are_matched_by_name():
    class Model(SemanticSegmenter):
        def __init__(self):
            super().__init__(None)
            self.class_names = ('c', 'background', 'a')

        def segment(self, image):
            return np.array([[1, 2], [2, 0]])  # background, a, a, c

    dataset = Labelled([np.array([[0, 1], [1, 2]])])
    dataset.class_names = ('background', 'a', 'c')
    assert evaluate_semantic(Model(), dataset)['miou'] == 1
