"""COCO's average precision and recall for Instances, image by image, through pycocotools."""

import functools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools.cocoeval import COCOeval

from chainer_seg.bad_images import Loop, each_image
from chainer_seg.datasets.base import Dataset, Progress
from chainer_seg.errors import DatasetError
from chainer_seg.evaluation.classes import ClassMatch, match_classes
from chainer_seg.evaluation.coco_records import EvaluatedImages, MatchRecords, match_image, silently
from chainer_seg.instances import Instances
from chainer_seg.models.detector import InstanceDetector

KINDS = ('bbox', 'segm', 'keypoints')
OVERLAPS = tuple(percent / 100 for percent in range(50, 100, 5))  # at which COCO computes the AP
_COCO_DETECTIONS = {'bbox': (1, 10, 100), 'segm': (1, 10, 100), 'keypoints': (20,)}
ImageRecords = tuple[dict[str, MatchRecords], int]  # by kind, and the number of labels
_AREA_MARKS = {'all': '', 'small': 's', 'medium': 'm', 'large': 'l'}


class CocoEvaluator:
    """Average precision and recall of detections, as COCO defines them.

    Every image is matched when it is added; only small match records are kept, so that images can be
    streamed. Crowds are ignored as in COCO: a detection inside one is neither correct nor wrong. Sizes
    are the ``areas`` of the ground truth, or those of its masks if it has no areas.

    Args:
        class_names: Names of the labels; by default the labels that occur.
        kinds: One or more of 'bbox', 'segm' and 'keypoints'.
        max_detections: Maximum numbers of detections per image and class; None for COCO's (1, 10, 100,
            and 20 for keypoints). Proposals are usually measured at (10, 100, 1000).
        class_agnostic: Whether to ignore the labels, as for proposals.
        keypoint_sigmas: (K,) spread of each keypoint; None for COCO's 17.

    Raises:
        ValueError: For an unknown kind.
    """

    def __init__(self, class_names: Sequence[str] = (), *, kinds: Sequence[str] = ('bbox', 'segm'),
                 max_detections: Sequence[int] | None = None, class_agnostic: bool = False,
                 keypoint_sigmas: npt.ArrayLike | None = None) -> None:
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
        self._records: dict[str, list[MatchRecords]] = {kind: [] for kind in self.kinds}
        self._label_count = len(self.class_names)
        self._matches: dict[tuple[str, ...], ClassMatch] = {}

    def __len__(self) -> int:
        """The number of images added."""
        return len(self._records[self.kinds[0]])

    def add(self, ground_truth: Instances, prediction: Instances) -> None:
        """Matches the detections of one image; classes are matched by name if both sides have names.

        Args:
            ground_truth: The objects of the image.
            prediction: The detections, with scores.

        Raises:
            chainer_seg.errors.DatasetError: The two differ in size, a label has no class, the classes of
                the prediction are not those of the evaluator, or keypoints are missing.
        """
        self.add_records(self.match(ground_truth, prediction))

    def match(self, ground_truth: Instances, prediction: Instances) -> ImageRecords:
        """The match records of one image, which :meth:`add_records` adds; as of :meth:`add`."""
        ground_truth, prediction = self.renamed(ground_truth), self.renamed(prediction)
        if ground_truth.image_size != prediction.image_size:
            raise DatasetError(
                f'The prediction is for an image of {prediction.image_size} pixels, its ground '
                f'truth for {ground_truth.image_size}; predict on the same image.')
        labels = np.concatenate([ground_truth.labels, prediction.labels])
        if len(labels) and self.class_names and labels.max() >= len(self.class_names):
            raise DatasetError(f'The label {labels.max()} has no name among the '
                               f'{len(self.class_names)} classes; use a model of this data set.')
        present = np.unique(labels).tolist()
        return {kind: match_image(self._evaluation(kind), ground_truth, prediction, present, kind)
                for kind in self.kinds}, labels.max(initial=-1) + 1

    def add_records(self, records: ImageRecords) -> None:
        """Adds an image by its match records, which another process may have computed."""
        found, label_count = records
        self._label_count = max(self._label_count, label_count)
        for kind in self.kinds:
            self._records[kind].append(found[kind])

    def renamed(self, instances: Instances) -> Instances:
        """The instances with the evaluator's labels for the names of their classes."""
        names = instances.class_names
        if self.class_agnostic or not self.class_names or names in ((), self.class_names):
            return instances
        if names not in self._matches:
            self._matches[names] = match_classes(names, self.class_names)
        return self._matches[names].found(instances)

    def merge(self, other: 'CocoEvaluator') -> None:
        """Adds the images of another evaluator with the same settings, such as a worker's."""
        for kind in self.kinds:
            self._records[kind] += other._records[kind]
        self._label_count = max(self._label_count, other._label_count)

    def summary(self, per_class: bool = False, ious: Sequence[float] = ()) -> dict[str, float]:
        """The figures of the images added so far.

        Args:
            per_class: Whether to include the AP of each class, also at ``ious``.
            ious: Additional overlaps at which to compute the AP, out of :data:`OVERLAPS`; that for 0.7 is
                named AP70.

        Returns:
            For 'bbox' and 'segm' AP, AP50, AP75, APs, APm, APl, AR1, AR10, AR100, ARs, ARm, ARl; for
            'keypoints' AP, AP50, AP75, APm, APl, AR, AR50, AR75, ARm, ARl; named like 'bbox/AP', and
            those of classes like 'bbox/AP/<class>' and 'bbox/AP70/<class>'. NaN if the ground truth has no
            object of that kind (-1 in pycocotools).

        Raises:
            chainer_seg.errors.DatasetError: No image was added.
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
                figures.update((f'{kind}/{name}', value)
                               for name, value in self._class_figures(evaluation, ious))
        return figures

    def precision(self, kind: str = 'segm') -> npt.NDArray[np.float64]:
        """The precision at recalls 0, 0.01, ..., 1 of each class, (10, 101, C), at the overlaps 0.5 to 0.95.

        NaN for classes without objects.
        """
        values = self._accumulate(kind).eval['precision'][:, :, :, 0, -1]
        return np.where(values < 0, np.nan, values)

    def _evaluation(self, kind: str) -> COCOeval:
        """A COCOeval with this evaluator's settings and no data."""
        evaluation = COCOeval(iouType=kind)
        parameters = evaluation.params
        parameters.useCats = int(not self.class_agnostic)
        parameters.maxDets = list(self.max_detections or _COCO_DETECTIONS[kind])
        if kind == 'keypoints' and self.keypoint_sigmas is not None:
            parameters.kpt_oks_sigmas = np.asarray(self.keypoint_sigmas, float)
        return evaluation

    def _accumulate(self, kind: str) -> COCOeval:
        """A COCOeval with the precision and recall over all images."""
        evaluation = self._evaluation(kind)
        records, parameters = self._records[kind], evaluation.params
        parameters.imgIds = list(range(len(records)))
        # At least one category, so that pycocotools can compute means.
        parameters.catIds = list(range(max(self._label_count, 1)))
        categories = parameters.catIds if parameters.useCats else [-1]
        evaluation.evalImgs = EvaluatedImages(records, categories, len(parameters.areaRng))
        evaluation._paramsEval = parameters
        silently(evaluation.accumulate)
        return evaluation

    def _class_figures(self, evaluation: COCOeval, ious: Sequence[float]) -> Iterator[tuple[str, float]]:
        precision = evaluation.eval['precision'][:, :, :, 0, -1]
        for label in range(self._label_count):
            name = self.class_names[label] if self.class_names else str(label)
            yield f'AP/{name}', _mean(precision[:, :, label])
            for iou in ious:
                chosen = np.isclose(evaluation.params.iouThrs, iou)
                yield f'AP{100 * iou:.0f}/{name}', _mean(precision[chosen, :, label])


