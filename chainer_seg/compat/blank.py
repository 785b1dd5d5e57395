"""Models whose weights come from a file are built without initialising their parameters first.

Chainer initialises every parameter and fills a gradient of the same size with NaN, which triples the
time and doubles the memory of a model that is about to be loaded.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import math
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from chainer_seg.compat.import_hook import Patches

if TYPE_CHECKING:  # `import chainer_seg` leaves NumPy to those who need it.
    import numpy.typing as npt

    from chainer_seg.arrays import Array

_blank: contextvars.ContextVar[_Budget | None] = contextvars.ContextVar('blank', default=None)


class TooManyParameters(ValueError):
    """A network that is being built has more parameters than allowed."""


@contextlib.contextmanager
def blank_parameters(limit: int | None = None) -> Iterator[None]:
    """A context in which new parameters hold zeros, which take no memory until they are written to.

    So do their gradients, until ``cleargrads`` drops them.

    Args:
        limit: Maximum total size of the parameters made in this context; None for no limit. It stops a
            network that a few bytes describe before it fills the memory.

    Raises:
        TooManyParameters: Raised in the context by the parameter that exceeds the limit.
    """
    token = _blank.set(_Budget(limit))
    try:
        yield
    finally:
        _blank.reset(token)


class _Budget:
    def __init__(self, limit: int | None) -> None:
        self._limit, self._used = limit, 0

    def take(self, shape: int | tuple[int, ...]) -> None:
        if self._limit is None:
            return
        self._used += math.prod(shape) if isinstance(shape, tuple) else shape
        if self._used > self._limit:
            raise TooManyParameters(f'it has more than {self._limit:,} parameters')


def _skip_initialization(initializers: Any) -> None:
    generate_array = initializers.generate_array

    @functools.wraps(generate_array)
    def generate_unless_blank(initializer: Any, shape: int | tuple[int, ...], xp: ModuleType,
                              dtype: npt.DTypeLike | None = None, device: Any = None) -> Array:
        budget = _blank.get()
        if budget is None:
            return generate_array(initializer, shape, xp, dtype, device)
        if not isinstance(initializer, initializers.NaN):  # NaN marks a gradient, which does not count.
            budget.take(shape)
        scalar = generate_array(_KeepValues(initializer), (), xp, dtype, device)
        return xp.zeros(shape, scalar.dtype)

    initializers.generate_array = generate_unless_blank


class _KeepValues:
    """An initializer that leaves an array as it is and has the dtype of the one that it replaces."""

    def __init__(self, initializer: Any) -> None:
        self.dtype = getattr(initializer, 'dtype', None)  # A plain number is an initializer, too.

    def __call__(self, array: Array) -> None:
        pass


PATCHES = Patches(hooks={'chainer.initializers': _skip_initialization})
