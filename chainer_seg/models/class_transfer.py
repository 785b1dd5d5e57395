"""Starting a model from another whose classes are others, or in another order: rows go by names."""

import typing

import chainer
import numpy as np

from chainer_seg.class_names import match_by_position, match_names
from chainer_seg.model_file import copy_matching


class ClassRows(typing.NamedTuple):
    """A parameter whose first axis has as many rows for each class.

    Attributes:
        parameter: Of the shape (groups * classes * rows, ...).
        classes: The number of classes, with the background where it has rows of its own.
        groups: How often the classes repeat, as for every anchor.
        background: Whether the first class is a background that has no name.
    """

    parameter: chainer.Parameter
    classes: int
    groups: int = 1
    background: bool = False

    def split(self, array: np.ndarray) -> np.ndarray:
        """The array as (groups, classes, rows, ...)."""
        return array.reshape(self.groups, self.classes, -1, *array.shape[1:])


class Started(typing.NamedTuple):
    """What a model got: the number of arrays copied, and its classes whose weights were known."""

    arrays: int
    shared: list


def start_by_names(source: chainer.Chain, model: chainer.Chain) -> Started:
    """Copies what fits from one model to another of its class; the rows of classes go by their names.

    Classes that ``source`` does not know keep their initial weights. Where one of the two has no names,
    classes go by position if there are as many, and are all new otherwise.

    Args:
        source, model: Models with ``class_names`` and ``class_rows()``, a list of :class:`ClassRows`.
    """
    rows = list(zip(source.class_rows(), model.class_rows()))
    fresh = [_array(wanted.parameter).copy() for _, wanted in rows]
    arrays = copy_matching(source, model)
    labels = class_labels(source, model)
    for (given, wanted), initial in zip(rows, fresh):
        known = given.split(_array(given.parameter))
        new = wanted.split(initial)
        if (known.shape[:1] + known.shape[2:]) == (new.shape[:1] + new.shape[2:]):
            first = int(wanted.background)
            new[:, :first] = known[:, :first]
            new[:, labels[1] + first] = known[:, labels[0] + first]
        _fill(wanted.parameter, new)
    names = model.class_names or source.class_names
    return Started(arrays, [names[label] if names else str(label) for label in sorted(labels[1])])


def class_labels(source: chainer.Chain, model: chainer.Chain) -> tuple[np.ndarray, np.ndarray]:
    """The labels (N,) in ``source`` and those in ``model`` of the N classes that both know."""
    if source.class_names and model.class_names:
        places = match_names(source.class_names, model.class_names)
    else:
        counts = [_count(chain) for chain in (source, model)]
        places = match_by_position(counts[0], [str(label) for label in range(counts[1])])
    return np.flatnonzero(places >= 0), places[places >= 0]


def _count(model: chainer.Chain) -> int:
    rows = model.class_rows()[0]
    return rows.classes - rows.background


def _fill(parameter: chainer.Parameter, array: np.ndarray) -> None:
    with chainer.using_device(parameter.device):  # Either model may be on a GPU.
        parameter.array[...] = parameter.device.send(
            array.reshape(parameter.shape).astype(parameter.dtype, copy=False))


def _array(parameter: chainer.Parameter) -> np.ndarray:
    return chainer.get_device('@numpy').send(parameter.array)
