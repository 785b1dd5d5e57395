"""An evaluation that can be looked into: figures, curves, confusions, and every single error."""

import dataclasses
import os
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_seg.datasets.base import Dataset, Progress
from chainer_seg.datasets.coco_results import CocoResults, result_ids
from chainer_seg.errors import DatasetError
from chainer_seg.evaluation.coco import CocoEvaluator
from chainer_seg.evaluation.detection_errors import (
    CORRECT,
    FALSE_POSITIVES,
    MISSED,
    VERDICTS,
)
from chainer_seg.evaluation.error_analysis import ErrorAnalysis
from chainer_seg.models.detector import InstanceDetector
from chainer_seg.visualization.error_cases import crop_around, overlay_truth_and_detections
from chainer_seg.visualization.evaluation_charts import (
    draw_confusion,
    draw_error_kinds,
    draw_precision_recall,
)
from chainer_seg.visualization.figures import NotebookFigure


@dataclasses.dataclass(frozen=True)
class Case:
    """One detection or one missed object.

    Attributes:
        image: Number of the image.
        kind: ``'correct'`` or one of :data:`chainer_seg.evaluation.detection_errors.ERROR_KINDS`.
        label: The predicted class; of a missed object, its own.
        score: Of the detection; NaN for a missed object.
        iou: Overlap with the object that the error is about.
        detection: Number of the detection in its image; None for a missed object.
        object_number: Number of the object in its image; None without one.
    """

    image: int
    kind: str
    label: int
    score: float
    iou: float
    detection: int | None
    object_number: int | None


@dataclasses.dataclass(frozen=True)
class DetectionAnalysis:
    """The evaluation of a detector on a data set, as :func:`analyse_detections` makes it.

    Attributes:
        dataset: The images with their objects.
        results: The detections of each image.
        figures: COCO's figures by name, with the AP of each class.
        precision: (10, 101, C), as of :meth:`chainer_seg.evaluation.CocoEvaluator.precision`.
        errors: The errors at IoU 0.5.
    """

    dataset: Dataset
    results: CocoResults
    figures: dict[str, float]
    precision: npt.NDArray[np.float64]
    errors: ErrorAnalysis

    @property
    def kind(self) -> str:
        """``'segm'`` if masks are compared, ``'bbox'`` if boxes are."""
        return self.errors.kind

    def cases(self, kind: str | None = None, label: int | None = None, score_threshold: float = 0.0
              ) -> list[Case]:
        """Detections or missed objects, the worst first.

        Args:
            kind: ``'correct'`` or a kind of error; None for all false positives.
            label: The class; None for all.
            score_threshold: Detections of a lower score do not count.

        Returns:
            False positives from the highest score, correct detections from the least overlap, missed
            objects in the order of their images.
        """
        found, objects = self.errors.detections, self.errors.objects
        if kind == MISSED:
            return self._undetected(np.flatnonzero(
                self.errors.missed(score_threshold) & ((objects.label == label) | (label is None))))
        verdicts = [VERDICTS.index(each) for each in (FALSE_POSITIVES if kind is None else (kind,))]
        rows = np.flatnonzero(np.isin(found.verdict, verdicts) & (found.score >= score_threshold)
                              & ((found.label == label) | (label is None)))
        order = found.iou[rows] if kind == CORRECT else -found.score[rows]
        return self._detected(rows[np.argsort(order, kind='stable')])

    def confused(self, truth: int | None, predicted: int | None, score_threshold: float = 0.5) -> list[Case]:
        """The cases in a cell of the confusion matrix; None stands for its last row or column."""
        found, objects = self.errors.detections, self.errors.objects
        used = (found.score >= score_threshold) & (found.verdict != VERDICTS.index('ignored'))
        if predicted is None:
            return self._undetected(np.setdiff1d(np.flatnonzero(objects.label == truth), found.place[used]))
        # The place -1 is that of the last row, which stands for no object.
        labels = np.append(objects.label, -1)[found.place]
        chosen = (found.label == predicted) & (labels == (-1 if truth is None else truth))
        rows = np.flatnonzero(used & chosen)
        return self._detected(rows[np.argsort(-found.score[rows], kind='stable')])

    def _detected(self, rows: npt.NDArray[np.integer]) -> list[Case]:
        """The cases of rows of the detections."""
        found, objects = self.errors.detections, self.errors.objects
        return [Case(int(found.image[row]), VERDICTS[found.verdict[row]], int(found.label[row]),
                     float(found.score[row]), float(found.iou[row]), int(found.number[row]),
                     int(objects.number[found.truth[row]]) if found.truth[row] >= 0 else None)
                for row in rows]

    def _undetected(self, rows: npt.NDArray[np.integer]) -> list[Case]:
        """The cases of rows of the objects."""
        objects = self.errors.objects
        return [Case(int(objects.image[row]), MISSED, int(objects.label[row]), float('nan'), 0.0, None,
                     int(objects.number[row])) for row in rows]

    def describe(self, case: Case) -> str:
        """A case in one sentence."""
        name, file = self.dataset.class_names[case.label], self.dataset.file_name(case.image)
        if case.kind == MISSED:
            return f'{file}: {name} missed'
        truth = self.dataset.read_instances(case.image)
        about = '' if case.object_number is None else (
            f', IoU {case.iou:.2f} with a {truth.name(case.object_number)}')
        verdict = 'correct' if case.kind == CORRECT else f'{case.kind} error'
        return f'{file}: {name} {case.score:.2f}, {verdict}{about}'

    def draw(self, case: Case, longest_side: int = 480, cropped: bool = False) -> npt.NDArray[np.uint8]:
        """Draws a case, truth beside detections, (h, w, 3) uint8 RGB.

        Args:
            case: One of :meth:`cases` or :meth:`confused`.
            longest_side: Longer side of each of the two images in pixels.
            cropped: Only show the part of the image that the case is about.
        """
        image, truth = self.dataset[case.image]
        found, numbers = self.results[case.image], (case.object_number, case.detection)
        if cropped:
            image, truth, found = crop_around(image, truth, found, *numbers)
        return overlay_truth_and_detections(image, truth, found, *numbers, longest_side=longest_side)

    def to_figures(self, score_threshold: float = 0.5) -> dict[str, NotebookFigure]:
        """Figures by name: ``'precision_recall'`` at IoU 0.5, ``'confusion'`` and ``'errors'``.

        Args:
            score_threshold: Detections of a lower score are not in the confusion matrix.
        """
        counts = {kind: int(each.sum()) for kind, each in self.errors.counts().items()}
        names = self.dataset.class_names
        axes = {'precision_recall': draw_precision_recall(self.precision[0], names),
                'confusion': draw_confusion(self.errors.confusion(score_threshold), names),
                'errors': draw_error_kinds(self.errors.gains(), counts)}
        figures = {}
        for name, ax in axes.items():
            assert isinstance(ax.figure, NotebookFigure)
            figures[name] = ax.figure
        return figures


