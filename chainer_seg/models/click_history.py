"""Undo and redo of a click session: everything that a user can change, at each moment."""

import dataclasses
from collections.abc import Sequence

from chainer_seg.models.click_state import ClickObject, ClickState

_LONGEST = 50  # moments that are kept, since each may hold the outputs of a network


@dataclasses.dataclass(frozen=True, eq=False)
class Moment:
    """What a user has made so far.

    Attributes:
        objects: The finished objects.
        state: The clicks on the current object and what they led to.
    """

    objects: tuple[ClickObject, ...] = ()
    state: ClickState = dataclasses.field(default_factory=ClickState)


class History:
    """The moments in their order, beginning with ``first``, and which of them is now."""

    def __init__(self, first: Moment) -> None:
        self._moments, self._position = [first], 0

    @property
    def now(self) -> Moment:
        """The present moment."""
        return self._moments[self._position]

    def position(self, steps: int) -> int:
        """The number of the moment this many steps later, or earlier if negative; limited to the ends."""
        return min(max(self._position + steps, 0), len(self._moments) - 1)

    def at(self, position: int) -> Moment:
        """The moment of a number."""
        return self._moments[position]

    def go_to(self, position: int, moment: Moment) -> None:
        """Makes a moment the present one; ``moment`` replaces it."""
        self._moments[position] = moment
        self._position = position

    def add(self, moments: Sequence[Moment]) -> None:
        """Adds moments, the last of which is now; those that were undone are dropped."""
        kept = [*self._moments[:self._position + 1], *moments]
        self._moments = kept[-_LONGEST:]
        self._position = len(self._moments) - 1
