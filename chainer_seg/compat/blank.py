"""Models whose weights come from a file are built without drawing weights first.

Chainer draws every parameter and fills a gradient of the same size with NaN, which triples the time
and doubles the memory of a model that is about to be loaded.
"""

import contextlib
import contextvars
import functools

from chainer_seg.compat.import_hook import Mends

_blank = contextvars.ContextVar('blank', default=False)


@contextlib.contextmanager
def blank_parameters():
    """Parameters made inside hold zeros, which take no memory until they are written to.

    Their gradients are the same until ``cleargrads`` drops them.
    """
    token = _blank.set(True)
    try:
        yield
    finally:
        _blank.reset(token)


def _let_arrays_stay_blank(initializers):
    generate_array = initializers.generate_array

    @functools.wraps(generate_array)
    def generate_unless_blank(initializer, shape, xp, dtype=None, device=None):
        if not _blank.get():
            return generate_array(initializer, shape, xp, dtype, device)
        scalar = generate_array(_Nothing(initializer), (), xp, dtype, device)
        return xp.zeros(shape, scalar.dtype)

    initializers.generate_array = generate_unless_blank


class _Nothing:
    """Leaves an array as it is, but has the dtype of the initializer it stands for."""

    def __init__(self, initializer):
        self.dtype = getattr(initializer, 'dtype', None)

    def __call__(self, array):
        pass


MENDS = Mends(patches={'chainer.initializers': _let_arrays_stay_blank})