def analyse_detections(detections: Any, dataset: Dataset, kind: str | None = None,
                       progress: Progress | None = None) -> DetectionAnalysis:
    """Evaluates detections so that every error can be looked at.

    Args:
        detections: A model with ``detect(image) -> Instances``, any function from image to Instances, a
            sequence with the Instances of each image, or a file or folder of results that ``chainer-seg
            evaluate --results`` wrote.
        dataset: The images with their objects.
        kind: ``'segm'`` compares masks, ``'bbox'`` boxes; by default masks where there are some.
        progress: Wraps the iteration over images, such as tqdm.

    Raises:
        chainer_seg.errors.DatasetError: The data set is empty, or the detections are not of its images.
    """
    if not len(dataset):
        raise DatasetError('There is nothing to evaluate: the data set is empty.')
    if isinstance(detections, (str, os.PathLike)):
        detections = CocoResults.read(detections, dataset)
    if kind == 'segm' and isinstance(detections, CocoResults) and detections.kind == 'bbox':
        raise DatasetError('The results have boxes but no masks; compare boxes, or open segm.json.')
    kind = kind or (detections.kind if isinstance(detections, CocoResults) else 'segm')
    predict = detections.detect if isinstance(detections, InstanceDetector) else detections
    if not callable(predict) and len(predict) != len(dataset):
        raise DatasetError(f'There are detections for {len(predict)} images and {len(dataset)} images in the '
                           f'data set; pass one for each.')
    evaluator = CocoEvaluator(dataset.class_names, kinds=(kind,))
    errors, rows = ErrorAnalysis(dataset.class_names, kind), []
    for number in (progress or iter)(range(len(dataset))):
        if callable(predict):
            image, truth = dataset[number]
            found = predict(image)
        else:
            truth, found = dataset.read_instances(number), predict[number]
        found = evaluator.renamed(found)
        evaluator.add(truth, found)
        errors.add(truth, found)
        if not isinstance(detections, CocoResults):
            rows += found.to_coco_results(result_ids(dataset)[number], dataset.category_ids)
    results = detections if isinstance(detections, CocoResults) else CocoResults(rows, dataset)
    figures = evaluator.summary(per_class=True)
    return DetectionAnalysis(dataset, results, figures, evaluator.precision(kind), errors)