def _mean(values: np.ndarray) -> float:
    """The mean of the defined values (undefined ones are -1 in pycocotools); NaN without any."""
    values = values[values > -1]
    return float(values.mean()) if values.size else float('nan')


def _average_precision(evaluation: COCOeval, iou: float) -> float:
    """The mean over the classes of the AP at one overlap."""
    chosen = np.isclose(evaluation.params.iouThrs, iou)
    return _mean(evaluation.eval['precision'][chosen, :, :, 0, -1])


def _figures(evaluation: COCOeval, kind: str) -> dict[str, float]:
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
                  loop: Loop | None = None, per_class: bool = False, **settings: Any) -> dict[str, float]:
    """Evaluates a model on a data set, one image at a time.

    Args:
        predictor: A model with ``detect(image) -> Instances``, any function from image to
            Instances, or a sequence with the Instances of each image.
        dataset: The data set.
        progress: Wraps the iteration over indices, such as tqdm.
        loop: Takes the place of the loop over the images and of ``progress``, such as one that several
            processes share; see :data:`chainer_seg.bad_images.Loop`.
        per_class: Whether to include the AP of each class.
        settings: See :class:`CocoEvaluator`.

    Returns:
        As of :meth:`CocoEvaluator.summary`.

    Raises:
        chainer_seg.errors.DatasetError: The data set is empty, or the sequence has another length.
    """
    count = len(dataset)
    if not count:
        raise DatasetError('There is nothing to evaluate: the data set is empty.')
    predict = predictor.detect if isinstance(predictor, InstanceDetector) else predictor
    if not callable(predict) and len(predictor) != count:
        raise DatasetError(f'There are predictions for {len(predictor)} images and {count} images '
                           f'in the data set; pass one for each.')
    evaluator = CocoEvaluator(dataset.class_names, **settings)

    def match(index: int) -> ImageRecords:
        image, ground_truth = dataset[index]
        return evaluator.match(ground_truth, predict(image) if callable(predict) else predictor[index])

    for _, records in (loop or functools.partial(each_image, progress=progress or iter))(range(count), match):
        evaluator.add_records(records)
    return evaluator.summary(per_class)
