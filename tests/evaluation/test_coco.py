"""COCO's figures: equal to pycocotools fed by hand, and right where they can be counted by hand."""

import contextlib
import io
import json
import math
import pathlib

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from chainer_seg import masks
from chainer_seg.datasets import CocoDataset
from chainer_seg.errors import DatasetError
from chainer_seg.evaluation import CocoEvaluator, evaluate_coco
from chainer_seg.instances import Instances
from chainer_seg.models.detector import InstanceDetector
from tests.synthetic import squares

SAMPLE = pathlib.Path(__file__).parents[2].parent / 'shared' / 'data' / 'coco_sample'
needs_sample = pytest.mark.skipif(not SAMPLE.is_dir(), reason=f'there is no sample at {SAMPLE}')
BOX_NAMES = ['AP', 'AP50', 'AP75', 'APs', 'APm', 'APl', 'AR1', 'AR10', 'AR100', 'ARs', 'ARm', 'ARl']
POINT_NAMES = ['AP', 'AP50', 'AP75', 'APm', 'APl', 'AR', 'AR50', 'AR75', 'ARm', 'ARl']


def perturbed(truth, rng):
    """A bad detector's output: objects lost, moved, mislabelled, doubled, with random scores."""
    chosen = np.flatnonzero(rng.random(len(truth)) < 0.8)
    chosen = np.concatenate([chosen, rng.permutation(chosen)[:len(chosen) // 3]])
    height, width = truth.image_size
    moved = [np.roll(truth.masks[i], rng.integers(-4, 5, 2), (0, 1)) for i in chosen]
    labels = truth.labels[chosen].copy()
    wrong = rng.random(len(labels)) < 0.15
    labels[wrong] = rng.integers(0, len(truth.class_names), wrong.sum())
    keypoints = None
    if truth.keypoints is not None:
        keypoints = truth.keypoints[chosen] + rng.normal(0, 4, truth.keypoints[chosen].shape)
    moved = np.array(moved, bool).reshape(-1, height, width)
    return Instances(moved, labels=labels, scores=rng.random(len(labels)), keypoints=keypoints,
                     class_names=truth.class_names)


def by_hand(path, results, kind):
    """The figures of pycocotools for result dicts in a file's own terms."""
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
        evaluation = COCOeval(truth, truth.loadRes(results), kind)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


def results_of(prediction, image_id, category_ids, kind):
    """Result dicts that carry only what the kind is about, as COCO's server wants them."""
    entries = prediction.to_coco_results(image_id, category_ids)
    key = {'bbox': 'bbox', 'segm': 'segmentation', 'keypoints': 'keypoints'}[kind]
    return [{name: entry[name] for name in ('image_id', 'category_id', 'score', key)}
            for entry in entries]


@needs_sample
@pytest.mark.parametrize('kind', ['bbox', 'segm', 'keypoints'])
def test_figures_equal_pycocotools_on_real_annotations(kind, capsys):
    file = 'person_keypoints_train.json' if kind == 'keypoints' else 'instances_train.json'
    path = SAMPLE / 'annotations' / file
    dataset, rng = CocoDataset(path, SAMPLE / 'train'), np.random.default_rng(0)
    evaluator = CocoEvaluator(dataset.class_names, kinds=(kind,))
    results = []
    for index, image_id in enumerate(dataset.ids):
        truth = dataset.read_instances(index)
        prediction = perturbed(truth, rng)
        evaluator.add(truth, prediction)
        results += results_of(prediction, image_id, dataset.category_ids, kind)
    figures = evaluator.summary()
    names = POINT_NAMES if kind == 'keypoints' else BOX_NAMES
    assert list(figures) == [f'{kind}/{name}' for name in names]
    assert list(figures.values()) == pytest.approx(by_hand(path, results, kind), abs=1e-6)
    assert 0.05 < figures[f'{kind}/AP'] < 0.95
    assert capsys.readouterr().out == ''


@needs_sample
def test_class_agnostic_recall_equals_pycocotools_without_categories():
    path = SAMPLE / 'annotations' / 'instances_val.json'
    dataset, rng = CocoDataset(path, SAMPLE / 'val'), np.random.default_rng(1)
    evaluator = CocoEvaluator(kinds=('segm',), class_agnostic=True, max_detections=(10, 100, 1000))
    results = []
    for index, image_id in enumerate(dataset.ids):
        truth = dataset.read_instances(index)
        prediction = perturbed(truth, rng)
        evaluator.add(truth, prediction)
        results += results_of(prediction, image_id, dataset.category_ids, 'segm')
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(path))
        reference = COCOeval(truth, truth.loadRes(results), 'segm')
        reference.params.useCats, reference.params.maxDets = 0, [10, 100, 1000]
        reference.evaluate()
        reference.accumulate()
    figures = evaluator.summary()
    for number, count in enumerate((10, 100, 1000)):
        expected = reference.eval['recall'][:, 0, 0, number].mean()
        assert figures[f'segm/AR{count}'] == pytest.approx(expected, abs=1e-6)


def test_a_perfect_prediction_has_ap_1():
    truth = squares((10, 10), (100, 100))
    figures = evaluate_coco(lambda image: truth, Listed(truth))
    assert figures['bbox/AP'] == pytest.approx(1) and figures['segm/AR100'] == pytest.approx(1)


class Listed:
    """A data set of Instances on black images."""

    class_names = ('thing', 'other')

    def __init__(self, *truths):
        self.truths = truths

    def __len__(self):
        return len(self.truths)

    def __getitem__(self, index):
        return np.zeros((*self.truths[index].image_size, 3), np.uint8), self.truths[index]


def one(truth, prediction, **settings):
    evaluator = CocoEvaluator(('thing', 'other'), **settings)
    evaluator.add(truth, prediction)
    return evaluator.summary(per_class=True)


def test_without_detections_ap_is_0():
    figures = one(squares((10, 10)), Instances.empty(200, 200))
    assert figures['bbox/AP'] == 0 and figures['segm/AR100'] == 0


def test_without_ground_truth_figures_are_nan():
    figures = one(Instances.empty(200, 200), squares((10, 10)))
    assert math.isnan(figures['bbox/AP']) and math.isnan(figures['segm/AR100'])


def test_empty_truth_and_prediction_give_nan():
    figures = one(Instances.empty(200, 200), Instances.empty(200, 200))
    assert math.isnan(figures['segm/AP'])


def test_one_of_two_detected_objects_gives_a_recall_of_one_half():
    figures = one(squares((10, 10), (100, 100)), squares((10, 10)))
    assert figures['segm/AR100'] == pytest.approx(0.5)
    # 51 of the 101 recall levels 0, 0.01, ..., 1 are reached, all with precision 1
    assert figures['segm/AP'] == pytest.approx(51 / 101)


def test_a_shifted_box_passes_the_thresholds_below_its_iou():
    # 40 x 40 moved by 5: IoU 35 / 45 = 0.78 passes 0.5, 0.55, ..., 0.75: 6 of 10
    figures = one(squares((10, 10)), squares((10, 15)))
    assert figures['segm/AP'] == pytest.approx(0.6)
    assert figures['segm/AP50'] == figures['segm/AP75'] == pytest.approx(1)


def test_a_wrong_detection_before_the_right_one_halves_the_precision():
    found = squares((120, 120), (10, 10), scores=[0.9, 0.8])
    assert one(squares((10, 10)), found)['segm/AP'] == pytest.approx(0.5)


def test_a_wrong_label_is_a_miss_unless_class_agnostic():
    truth, found = squares((10, 10), labels=[0]), squares((10, 10), labels=[1])
    assert one(truth, found)['segm/AP'] == 0
    assert one(truth, found, class_agnostic=True)['segm/AP'] == pytest.approx(1)


def test_detections_inside_a_crowd_are_ignored():
    truth = squares((10, 10), (100, 100), crowds=[False, True])
    found = squares((10, 10), (100, 100), (100, 100), scores=[0.5, 0.9, 0.8])
    assert one(truth, found)['segm/AP'] == pytest.approx(1)


def test_annotated_areas_determine_the_size():
    truth = squares((10, 10), areas=[100])
    figures = one(truth, truth)
    assert figures['segm/APs'] == pytest.approx(1) and math.isnan(figures['segm/APm'])


def test_mask_areas_determine_the_size_without_annotated_areas():
    truth = squares((10, 10))
    figures = one(truth, truth)
    assert figures['segm/APm'] == pytest.approx(1) and math.isnan(figures['segm/APs'])


def test_per_class_gives_the_average_precision_of_each_class():
    truth = squares((10, 10), (100, 100), labels=[0, 1])
    figures = one(truth, truth[[0]])
    assert figures['segm/AP/thing'] == pytest.approx(1) and figures['segm/AP/other'] == 0
    assert figures['segm/AP'] == pytest.approx(0.5)


def test_without_class_names_classes_are_the_occurring_labels():
    evaluator = CocoEvaluator()
    truth = squares((10, 10), (100, 100), labels=[0, 5])
    evaluator.add(truth, truth)
    figures = evaluator.summary(per_class=True)
    assert figures['bbox/AP/5'] == pytest.approx(1) and math.isnan(figures['bbox/AP/3'])


def test_merged_evaluators_equal_a_single_one():
    truths = [squares((10, 10)), squares((20, 20), (100, 100))]
    found = [squares((10, 15)), squares((20, 22))]
    together, left, right = (CocoEvaluator(('thing',)) for _ in range(3))
    for part, truth, prediction in zip((left, right), truths, found):
        part.add(truth, prediction)
        together.add(truth, prediction)
    left.merge(right)
    assert len(left) == 2
    assert left.summary() == pytest.approx(together.summary(), nan_ok=True)


def test_the_record_of_an_image_is_small(rng):
    evaluator = CocoEvaluator(tuple(f'class {number}' for number in range(15)), kinds=('segm',))
    masks = rng.random((200, 40, 50)) < 0.5
    found = Instances(masks, labels=np.arange(200) % 15, scores=rng.random(200).astype(np.float32))
    evaluator.add(squares((10, 10), size=(40, 50)), found)
    evaluator.add(squares((10, 10), size=(2000, 2000)), squares((10, 10), size=(2000, 2000)))
    large, sparse = (sum(map(len, record.values())) for record in evaluator._records['segm'])
    assert large < 12000 and sparse < 500
    assert np.isfinite(evaluator.summary()['segm/AP'])


def test_another_number_of_keypoints_needs_its_own_sigmas():
    truth = squares((10, 10), keypoints=np.array([[[12, 13, 2], [30, 30, 2]]], float))
    with pytest.raises(DatasetError, match='2.*keypoints but 17 sigmas'):
        one(truth, truth, kinds=('keypoints',))
    figures = one(truth, truth, kinds=('keypoints',), keypoint_sigmas=(0.05, 0.05))
    assert figures['keypoints/AP'] == pytest.approx(1)


def test_missing_keypoints_are_an_error():
    with pytest.raises(DatasetError, match='Keypoints cannot be evaluated'):
        one(squares((10, 10)), squares((10, 10)), kinds=('keypoints',))


def test_different_sizes_are_an_error():
    with pytest.raises(DatasetError, match='predict on the same image'):
        one(squares((10, 10)), squares((10, 10), size=(100, 100)))


def test_a_label_beyond_the_classes_is_an_error_that_names_it():
    with pytest.raises(DatasetError, match='label 2 has no name'):
        one(squares((10, 10)), squares((10, 10), labels=[2]))


@pytest.mark.parametrize('per_class', ['star', 'disc'])
def test_labels_are_matched_by_class_name(per_class):
    truth = squares((10, 10), (90, 90), labels=[0, 1], class_names=('star', 'disc'))
    found = squares((10, 10), (90, 90), labels=[1, 0], class_names=('disc', 'star'))
    evaluator = CocoEvaluator(('star', 'disc'))
    evaluator.add(truth, found)
    assert evaluator.summary(per_class=True)[f'segm/AP/{per_class}'] == pytest.approx(1)


def test_a_prediction_of_other_classes_is_an_error():
    with pytest.raises(DatasetError, match='The model does not have disc of the data set'):
        CocoEvaluator(('star', 'disc')).add(
            squares((10, 10)), squares((10, 10), class_names=('star', 'cross')))


def test_a_summary_without_images_is_an_error():
    with pytest.raises(DatasetError, match='nothing to evaluate'):
        CocoEvaluator().summary()


@pytest.mark.parametrize('kinds', [('box',), 'bbox', ()])
def test_unknown_kinds_are_an_error(kinds):
    with pytest.raises(ValueError, match='kinds'):
        CocoEvaluator(kinds=kinds)


def test_evaluate_accepts_models_functions_and_lists():
    truth = squares((10, 10), class_names=Listed.class_names)

    class Model(InstanceDetector):
        def detect(self, image):
            assert image.shape == (200, 200, 3)
            return truth

    for predictor in (Model(), lambda image: truth, [truth, truth]):
        assert evaluate_coco(predictor, Listed(truth, truth))['segm/AP'] == pytest.approx(1)


def test_evaluate_shows_progress():
    truth, seen = squares((10, 10)), []

    def progress(indices):
        for index in indices:
            seen.append(index)
            yield index

    evaluate_coco([truth] * 3, Listed(truth, truth, truth), progress=progress)
    assert seen == [0, 1, 2]


def test_an_empty_data_set_and_a_wrong_number_of_predictions_are_errors():
    with pytest.raises(DatasetError, match='data set is empty'):
        evaluate_coco([], Listed())
    with pytest.raises(DatasetError, match='predictions for 1 images and 2'):
        evaluate_coco([squares((1, 1))], Listed(squares((1, 1)), squares((1, 1))))


def test_figures_can_be_written_as_json():
    truth = squares((10, 10))
    assert json.loads(json.dumps(one(truth, truth)))['bbox/AP'] == pytest.approx(1)


def test_the_masks_of_a_large_image_are_matched_exactly():
    truth = squares((10, 10), size=(1200, 1600), side=900)
    found = squares((10, 100), size=(1200, 1600), side=900)
    iou = masks.mask_iou(truth.masks, found.masks)[0, 0]
    passed = (iou > np.arange(0.5, 1, 0.05)).sum()
    assert one(truth, found)['segm/AP'] == pytest.approx(passed / 10)
