"""Models whose weights come from a file are built without drawing weights first.

Chainer draws every parameter and fills a gradient of the same size with NaN, which triples the time
and doubles the memory of a model that is about to be loaded.
"""

import contextlib
import contextvars
import functools
import math

from chainer_seg.compat.import_hook import Patches

_blank: contextvars.ContextVar = contextvars.ContextVar('blank', default=None)


class TooManyParameters(ValueError):
    """A network that is being built has more parameters than it may have."""


@contextlib.contextmanager
def blank_parameters(most: int | None = None):
    """Parameters made inside hold zeros, which take no memory until they are written to.

    Their gradients are the same until ``cleargrads`` drops them.

    Args:
        most: How many numbers the parameters made inside may have in all; None for any number. So
            a network that a few bytes describe is given up before it fills the memory.

    Raises:
        TooManyParameters: From inside, as soon as there are more.
    """
    token = _blank.set(_Budget(most))
    try:
        yield
    finally:
        _blank.reset(token)


class _Budget:
    def __init__(self, most):
        self._most, self._made = most, 0

    def take(self, shape):
        if self._most is None:
            return
        self._made += math.prod(shape) if isinstance(shape, tuple) else shape
        if self._made > self._most:
            raise TooManyParameters(f'it has more than {self._most:,} parameters')


def _let_arrays_stay_blank(initializers):
    generate_array = initializers.generate_array

    @functools.wraps(generate_array)
    def generate_unless_blank(initializer, shape, xp, dtype=None, device=None):
        budget = _blank.get()
        if budget is None:
            return generate_array(initializer, shape, xp, dtype, device)
        if not isinstance(initializer, initializers.NaN):  # A gradient, as large as its parameter.
            budget.take(shape)
        scalar = generate_array(_Nothing(initializer), (), xp, dtype, device)
        return xp.zeros(shape, scalar.dtype)

    initializers.generate_array = generate_unless_blank


class _Nothing:
    """Leaves an array as it is, but has the dtype of the initializer it stands for."""

    def __init__(self, initializer):
        self.dtype = getattr(initializer, 'dtype', None)

    def __call__(self, array):
        pass


PATCHES = Patches(patches={'chainer.initializers': _let_arrays_stay_blank})
