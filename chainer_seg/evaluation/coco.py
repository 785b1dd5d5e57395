"""COCO's average precision and recall for Instances, image by image, through pycocotools."""

import collections
import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from chainer_seg import boxes, masks
from chainer_seg.datasets.base import Dataset, Progress
from chainer_seg.errors import DatasetError
from chainer_seg.evaluation.classes import ClassMatch, match_classes
from chainer_seg.instances import Instances
from chainer_seg.models.detector import InstanceDetector

KINDS = ('bbox', 'segm', 'keypoints')
_COCO_DETECTIONS = {'bbox': (1, 10, 100), 'segm': (1, 10, 100), 'keypoints': (20,)}
_AREA_MARKS = {'all': '', 'small': 's', 'medium': 'm', 'large': 'l'}
_RECORD_FIELDS = ('dtMatches', 'dtScores', 'gtIgnore', 'dtIgnore')


class CocoEvaluator:
    """Average precision and recall of detections, as COCO defines them.

    Every image is matched when it is added; only the small match records are kept, so images
    can be streamed. Crowds are ignored as COCO ignores them: a detection inside one is neither
    right nor wrong. Sizes come from ``areas`` where the ground truth has them, else from masks.

    Args:
        class_names (sequence of str): Names of the labels; by default, as many labels as occur.
        kinds: Some of 'bbox', 'segm' and 'keypoints'.
        max_detections (tuple of int): Numbers of detections per image and class that are looked
            at; COCO's own (1, 10, 100, and 20 for keypoints) when None. Proposals are usually
            measured at (10, 100, 1000).
        class_agnostic (bool): Match whatever the labels are, as for proposals.
        keypoint_sigmas: (K,) spread of each keypoint; COCO's 17 when None.

    Raises:
        ValueError: For an unknown kind.
    """

    def __init__(self, class_names: Sequence[str] = (), *, kinds: Sequence[str] = ('bbox', 'segm'),
                 max_detections: Sequence[int] | None = None, class_agnostic: bool = False,
                 keypoint_sigmas: npt.ArrayLike | None = None):
        unknown = set(kinds) - set(KINDS)
        if unknown or isinstance(kinds, str) or not kinds:
            raise ValueError(f'kinds must be some of {KINDS}, not {kinds!r}')
        if class_agnostic and 'keypoints' in kinds:
            raise ValueError('COCO defines no class-agnostic keypoint evaluation')
        self.class_names = tuple(class_names)
        self.kinds = tuple(kinds)
        self.max_detections = tuple(sorted(max_detections)) if max_detections else None
        self.class_agnostic = class_agnostic
        self.keypoint_sigmas = keypoint_sigmas
        self._records: dict[str, list[dict]] = {kind: [] for kind in self.kinds}
        self._label_count = len(self.class_names)
        self._matches: dict[tuple[str, ...], ClassMatch] = {}

    def __len__(self) -> int:
        """The number of images added."""
        return len(self._records[self.kinds[0]])

    def add(self, ground_truth: Instances, prediction: Instances) -> None:
        """Match the detections of one image; classes go by their names where both sides have names.

        Args:
            ground_truth (Instances): What is there.
            prediction (Instances): What was found, with scores.

        Raises:
            chainer_seg.errors.DatasetError: If the two are not of one size, a label has no
                class, the classes of the prediction are not those of the evaluator, or keypoints
                are asked for and not there.
        """
        ground_truth, prediction = self._renamed(ground_truth), self._renamed(prediction)
        if ground_truth.image_size != prediction.image_size:
            raise DatasetError(
                f'The prediction is for an image of {prediction.image_size} pixels, its ground '
                f'truth for {ground_truth.image_size}; predict on the same image.')
        labels = np.concatenate([ground_truth.labels, prediction.labels])
        if len(labels) and self.class_names and labels.max() >= len(self.class_names):
            raise DatasetError(f'The label {labels.max()} has no name among the '
                               f'{len(self.class_names)} classes; use a model of this data set.')
        self._label_count = max(self._label_count, labels.max(initial=-1) + 1)
        present = np.unique(labels).tolist()
        for kind in self.kinds:
            evaluation = self._evaluation(kind)
            evaluation.cocoGt = _as_coco(_truth_entries(ground_truth, kind), ground_truth)
            evaluation.cocoDt = _as_coco(_result_entries(prediction, kind), ground_truth)
            self._records[kind].append(_match(evaluation, present))

    def _renamed(self, instances):
        """The instances with the labels that the evaluator has for the names of their classes."""
        names = instances.class_names
        if self.class_agnostic or not self.class_names or names in ((), self.class_names):
            return instances
        if names not in self._matches:
            self._matches[names] = match_classes(names, self.class_names)
        return self._matches[names].found(instances)

    def merge(self, other: 'CocoEvaluator') -> None:
        """Take over the images of another evaluator of the same settings, such as a worker's."""
        for kind in self.kinds:
            self._records[kind] += other._records[kind]
        self._label_count = max(self._label_count, other._label_count)

    def summary(self, per_class: bool = False, ious: Sequence[float] = ()) -> dict[str, float]:
        """The figures so far.

        Args:
            per_class (bool): Also give each class's AP.
            ious: Overlaps for which the AP is given alone, of COCO's 0.5, 0.55, ..., 0.95: for 0.7
                as AP70.

        Returns:
            dict of float: For 'bbox' and 'segm' AP, AP50, AP75, APs, APm, APl, AR1, AR10, AR100,
            ARs, ARm, ARl; for 'keypoints' AP, AP50, AP75, APm, APl, AR, AR50, AR75, ARm, ARl;
            each named as 'bbox/AP', and each class's as 'bbox/AP/<class>'. NaN where the ground
            truth has no object of that kind (where pycocotools gives -1).

        Raises:
            chainer_seg.errors.DatasetError: If no image was added.
        """
        if not len(self):
            raise DatasetError('There is nothing to evaluate: no image was added.')
        figures: dict[str, float] = {}
        for kind in self.kinds:
            evaluation = self._accumulate(kind)
            figures.update((f'{kind}/{name}', value)
                           for name, value in _figures(evaluation, kind).items())
            figures.update((f'{kind}/AP{100 * iou:.0f}', _average_precision(evaluation, iou))
                           for iou in ious)
            if per_class and not self.class_agnostic:
                figures.update((f'{kind}/AP/{name}', value)
                               for name, value in self._class_figures(evaluation))
        return figures

    def _evaluation(self, kind):
        """A COCOeval with this evaluator's settings and no data."""
        evaluation = COCOeval(iouType=kind)
        parameters = evaluation.params
        parameters.useCats = int(not self.class_agnostic)
        parameters.maxDets = list(self.max_detections or _COCO_DETECTIONS[kind])
        if kind == 'keypoints' and self.keypoint_sigmas is not None:
            parameters.kpt_oks_sigmas = np.asarray(self.keypoint_sigmas, float)
        return evaluation

    def _accumulate(self, kind):
        """A COCOeval that holds the precision and recall over all images."""
        evaluation = self._evaluation(kind)
        records, parameters = self._records[kind], evaluation.params
        parameters.imgIds = list(range(len(records)))
        # At least one category, or pycocotools has nothing to take the mean of.
        parameters.catIds = list(range(max(self._label_count, 1)))
        categories = parameters.catIds if parameters.useCats else [-1]
        evaluation.evalImgs = [
            record.get((category, area)) for category in categories
            for area in range(len(parameters.areaRng)) for record in records]
        evaluation._paramsEval = parameters
        _silently(evaluation.accumulate)
        return evaluation

    def _class_figures(self, evaluation):
        precision = evaluation.eval['precision'][:, :, :, 0, -1]
        for label in range(self._label_count):
            name = self.class_names[label] if self.class_names else str(label)
            yield name, _mean(precision[:, :, label])


