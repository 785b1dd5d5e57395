"""Losses that are means over more than one process: the share of this process in what they are divided by.

A loss that is divided by the number of objects, regions or pixels of a batch is, with several ranks, to be
divided by their mean number over the ranks. The mean of the ranks' losses is then that of the whole batch.
"""

import contextlib
from collections.abc import Callable, Iterator
from typing import SupportsFloat

Mean = Callable[[float], float]

_means: list[Mean] = []


def share(count: SupportsFloat) -> float:
    """The factor of a loss that has been divided by ``count`` here: ``count`` over its mean over the ranks.

    It is 1 outside of :func:`shared_between_ranks`, where a count on a GPU is not waited for. Every rank must
    call it equally often.
    """
    if not _means:
        return 1.0
    own = float(count)
    mean = _means[-1](own)
    return own / mean if mean else 1.0


@contextlib.contextmanager
def shared_between_ranks(mean: Mean | None) -> Iterator[None]:
    """A block of work in which :func:`share` compares the ranks.

    Args:
        mean: ``mean(number)`` gives the mean of the ranks' numbers; None for a single process.
    """
    if mean is None:
        yield
        return
    _means.append(mean)
    try:
        yield
    finally:
        _means.pop()
