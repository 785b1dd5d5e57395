"""Running a network for its results alone: without gradients, and without NumPy's overflow warnings."""

import contextlib
import functools
from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import chainer
import numpy as np

from chainer_seg.arrays import ArrayOrVariable

_silence = functools.partial(np.errstate, over='ignore', invalid='ignore')

# What a network returns: floats in arrays or Variables, and tuples and lists of them.
Output: TypeAlias = 'ArrayOrVariable | np.floating | float | Sequence[Output]'


@contextlib.contextmanager
def inference() -> Iterator[None]:
    """Runs the network inside in test mode and without a graph.

    NumPy does not warn of overflow: :meth:`chainer_seg.models.base.Model.check_finite` reports it of
    the outputs.
    """
    with chainer.using_config('train', False), chainer.no_backprop_mode(), _silence():
        yield


def total_of(*outputs: Output) -> np.floating | float:
    """A number, still on the device of the outputs, that is finite if all of their values are."""
    with _silence():
        # The sum of finite values overflows only where they are far beyond any use.
        sums = [array.sum(dtype=np.float32) for array in _arrays(outputs)]
        if len(sums) < 2:
            return sums[0] if sums else 0.0
        return chainer.backend.get_array_module(*sums).stack(sums).sum()


def _arrays(outputs: Sequence[Output]) -> Iterator[Any]:
    """The arrays in tuples and lists of outputs."""
    for output in outputs:
        if isinstance(output, (tuple, list)):
            yield from _arrays(output)
        else:
            yield output.array if isinstance(output, chainer.Variable) else output
