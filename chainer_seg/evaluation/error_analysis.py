"""The errors of a detector over many images: how many of each kind, what they cost, and where they are."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from chainer_seg import boxes
from chainer_seg.evaluation.detection_errors import (
    CORRECT,
    ERROR_KINDS,
    FALSE_POSITIVES,
    FOREGROUND,
    IGNORED,
    MISSED,
    VERDICTS,
    judge,
    match_greedily,
    mean_average_precision,
)
from chainer_seg.instances import Instances

_LIMIT = 100  # detections of an image and a class that COCO counts
_CORRECT, _IGNORED = VERDICTS.index(CORRECT), VERDICTS.index(IGNORED)


@dataclasses.dataclass(frozen=True)
class Detections:
    """All detections as columns (N,), image by image in descending order of their scores.

    Attributes:
        image: Number of the image, in the order in which images were added.
        number: Number among the detections of its image.
        label, score: As predicted.
        verdict: A number of :data:`chainer_seg.evaluation.detection_errors.VERDICTS`.
        truth: Row of the object that the verdict is about; -1 for none.
        iou: Overlap with that object.
        place: Row of the object that is there, whatever its class, matched as COCO does; -1 for none.
    """

    image: npt.NDArray[np.int64]
    number: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]
    score: npt.NDArray[np.float64]
    verdict: npt.NDArray[np.int64]
    truth: npt.NDArray[np.int64]
    iou: npt.NDArray[np.float64]
    place: npt.NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Objects:
    """All objects that are not crowds, as columns (M,): the image, the number in it, and the label."""

    image: npt.NDArray[np.int64]
    number: npt.NDArray[np.int64]
    label: npt.NDArray[np.int64]


class ErrorAnalysis:
    """Sorts the errors of detections by their kinds, image by image; keeps a few numbers of each.

    As in COCO's evaluation, at most 100 detections of a class count in an image, and those inside a crowd
    do not count.

    Args:
        class_names: The name of each label.
        kind: ``'segm'`` compares masks, ``'bbox'`` boxes.
    """

    def __init__(self, class_names: Sequence[str], kind: str = 'segm') -> None:
        self.class_names, self.kind = tuple(class_names), kind
        self._images = 0
        self._objects = 0
        self._rows: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, truth: Instances, prediction: Instances) -> None:
        """Adds an image with its objects and detections, whose labels are those of ``class_names``."""
        numbers = _counted(prediction)
        found, known = prediction[numbers], np.flatnonzero(~truth.crowds)
        ious = _overlaps(found, truth, self.kind)
        same = found.labels[:, None] == truth.labels[known]
        own = ious[:, known]
        verdicts, about = judge(own, same, match_greedily(own * same))
        in_crowd = (ious >= FOREGROUND) & truth.crowds & (found.labels[:, None] == truth.labels)
        verdicts[in_crowd.any(axis=1) & (verdicts != _CORRECT)] = _IGNORED
        # Without an object, the overlap is that with a column of zeros.
        overlaps = np.pad(own, ((0, 0), (0, 1)))[np.arange(len(own)), about]
        about, places = (np.where(each >= 0, each + self._objects, -1)
                         for each in (about, match_greedily(own)))
        columns = [np.full(len(found), self._images), numbers, found.labels, found.scores, verdicts, about,
                   overlaps, places]
        self._rows.append((np.array(columns, float), np.array(
            [np.full(len(known), self._images), known, truth.labels[known]])))
        self._images, self._objects = self._images + 1, self._objects + len(known)
        vars(self).pop('detections', None)
        vars(self).pop('objects', None)

    @functools.cached_property
    def detections(self) -> Detections:
        """All detections."""
        columns = np.concatenate([np.zeros((8, 0)), *(rows for rows, _ in self._rows)], axis=1)
        return Detections(*(column if field.name in ('score', 'iou') else column.astype(np.int64)
                            for field, column in zip(dataclasses.fields(Detections), columns)))

    @functools.cached_property
    def objects(self) -> Objects:
        """All objects."""
        return Objects(*np.concatenate([np.zeros((3, 0), int), *(rows for _, rows in self._rows)], axis=1))

    def missed(self, score_threshold: float = 0.0) -> npt.NDArray[np.bool_]:
        """(M,) whether each object is missed by the detections of at least this score."""
        found = self._of(('correct', 'localisation', 'class'), score_threshold)
        missed = np.ones(len(self.objects.label), bool)
        missed[self.detections.truth[found]] = False
        return missed

    def counts(self, score_threshold: float = 0.0) -> dict[str, npt.NDArray[np.int64]]:
        """How many there are of ``'correct'`` and of each of ``ERROR_KINDS``, (C,) for each class.

        False positives count for the predicted class, missed objects for their own.
        """
        classes = len(self.class_names)
        counts = {kind: np.bincount(self.detections.label[self._of((kind,), score_threshold)],
                                    minlength=classes) for kind in (CORRECT, *FALSE_POSITIVES)}
        missed = self.objects.label[self.missed(score_threshold)]
        return {**counts, MISSED: np.bincount(missed, minlength=classes)}

    def average_precision(self) -> float:
        """COCO's AP50 of the detections, from which :meth:`gains` are counted."""
        return self._precision(self._kept(), self.detections.verdict == _CORRECT, 0)

    def gains(self) -> dict[str, float]:
        """By how much the AP50 would rise if there were no errors of one kind (section 2.3 of the paper).

        The class or the place of the best detection that points to an unmatched object is put right;
        other false positives are removed; missed objects are not asked for.
        """
        before, correct = self.average_precision(), self.detections.verdict == _CORRECT
        repairable = self._best_for_each_object(self._of(('localisation', 'class')))
        after = {}
        for kind in FALSE_POSITIVES:
            wrong = self._of((kind,))
            repaired = wrong & repairable
            after[kind] = self._precision(self._kept() & (~wrong | repaired), correct | repaired, 0)
        missed = np.bincount(self.objects.label[self.missed()], minlength=len(self.class_names))
        after[MISSED] = self._precision(self._kept(), correct, missed)
        return {kind: max(after[kind] - before, 0.0) for kind in ERROR_KINDS}

    def confusion(self, score_threshold: float = 0.5) -> npt.NDArray[np.int64]:
        """(C + 1, C + 1) counts: the row is the true class, the column the predicted one.

        Detections of at least this score are matched with objects of any class. The last row counts those
        without an object, the last column objects without a detection.
        """
        classes, found = len(self.class_names), self.detections
        used = (found.score >= score_threshold) & (found.verdict != _IGNORED)
        there = used & (found.place >= 0)
        alone = np.ones(len(self.objects.label), bool)
        alone[found.place[there]] = False
        matrix = np.zeros((classes + 1, classes + 1), np.int64)
        np.add.at(matrix, (self.objects.label[found.place[there]], found.label[there]), 1)
        matrix[classes, :classes] = np.bincount(found.label[used & (found.place < 0)], minlength=classes)
        matrix[:classes, classes] = np.bincount(self.objects.label[alone], minlength=classes)
        return matrix

    def _of(self, kinds: Sequence[str], score_threshold: float = 0.0) -> npt.NDArray[np.bool_]:
        """(N,) whether each detection has one of these verdicts and at least this score."""
        verdicts = [VERDICTS.index(kind) for kind in kinds]
        return np.isin(self.detections.verdict, verdicts) & (self.detections.score >= score_threshold)

    def _kept(self) -> npt.NDArray[np.bool_]:
        return self.detections.verdict != _IGNORED

    def _best_for_each_object(self, wrong: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """(N,) which of the wrong detections are the best for an object that has no match."""
        matched = self.detections.truth[self.detections.verdict == _CORRECT]
        rows = np.flatnonzero(wrong & ~np.isin(self.detections.truth, matched))
        rows = rows[np.argsort(-self.detections.score[rows], kind='stable')]
        best = np.zeros(len(wrong), bool)
        best[rows[np.unique(self.detections.truth[rows], return_index=True)[1]]] = True
        return best

    def _precision(self, kept: npt.NDArray[np.bool_], correct: npt.NDArray[np.bool_],
                   fewer: npt.NDArray[np.int64] | int) -> float:
        """The AP50 of some detections; a correct one counts for the class of its object."""
        found, wanted = self.detections, np.bincount(self.objects.label, minlength=len(self.class_names))
        labels = found.label.copy()
        labels[correct] = self.objects.label[found.truth[correct]]
        return mean_average_precision(labels[kept], found.score[kept], correct[kept], wanted - fewer)


def _counted(prediction: Instances) -> npt.NDArray[np.int64]:
    """The numbers of the best detections of each class, in descending order of their scores."""
    order = np.argsort(-prediction.scores, kind='stable')
    labels = prediction.labels[order]
    rank = np.zeros(len(order), int)
    for label in np.unique(labels):
        rank[labels == label] = np.arange(np.count_nonzero(labels == label))
    return order[rank < _LIMIT]


def _overlaps(found: Instances, truth: Instances, kind: str) -> npt.NDArray[np.float64]:
    """(R, T) intersection over union; for a crowd, over the area of the detection."""
    if not len(found) or not len(truth):
        return np.zeros((len(found), len(truth)))
    sides = [each.runs.to_rle() if kind == 'segm' else boxes.to_xywh(each.bboxes).astype(float)
             for each in (found, truth)]
    return np.asarray(coco_mask.iou(*sides, truth.crowds.astype(np.uint8).tolist()))
