"""How good labels of pixels are: intersection over union and accuracy, as PASCAL VOC measures them.

Long, Shelhamer, Darrell: "Fully Convolutional Networks for Semantic Segmentation" (arXiv 1411.4038),
section 5, gives the formulas.
"""

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_seg.bad_images import Loop, each_image
from chainer_seg.datasets.base import Progress
from chainer_seg.datasets.semantic import SemanticDataset
from chainer_seg.errors import DatasetError
from chainer_seg.evaluation.classes import match_classes
from chainer_seg.label_images import VOID
from chainer_seg.models.deeplab.semantic import SemanticSegmenter


class SemanticEvaluator:
    """Mean IoU and accuracy of pixels from a confusion matrix over images that are added one by one.

    Args:
        class_names: A name for each class, including the background.

    Attributes:
        confusion: (C, C) int64, the number of pixels of class i that were predicted as class j.
    """

    def __init__(self, class_names: Sequence[str]) -> None:
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
            labels: (H, W) int, the predicted class of each pixel.

        Returns:
            (C, C) int64, the confusion matrix of this image.

        Raises:
            chainer_seg.errors.DatasetError: The two differ in size, or a label has no class.
        """
        counts = self.count(truth, labels)
        self.add_counts(counts)
        return counts

    def count(self, truth: npt.ArrayLike, labels: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """The confusion matrix of an image, without adding it; as of :meth:`add`."""
        return self._count(np.asarray(truth), np.asarray(labels))

    def add_counts(self, counts: npt.ArrayLike) -> None:
        """Adds the confusion matrix of an image, as returned by :meth:`add`."""
        self.confusion += np.asarray(counts, np.int64)
        self._images += 1

    def merge(self, other: 'SemanticEvaluator') -> None:
        """Adds the images of another evaluator with the same classes, such as a worker's."""
        self.confusion += other.confusion
        self._images += len(other)

    def ious(self) -> npt.NDArray[np.float64]:
        """(C,) float64, the intersection over union of each class over all images.

        NaN for a class that occurs neither in the truth nor in the prediction.
        """
        right = np.diag(self.confusion)
        return _ratio(right, self.confusion.sum(axis=0) + self.confusion.sum(axis=1) - right)

    def accuracies(self) -> npt.NDArray[np.float64]:
        """(C,) float64, the share of each class's pixels that are correct; NaN if it has none."""
        return _ratio(np.diag(self.confusion), self.confusion.sum(axis=1))

    def pixel_accuracy(self) -> float:
        """The share of all pixels that are correct; NaN if all are void."""
        return float(_ratio(np.trace(self.confusion), self.confusion.sum()))

    def summary(self, per_class: bool = True) -> dict[str, float]:
        """The figures of the images added so far.

        Args:
            per_class: Whether to include those of each class.

        Returns:
            miou, pixel_accuracy, mean_class_accuracy, and iou/<class> and class_accuracy/<class> of each
            class. Means exclude classes that are NaN.

        Raises:
            chainer_seg.errors.DatasetError: No image was added.
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

    def _count(self, truth: np.ndarray, labels: np.ndarray) -> npt.NDArray[np.int64]:
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
                      loop: Loop | None = None, per_class: bool = True, **options: Any) -> dict[str, float]:
    """Evaluates a model on a data set, one image at a time.

    Args:
        predictor: A model with ``segment(image, **options) -> labels (H, W)``, whose classes are
            found by their names where it has ``class_names``; or such a function.
        dataset: With ``len``, ``dataset[i] -> (image, labels)`` and ``class_names``, which begin
            with the background.
        progress (callable): Wraps the iteration over indices, such as tqdm.
        loop: Takes the place of the loop over the images and of ``progress``, such as one that several
            processes share; see :data:`chainer_seg.bad_images.Loop`.
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

    def count(index: int) -> npt.NDArray[np.int64]:
        image, truth = dataset[index]
        found = segment(image, **options)
        return evaluator.count(truth, match.found_labels(found) if names else found)

    loop = loop or functools.partial(each_image, progress=progress or iter)
    for _, counts in loop(range(len(dataset)), count):
        evaluator.add_counts(counts)
    return evaluator.summary(per_class)


def _ratio(part: npt.ArrayLike, whole: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Quotients as float64; NaN if ``whole`` is 0."""
    divisor = np.asarray(whole, np.float64)
    return np.divide(np.asarray(part, np.float64), divisor, out=np.full(divisor.shape, np.nan),
                     where=divisor > 0)


def _mean(values: np.ndarray) -> float:
    """The mean of the values that are not NaN; NaN without any."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float('nan')
