"""The objects that were clicked, and what each click led to."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_seg.instances import Instances
from chainer_seg.models.deeplab.clicks import Click
from chainer_seg.models.deeplab.simulated_user import next_click

_NAMELESS = 'object'


@dataclasses.dataclass(frozen=True, eq=False)
class ClickObject:
    """A finished object.

    Attributes:
        name: What the user calls it; may be empty.
        mask: (H, W) bool.
        clicks: The clicks that segmented it.
    """

    name: str
    mask: npt.NDArray[np.bool_]
    clicks: tuple[Click, ...]
    _state: 'ClickState' = dataclasses.field(repr=False)

    @classmethod
    def of_mask(cls, name: str, mask: npt.NDArray[np.bool_], clicks: tuple[Click, ...] = ()) -> 'ClickObject':
        """An object whose mask (H, W) bool is known; reopened, it starts from the mask."""
        return cls(name, mask, clicks, ClickState(clicks, mask))


@dataclasses.dataclass(frozen=True, eq=False)
class ClickState:
    """The result of one click: enough to restore it, and small enough to keep for every click.

    Attributes:
        clicks: The clicks on the object.
        start: (H, W) bool, the mask that the object started from, or None.
        result: What the session found for the clicks, of a type of its own; None for nothing.
        skipped: Whether the result is still to be computed, since another click followed at once.
    """

    clicks: tuple[Click, ...] = ()
    start: npt.NDArray[np.bool_] | None = None
    result: Any = None
    skipped: bool = False

    @property
    def has_object(self) -> bool:
        """Whether there is a start or a positive click."""
        return self.start is not None or any(click.positive for click in self.clicks)


def to_instances(objects: Sequence[ClickObject], size: tuple[int, int]) -> Instances:
    """Finished objects of an image of a size (H, W) as :class:`chainer_seg.Instances`.

    Classes are the distinct names in the order of their first use; objects without a name are of the class
    'object'.
    """
    if not objects:
        return Instances.empty(*size)
    names = [each.name or _NAMELESS for each in objects]
    classes = tuple(dict.fromkeys(names))
    return Instances(np.stack([each.mask for each in objects]),
                     labels=[classes.index(name) for name in names], class_names=classes)


def clicks_with_start(clicks: tuple[Click, ...], start: np.ndarray | None) -> tuple[Click, ...]:
    """Clicks for a network that cannot see the mask (H, W) bool that the object started from, if any.

    A click in the middle of the mask, the last one, stands for it.
    """
    middle = None if start is None else next_click(np.zeros_like(start), start)
    return clicks if middle is None else (*clicks, middle)
