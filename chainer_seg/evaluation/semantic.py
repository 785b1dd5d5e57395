"""How good labels of pixels are: intersection over union and accuracy, as PASCAL VOC measures them.

Long, Shelhamer, Darrell: "Fully Convolutional Networks for Semantic Segmentation" (arXiv 1411.4038),
section 5, gives the formulas.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_seg.datasets.base import Progress
from chainer_seg.datasets.semantic import SemanticDataset
from chainer_seg.errors import DatasetError
from chainer_seg.evaluation.classes import match_classes
from chainer_seg.label_images import VOID
from chainer_seg.models.deeplab.semantic import SemanticSegmenter


class SemanticEvaluator:
    """Counts which class was found where which class is; only these counts are kept.

    Args:
        class_names (sequence of str): A name for each class, the background among them.

    Attributes:
        confusion: (C, C) int64, the pixels of class i in which class j was found.
    """

    def __init__(self, class_names: Sequence[str]):
        self.class_names = tuple(class_names)
        self.confusion = np.zeros((len(self.class_names),) * 2, np.int64)
        self._images = 0

    def __len__(self) -> int:
        """The number of images added."""
        return self._images

    def add(self, truth: npt.ArrayLike, labels: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Counts one image.

        Args:
            truth: (H, W) int, the class of each pixel; pixels with
                :data:`chainer_seg.label_images.VOID` are ignored.
            labels: (H, W) int, what was found.

        Returns:
            (C, C) int64, the counts of this image alone.

        Raises:
            chainer_seg.errors.DatasetError: The two are not of one size, or a label has no class.
        """
        counts = self._count(np.asarray(truth), np.asarray(labels))
        self.add_counts(counts)
        return counts

    def add_counts(self, counts: npt.ArrayLike) -> None:
        """Adds an image of which only the counts are known, as :meth:`add` gave them."""
        self.confusion += np.asarray(counts, np.int64)
        self._images += 1

    def merge(self, other: 'SemanticEvaluator') -> None:
        """Takes over the images of another evaluator of the same classes, such as a worker's."""
        self.confusion += other.confusion
        self._images += len(other)

    def ious(self) -> npt.NDArray[np.float64]:
        """(C,) float64, of each class the intersection over union of its pixels in all images.

        NaN where a class is neither in the truth nor found; a class that is found but is not there
        has 0.
        """
        right = np.diag(self.confusion)
        return _ratio(right, self.confusion.sum(axis=0) + self.confusion.sum(axis=1) - right)

    def accuracies(self) -> npt.NDArray[np.float64]:
        """(C,) float64, the share of each class's pixels that were found; NaN where it has none."""
        return _ratio(np.diag(self.confusion), self.confusion.sum(axis=1))

    def pixel_accuracy(self) -> float:
        """The share of all pixels whose class was found; NaN where all are void."""
        return float(_ratio(np.trace(self.confusion), self.confusion.sum()))

    def summary(self, per_class: bool = True) -> dict[str, float]:
        """The figures so far.

        Args:
            per_class (bool): Also give those of each class.

        Returns:
            dict of float: miou, pixel_accuracy, mean_class_accuracy, and of each class
            iou/<class> and class_accuracy/<class>. Means leave out the classes that are NaN.

        Raises:
            chainer_seg.errors.DatasetError: If no image was added.
        """
        if not len(self):
            raise DatasetError('There is nothing to evaluate: no image was added.')
        ious, accuracies = self.ious(), self.accuracies()
        figures = {'miou': _mean(ious), 'pixel_accuracy': self.pixel_accuracy(),
                   'mean_class_accuracy': _mean(accuracies)}
        if per_class:
            for title, values in (('iou', ious), ('class_accuracy', accuracies)):
                figures.update((f'{title}/{name}', float(value))
                               for name, value in zip(self.class_names, values))
        return figures

    def _count(self, truth, labels):
        classes = len(self.class_names)
        if truth.shape != labels.shape:
            raise DatasetError(f'The labels are for an image of {labels.shape} pixels, their ground '
                               f'truth for {truth.shape}; predict on the same image.')
        counted = truth != VOID
        truth, labels = truth[counted].astype(np.int64), labels[counted].astype(np.int64)
        for values in (truth, labels):
            if len(values) and not 0 <= values.min() <= values.max() < classes:
                wrong = values.min() if values.min() < 0 else values.max()
                raise DatasetError(f'The label {wrong} has no name among the {classes} classes; use a '
                                   f'model of this data set.')
        return np.bincount(truth * classes + labels, minlength=classes ** 2).reshape(classes, classes)


def evaluate_semantic(predictor: Any, dataset: SemanticDataset, *, progress: Progress | None = None,
                      per_class: bool = True, **options: Any) -> dict[str, float]:
    """Evaluates a model on a data set, one image at a time.

    Args:
        predictor: A model with ``segment(image, **options) -> labels (H, W)``, whose classes are
            found by their names where it has ``class_names``; or such a function.
        dataset: With ``len``, ``dataset[i] -> (image, labels)`` and ``class_names``, which begin
            with the background.
        progress (callable): Wraps the iteration over indices, such as tqdm.
        per_class (bool): Also give the figures of each class.
        options: For the predictor, such as ``mirror=True``.

    Returns:
        dict of float: As of :meth:`SemanticEvaluator.summary`.

    Raises:
        chainer_seg.errors.DatasetError: If the data set is empty, or its classes are not those of
            the model.
    """
    is_model = isinstance(predictor, SemanticSegmenter)
    segment, names = (predictor.segment, predictor.class_names) if is_model else (predictor, ())
    match = match_classes(names or dataset.class_names, dataset.class_names)
    evaluator = SemanticEvaluator(dataset.class_names)
    for index in (progress or iter)(range(len(dataset))):
        image, truth = dataset[index]
        found = segment(image, **options)
        evaluator.add(truth, match.found_labels(found) if names else found)
    return evaluator.summary(per_class)


def _ratio(part, whole):
    """Quotients as float64; NaN where ``whole`` is 0."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)


def _mean(values):
    """The mean of what is not NaN; NaN of nothing."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float('nan')