def _silently(call):
    with contextlib.redirect_stdout(io.StringIO()):
        return call()


def _as_coco(entries, instances):
    """A pycocotools COCO object of the one image 1 with these annotations."""
    coco = COCO()
    height, width = instances.image_size
    coco.imgs = {1: {'id': 1, 'height': height, 'width': width}}
    coco.anns = {entry['id']: entry for entry in entries}
    coco.imgToAnns = collections.defaultdict(list, {1: entries})
    coco.dataset = {'annotations': entries}
    return coco


def _truth_entries(instances, kind):
    areas = instances.areas
    if areas is None:
        areas = instances.masks.sum(axis=(1, 2))
    entries = _entries(instances, kind)
    for number, entry in enumerate(entries):
        entry.update(area=float(areas[number]), iscrowd=int(instances.crowds[number]))
        if kind == 'keypoints':
            entry['num_keypoints'] = int((instances.keypoints[number, :, 2] > 0).sum())
    return entries


def _result_entries(instances, kind):
    """Results with the areas that pycocotools gives them: of the box, the mask, the keypoints."""
    entries = _entries(instances, kind)
    if kind == 'bbox':
        areas = boxes.box_area(instances.bboxes)
    elif kind == 'segm':
        areas = instances.masks.sum(axis=(1, 2))
    elif entries:
        extent = np.ptp(instances.keypoints[:, :, :2], axis=1)
        areas = extent[:, 0] * extent[:, 1]
    for number, entry in enumerate(entries):
        entry.update(area=float(areas[number]), iscrowd=0,
                     score=float(instances.scores[number]))
    return entries


