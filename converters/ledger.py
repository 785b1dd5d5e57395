"""Accounts for every array of a weight file: used, skipped for a named reason, or an error."""

import collections

import numpy as np

from chainer_seg.errors import WeightFileError
from converters.formats.mapped_file import forget

_LISTED = 6  # Longer lists of arrays are cut in messages.


class Ledger:
    """The arrays of one file and what became of each.

    Args:
        path: The file, for messages.
        arrays: Mapping of a name to each array, or to anything that ``numpy.asarray`` takes; what
            stands under two names is one array, known by its first.
    """

    def __init__(self, path, arrays):
        self.path = path
        self._names = {}
        self._arrays = dict(arrays)  # Keeps them alive, so that no other object gets their id.
        for name, array in self._arrays.items():
            self._names.setdefault(id(array), name)
        self.used = []
        self.skipped = {}
        self._filled = set()

    def arrays(self):
        """All arrays of the file."""
        return self._arrays.values()

    def name(self, array):
        """The name of an array in the file."""
        return self._names.get(id(array), 'an array')

    def use(self, array):
        """Says that an array went into the model, and returns it as NumPy's."""
        self.used.append(self.name(array))
        return np.asarray(array)

    def put(self, target, value):
        """Writes a value into ``target``, a parameter's array, and remembers that it has one."""
        target[...] = value
        self._filled.add(id(target))
        forget(value)

    def skip(self, array, reason):
        """Says that an array is not needed."""
        self.skipped[self.name(array)] = reason

    def fill(self, target, array, shape=None):
        """Copies an array into ``target``, a parameter's array.

        Args:
            target: The array that is overwritten.
            array: An array of the file, of ``target``'s shape.
            shape: The shape that the array has in the file, where that is another one with the same
                elements in the same order.

        Raises:
            chainer_seg.errors.WeightFileError: The array has another shape.
        """
        needed = target.shape if shape is None else shape
        if np.shape(array) != needed:
            self.fail(f'{self.name(array)} has the shape {np.shape(array)} where {needed} is needed')
        self.put(target, self.use(array).reshape(target.shape))

    def left(self):
        """The arrays that were neither used nor skipped so far, as pairs of name and array."""
        known = set(self.used) | self.skipped.keys()
        return [(name, self._arrays[name]) for name in self._names.values() if name not in known]

    def close(self, model):
        """Checks that nothing was forgotten, in the file and in the model.

        Raises:
            chainer_seg.errors.WeightFileError: An array was neither used nor skipped, or a parameter
                got no value.
        """
        empty = [path for path, parameter in model.namedparams()
                 if id(parameter.array) not in self._filled]
        if empty:
            self.fail(f'it has nothing for {", ".join(sorted(empty)[:_LISTED])}')
        left = [name for name, _ in self.left()]
        if left:
            more = f' and {len(left) - _LISTED} more' if len(left) > _LISTED else ''
            self.fail(f'it has arrays that the network has no place for: '
                      f'{", ".join(left[:_LISTED])}{more}')

    def summary(self):
        """Counts for ``model.origin``: arrays used, and skipped by their reason."""
        return {'arrays_used': len(set(self.used)),
                'arrays_skipped': dict(collections.Counter(self.skipped.values()))}

    def fail(self, problem):
        """Raises an error about the file."""
        raise WeightFileError(f'{self.path} cannot be converted: {problem}.')
