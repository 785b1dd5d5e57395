"""Running a network for its results alone: without gradients, and without NumPy's overflow warnings."""

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, TypeAlias

import chainer
import numpy as np

from chainer_seg.arrays import ArrayOrVariable

_silence = functools.partial(np.errstate, over='ignore', invalid='ignore')

# What a network returns: floats in arrays or Variables, and tuples and lists of them.
Output: TypeAlias = 'ArrayOrVariable | np.floating | float | Sequence[Output]'


# The number of the outermost :func:`inference` that is running.
_numbers = itertools.count(1)
_running: ContextVar[int | None] = ContextVar('running', default=None)


@contextlib.contextmanager
def inference() -> Iterator[None]:
    """Runs the network inside in test mode and without a graph.

    NumPy does not warn of overflow: :meth:`chainer_seg.models.base.Model.check_finite` reports it of
    the outputs.
    """
    number = _running.set(_running.get() or next(_numbers))
    try:
        with chainer.using_config('train', False), chainer.no_backprop_mode(), _silence():
            yield
    finally:
        _running.reset(number)


def running_inference() -> int | None:
    """A number that the outermost :func:`inference` around the caller has alone; None outside."""
    return _running.get()


def network(method: Callable[..., Any]) -> Callable[..., Any]:
    """Marks a method of a model that an engine may compute in inference on the CPU.

    It takes arrays, Variables and tuples of them, returns Variables and tuples of them, and decides nothing
    by their values. See :mod:`chainer_seg.engines`.
    """
    @functools.wraps(method)
    def wrapped(self: Any, *inputs: Any) -> Any:
        engine = self.engine
        if (engine is None or self.xp is not np or chainer.config.train
                or chainer.config.enable_backprop):
            return method(self, *inputs)
        return engine.run(self, method, inputs)
    return wrapped


def total_of(*outputs: Output) -> np.floating | float:
    """A number, still on the device of the outputs, that is finite if all of their values are."""
    with _silence():
        # The sum of finite values overflows only where they are far beyond any use.
        sums = [array.sum(dtype=np.float32) for array in arrays_of(outputs)]
        if len(sums) < 2:
            return sums[0] if sums else 0.0
        return chainer.backend.get_array_module(*sums).stack(sums).sum()


def arrays_of(outputs: Sequence[Output]) -> Iterator[Any]:
    """The arrays in tuples and lists of outputs, in their order."""
    for output in outputs:
        if isinstance(output, (tuple, list)):
            yield from arrays_of(output)
        else:
            yield output.array if isinstance(output, chainer.Variable) else output
