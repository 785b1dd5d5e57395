"""Accounts for every array of a weight file: used, skipped for a stated reason, or an error."""

import collections
import fnmatch
import inspect
import logging
import os
import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, NoReturn

import chainer
import numpy as np
import numpy.typing as npt

from chainer_seg.errors import WeightFileError, quoted
from converters.formats.mapped_file import forget

log = logging.getLogger(__name__)

_LISTED = 6  # Maximum number of arrays that a message lists.
ASKED = 'requested by the user'  # The reason for an array that the user has named.

# The number of updates that BatchNorm assumes behind the running statistics of a published network.
UPDATES = 300


class Placement(typing.NamedTuple):
    """An array of a file, and the parameter or running statistic of the model that it went into.

    Attributes:
        name: The name of the array in the file.
        shape: Its shape in the file.
        dtype: Its dtype in the file.
        parameter: The path in the model, such as ``/resnet/stem/conv/W``.
        parameter_shape: The shape in the model.
    """

    name: str
    shape: tuple
    dtype: str
    parameter: str
    parameter_shape: tuple


class WeightMapping:
    """The arrays of one file, and what was done with each.

    Args:
        path: The file, for messages.
        arrays: The arrays by name, or anything that ``numpy.asarray`` accepts; an array under two names
            counts as one, under the first name.
        progress: Called as ``progress(used, total)`` with numbers of arrays whenever one is used, or
            None.
    """

    def __init__(self, path: str | os.PathLike, arrays: Mapping[str, Any],
                 progress: Callable[[int, int], object] | None = None) -> None:
        self.path = path
        self._names: dict[int, str] = {}
        self._arrays = dict(arrays)  # Keeps them alive, so that no other object gets their id.
        for name, array in self._arrays.items():
            self._names.setdefault(id(array), name)
        self.used: list[str] = []
        self.skipped: dict[str, str] = {}
        self.assumed: list[str] = []
        self._filled: set[int] = set()
        self._sources: list[tuple[np.ndarray, Any]] = []  # Pairs of a target and an array that went into it.
        self._progress = progress

    def arrays(self) -> Collection[Any]:
        """All arrays of the file."""
        return self._arrays.values()

    def name(self, array: object) -> str:
        """The name of an array in the file."""
        return self._names.get(id(array), 'an array')

    def use(self, array: Any) -> np.ndarray:
        """Marks an array as used, and returns it as a NumPy array."""
        self.used.append(self.name(array))
        if self._progress is not None:
            self._progress(len(set(self.used)), len(self._names))
        return np.asarray(array)

    def put(self, target: np.ndarray, value: npt.ArrayLike, *arrays: object) -> None:
        """Writes a value into ``target`` and marks the target as filled.

        Args:
            target: The array of a parameter, or a running statistic.
            value: The new value.
            arrays: The arrays of the file that the value was computed from; None is ignored.
        """
        target[...] = value
        self._filled.add(id(target))
        self._sources += [(target, array) for array in arrays if array is not None]
        forget(value)

    def skip(self, array: object, reason: str) -> None:
        """Marks an array as not needed."""
        self.skipped[self.name(array)] = reason

    def skip_named(self, patterns: Iterable[str]) -> list[Any]:
        """Skips the arrays that the user has named.

        Args:
            patterns: Names, in which ``*`` matches any characters.

        Returns:
            The arrays.

        Raises:
            chainer_seg.errors.WeightFileError: A pattern matches no array.
        """
        arrays = []
        for pattern in patterns:
            named = [array for name, array in self._arrays.items()
                     if fnmatch.fnmatchcase(name, pattern)]
            if not named:
                names = ', '.join(list(self._arrays)[:3])
                self.fail(f'no array matches {quoted(pattern)} of --skip; the names look like '
                          f'{names}')
            arrays += named
        for array in arrays:
            self.skip(array, ASKED)
        return arrays

    def fill(self, target: np.ndarray, array: Any, shape: tuple[int, ...] | None = None) -> None:
        """Copies an array into ``target``, a parameter's array.

        Args:
            target: The array that is overwritten.
            array: An array of the file, of ``target``'s shape.
            shape: The expected shape in the file, if it differs from that of ``target``; the elements
                must be in the same order.

        Raises:
            chainer_seg.errors.WeightFileError: The array has a different shape.
        """
        needed = target.shape if shape is None else shape
        if np.shape(array) != needed:
            self.fail(f'{self.name(array)} has the shape {np.shape(array)}, expected {needed}')
        self.put(target, self.use(array).reshape(target.shape), array)

    def moved(self, old: Iterable[np.ndarray], new: Iterable[np.ndarray]) -> None:
        """Records that filled arrays were copied: the i-th array of ``old`` to the i-th of ``new``."""
        places = {id(array): other for array, other in zip(old, new)}
        self._filled = {id(places[key]) if key in places else key for key in self._filled}
        self._sources = [(places.get(id(target), target), array) for target, array in self._sources]

    def left(self) -> list[tuple[str, Any]]:
        """The arrays that have been neither used nor skipped, as pairs of name and array."""
        known = set(self.used) | self.skipped.keys()
        return [(name, self._arrays[name]) for name in self._names.values() if name not in known]

    def close(self, model: chainer.Chain) -> None:
        """Checks that no array of the file and no parameter of the model was forgotten.

        Raises:
            chainer_seg.errors.WeightFileError: An array was neither used nor skipped, or a parameter
                was not filled.
        """
        empty = [path for path, parameter in model.namedparams()
                 if id(parameter.array) not in self._filled]
        if empty:
            self.fail(f'it has no array for {", ".join(sorted(empty)[:_LISTED])}')
        left = [name for name, _ in self.left()]
        if left:
            more = f' and {len(left) - _LISTED} more' if len(left) > _LISTED else ''
            self.fail(f'it has arrays that the network has no place for: '
                      f'{", ".join(left[:_LISTED])}{more}; if they are not needed, skip them by name '
                      f'with --skip')
        needed = [name for name in self.used if self.skipped.get(name) == ASKED]
        if needed:
            self.fail(f'the network needs {", ".join(needed[:_LISTED])}, which --skip excludes')

    def mapping(self, model: chainer.Chain) -> list[Placement]:
        """Where each used array went in a model, in the order of filling."""
        serializer = chainer.serializers.DictionarySerializer()
        serializer.save(model)
        paths = {id(array): path for path, array in serializer.target.items()}
        return [Placement(self.name(array), np.shape(array), str(np.asarray(array).dtype),
                          f'/{paths[id(target)]}', target.shape)
                for target, array in self._sources if id(target) in paths]

    def summary(self) -> dict[str, Any]:
        """For ``model.origin``: the number of used arrays, of skipped arrays by reason, and the assumptions
        that were made, if any."""
        return {'arrays_used': len(set(self.used)),
                'arrays_skipped': dict(collections.Counter(self.skipped.values())),
                **({'assumed': list(self.assumed)} if self.assumed else {})}

    def assume(self, what: str) -> None:
        """Records and logs an assumption about something that the file does not store, and how to override
        it."""
        self.assumed.append(what)
        log.info('assumed %s', what)

    def make(self, cls: type, arguments: dict, *others: str) -> chainer.Link:
        """Instantiates a network.

        Args:
            cls: The class.
            arguments: The arguments of the class by name.
            others: Further option names that the user may give, for the error message.

        Raises:
            chainer_seg.errors.WeightFileError: The class has no such argument.
        """
        known = list(inspect.signature(cls).parameters)
        unknown = sorted(arguments.keys() - set(known))
        if unknown:
            self.fail(f'a {cls.__name__} has no option {", ".join(unknown)}; its options are '
                      f'{", ".join([*others, *known])}')
        return cls(**arguments)

    def fail(self, problem: str) -> NoReturn:
        """Raises an error about the file."""
        raise WeightFileError(f'{self.path} cannot be converted: {problem}.')
