"""The objects that were clicked, and what each click led to."""

import dataclasses
from typing import Any

import numpy as np

from chainer_seg.models.deeplab.clicks import Click


@dataclasses.dataclass(frozen=True, eq=False)
class ClickObject:
    """A finished object.

    Attributes:
        name: What the user calls it; may be empty.
        mask: (H, W) bool.
        clicks: The clicks that segmented it.
    """

    name: str
    mask: np.ndarray
    clicks: tuple[Click, ...]
    _state: 'ClickState' = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True, eq=False)
class ClickState:
    """The result of one click: enough to restore it, and small enough to keep for every click.

    Attributes:
        clicks: The clicks on the object.
        start: (H, W) bool, the mask that the object started from, or None.
        result: What the session found for the clicks, of a type of its own; None for nothing.
    """

    clicks: tuple[Click, ...] = ()
    start: np.ndarray | None = None
    result: Any = None

    @property
    def has_object(self) -> bool:
        """Whether there is a start or a positive click."""
        return self.start is not None or any(click.positive for click in self.clicks)
