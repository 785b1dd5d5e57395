"""What an update keeps beside the gradients: the statistics before it, and the means of reported values."""

import operator
from collections.abc import Iterable, Mapping
from typing import Any

import chainer


class Statistics:
    """A copy of the state that a forward pass may change in a chain: running means and counters."""

    def __init__(self, target: chainer.Link) -> None:
        # In one order on all ranks: Chainer keeps children and names in sets.
        self._entries = [
            (link, name, link.__dict__[name], _copied(link.__dict__[name]))
            for _, link in sorted(target.namedlinks(), key=operator.itemgetter(0))
            for name in sorted(link._persistent)]

    def changed(self) -> list[int]:
        """The numbers of the float arrays that differ from their copies, such as running means."""
        return [number for number, (link, name, _, kept) in enumerate(self._entries)
                if kept is not None and kept.dtype.kind == 'f' and (link.__dict__[name] != kept).any()]

    def arrays(self, numbers: Iterable[int]) -> list[Any]:
        """The arrays of these numbers."""
        return [link.__dict__[name] for link, name, _, _ in (self._entries[number] for number in numbers)]

    def restore(self) -> None:
        """Gives the chain the state of the copy."""
        for link, name, value, kept in self._entries:
            if isinstance(value, chainer.get_array_types()):
                # In place, since the array may be referenced elsewhere.
                value[...] = kept
            setattr(link, name, value)


def _copied(value: Any) -> Any:
    return value.copy() if isinstance(value, chainer.get_array_types()) else None


class Means:
    """Means of reported values over the parts of a batch, weighted by the parts' sizes."""

    def __init__(self) -> None:
        self._sums: dict[str, float] = {}
        self._weights: dict[str, int] = {}

    def add(self, values: Mapping[str, float], weight: int) -> None:
        """Adds values by name."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + weight * value
            self._weights[name] = self._weights.get(name, 0) + weight

    def values(self) -> dict[str, float]:
        """The mean of each value over the parts that have it."""
        return {name: total / self._weights[name] for name, total in self._sums.items()}