def _entries(instances, kind):
    """What truth and results have in common; ids count from 1 because 0 means no match."""
    entries = [{'id': number + 1, 'image_id': 1, 'category_id': int(label), 'bbox': box}
               for number, (label, box) in enumerate(zip(
                   instances.labels, boxes.to_xywh(instances.bboxes).tolist()))]
    if kind == 'segm':
        for entry, code in zip(entries, masks.encode_rle(instances.masks)):
            entry['segmentation'] = code
    if kind == 'keypoints' and entries:
        if instances.keypoints is None:
            raise DatasetError('Keypoints cannot be evaluated: the data set or the model gives '
                               'none; leave out the kind keypoints.')
        for entry, points in zip(entries, instances.keypoints):
            entry['keypoints'] = points[:, [1, 0, 2]].ravel().tolist()
    return entries


def _match(evaluation, labels):
    """The match records of one image: {(category, number of the area range): record}."""
    parameters = evaluation.params
    points = {len(entry['keypoints']) // 3 for coco in (evaluation.cocoGt, evaluation.cocoDt)
              for entry in coco.anns.values() if 'keypoints' in entry}
    if points and points != {len(parameters.kpt_oks_sigmas)}:
        raise DatasetError(f'There are {sorted(points)} keypoints but '
                           f'{len(parameters.kpt_oks_sigmas)} sigmas; give one for each keypoint.')
    parameters.imgIds, parameters.catIds = [1], labels
    _silently(evaluation.evaluate)
    categories = parameters.catIds if parameters.useCats else [-1]
    keys = [(int(category), area) for category in categories
            for area in range(len(parameters.areaRng))]
    return {key: _compact(image) for key, image in zip(keys, evaluation.evalImgs)
            if image is not None}


def _compact(image):
    """The fields that are needed later, of the smallest types."""
    compact = {field: np.asarray(image[field]) for field in _RECORD_FIELDS}
    for field in ('dtMatches', 'gtIgnore', 'dtIgnore'):
        compact[field] = compact[field].astype(bool)
    return compact


def _mean(values):
    """The mean of what is defined (pycocotools marks the rest by -1); NaN of nothing."""
    values = values[values > -1]
    return float(values.mean()) if values.size else float('nan')


def _average_precision(evaluation, iou):
    """The mean over the classes of the AP at one overlap."""
    chosen = np.isclose(evaluation.params.iouThrs, iou)
    return _mean(evaluation.eval['precision'][chosen, :, :, 0, -1])


def _figures(evaluation, kind):
    parameters = evaluation.params
    precision, recall = evaluation.eval['precision'], evaluation.eval['recall']
    figures = {'AP': _mean(precision[:, :, :, 0, -1]), 'AP50': _average_precision(evaluation, 0.5),
               'AP75': _average_precision(evaluation, 0.75)}
    sized = [(number, _AREA_MARKS[label]) for number, label in enumerate(parameters.areaRngLbl)
             if label != 'all']
    for number, mark in sized:
        figures[f'AP{mark}'] = _mean(precision[:, :, :, number, -1])
    if kind == 'keypoints':
        figures['AR'] = _mean(recall[:, :, 0, -1])
        for name, iou in (('AR50', 0.5), ('AR75', 0.75)):
            figures[name] = _mean(recall[np.isclose(parameters.iouThrs, iou), :, 0, -1])
    else:
        for number, count in enumerate(parameters.maxDets):
            figures[f'AR{count}'] = _mean(recall[:, :, 0, number])
    for number, mark in sized:
        figures[f'AR{mark}'] = _mean(recall[:, :, number, -1])
    return figures


def evaluate_coco(predictor: Any, dataset: Dataset, *, progress: Progress | None = None,
                  per_class: bool = False, **settings: Any) -> dict[str, float]:
    """Evaluate a model on a data set, one image at a time.

    Args:
        predictor: A model with ``detect(image) -> Instances``, any function from image to
            Instances, or a sequence with the Instances of each image.
        dataset: With ``len``, ``dataset[i] -> (image, Instances)`` and ``class_names``.
        progress (callable): Wraps the iteration over indices, such as tqdm.
        per_class (bool): Also give each class's AP.
        settings: See :class:`CocoEvaluator`.

    Returns:
        dict of float: As of :meth:`CocoEvaluator.summary`.

    Raises:
        chainer_seg.errors.DatasetError: If the data set is empty or the sequence has another
            length.
    """
    count = len(dataset)
    if not count:
        raise DatasetError('There is nothing to evaluate: the data set is empty.')
    predict = predictor.detect if isinstance(predictor, InstanceDetector) else predictor
    if not callable(predict) and len(predictor) != count:
        raise DatasetError(f'There are predictions for {len(predictor)} images and {count} images '
                           f'in the data set; give one for each.')
    evaluator = CocoEvaluator(dataset.class_names, **settings)
    for index in (progress or iter)(range(count)):
        image, ground_truth = dataset[index]
        prediction = predict(image) if callable(predict) else predictor[index]
        evaluator.add(ground_truth, prediction)
    return evaluator.summary(per_class)
