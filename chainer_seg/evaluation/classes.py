"""Which class of a model is which class of a data set."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from chainer_seg.class_names import listed, match_by_position, match_names
from chainer_seg.published_classes import PASCAL_NAMES, PASCAL_NAMES_IN_COCO
from chainer_seg.errors import DatasetError
from chainer_seg.instances import Instances
from chainer_seg.label_images import VOID

_NAMES_IN_COCO = dict(zip(PASCAL_NAMES, PASCAL_NAMES_IN_COCO))


@dataclasses.dataclass(frozen=True)
class ClassMatch:
    """The classes of a model as classes of a data set.

    Attributes:
        labels: (M,) int, the data set's label of each label of the model; -1 where it has none.
        names: The data set's class names.
    """

    labels: np.ndarray
    names: tuple

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of the data set's classes that the model does not know."""
        return tuple(np.delete(np.array(self.names, object), self.labels[self.labels >= 0]))

    def found(self, instances: Instances) -> Instances:
        """What the model found, with the data set's labels; without objects of other classes."""
        labels = self.labels[instances.labels]
        kept = instances[labels >= 0]
        return kept.with_classes(labels[labels >= 0], self.names)

    def truth(self, instances: Instances) -> Instances:
        """The data set's objects without those of classes that the model does not have."""
        return instances[np.isin(instances.labels, self.labels)]

    def found_labels(self, labels: npt.NDArray[np.integer]) -> npt.NDArray[np.int32]:
        """The model's labels of pixels (H, W) as labels of the data set.

        Classes that the data set does not have become 0, the background.
        """
        return np.maximum(self.labels, 0).astype(np.int32)[labels]

    def truth_labels(self, labels: npt.NDArray[np.integer]) -> npt.NDArray[np.integer]:
        """The data set's labels of pixels (H, W), void where the model does not have the class."""
        return np.where(np.isin(labels, self.labels), labels, VOID)


def match_classes(model_names: Sequence[str], dataset_names: Sequence[str], *,
                  by: Literal['name', 'number'] | None = None, count: int | None = None) -> ClassMatch:
    """Finds the classes of a data set among those of a model.

    Args:
        model_names: The model's class names by label; may be empty.
        dataset_names: The data set's class names by label.
        by: ``'name'`` matches equal names, or else names that differ only in case, and Pascal's names
            with COCO's, such as sofa with couch, and skips the rest
            (:func:`chainer_seg.class_names.match_names`); ``'number'`` matches label 0 with label 0 and
            so on. None matches by name, or by number if the model has no names, and requires that the
            model has every class.
        count: The number of the model's classes if it has no names.

    Raises:
        chainer_seg.errors.DatasetError: The classes do not match.
    """
    count = len(model_names) or count
    if by == 'number' or (by is None and not model_names):
        return _match_numbers(count, dataset_names, said=by == 'number')
    match = ClassMatch(match_names(model_names, dataset_names, _NAMES_IN_COCO), tuple(dataset_names))
    if not (match.labels >= 0).any():
        raise DatasetError(
            f'The model finds {listed(model_names)}, and the data set has {listed(dataset_names)}: '
            f'no class has the same name; use a model of this data set, or match them by number.')
    if by is None and match.missing:
        raise DatasetError(
            f'The model does not have {listed(match.missing)} of the data set; use a model of this '
            f'data set, or match by name to skip such classes.')
    return match


def _match_numbers(count: int | None, dataset_names: Sequence[str], said: bool) -> ClassMatch:
    """Matches by number; ``said`` is whether the caller asked for it."""
    if count is None or count != len(dataset_names):
        raise DatasetError(f'The model has {count or "an unknown number of"} classes and the data set '
                           f'{len(dataset_names)}; use a model of this data set.')
    labels = np.arange(count) if said else match_by_position(count, dataset_names)
    return ClassMatch(labels, tuple(dataset_names))
