"""The list of finished objects beside an image: colour, name, and buttons to edit and to delete."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import numpy.typing as npt

from chainer_seg.visualization import instance_colors
from chainer_seg.colors import NEGATIVE, PALETTE, POSITIVE
from chainer_seg.widgets.events import button

if TYPE_CHECKING:
    from chainer_seg.models.click_state import ClickObject

# Green and vermilion are reserved for the current object and for negative clicks.
_FREE = [number for number, color in enumerate(PALETTE.tolist())
         if tuple(color) not in (POSITIVE, NEGATIVE)]


def object_colors(numbers: Sequence[int]) -> npt.NDArray[np.uint8]:
    """The colours (R, 3) uint8 RGB of finished objects with these numbers."""
    rounds, places = np.divmod(np.asarray(numbers, int), len(_FREE))
    wanted = rounds * len(PALETTE) + np.take(_FREE, places)
    return instance_colors(wanted.max(initial=0) + 1)[wanted]


class ObjectList(ipywidgets.VBox):
    """One row for each finished object.

    Args:
        rename: ``rename(number, name)``, called when the user has changed a name.
        reopen, remove: Called with the number of the object whose button was pressed.
    """

    def __init__(self, rename: Callable[[int, str], object], reopen: Callable[[int], object],
                 remove: Callable[[int], object]) -> None:
        self._rename, self._reopen, self._remove = rename, reopen, remove
        self._rows: list[ipywidgets.HBox] = []
        self._showing = False
        super().__init__()
        self.add_class('chainer-seg-objects')

    def show(self, objects: 'Sequence[ClickObject]', colors: npt.NDArray[np.uint8],
             ious: Sequence[float | None]) -> None:
        """Shows objects with their names, clicks and IoUs, in colours (R, 3) uint8 RGB."""
        while len(self._rows) < len(objects):
            self._rows.append(self._new_row(len(self._rows)))
        self._showing = True
        try:
            for row, each, color, iou in zip(self._rows, objects, colors, ious):
                swatch, name, figures = row.children[:3]
                red, green, blue = map(int, color)
                swatch.value = (f'<span class="chainer-seg-swatch" title="{each.mask.sum()} pixels" '
                                f'style="background: rgb({red}, {green}, {blue})"></span>')
                name.value = each.name
                figures.value = _figures(len(each.clicks), iou)
        finally:
            self._showing = False
        rows: tuple[ipywidgets.Widget, ...] = tuple(self._rows[:len(objects)])
        if self.children != rows:  # type: ignore[has-type]
            self.children = rows

    def _new_row(self, number: int) -> Any:
        name = ipywidgets.Text(placeholder='object', continuous_update=False,
                               layout={'flex': '1 1 0', 'min_width': '0', 'width': 'auto'})

        def renamed(change: Mapping[str, Any]) -> None:
            if not self._showing:
                self._rename(number, change['new'])

        name.observe(renamed, 'value')
        buttons = []
        for icon, tooltip, action in (
                ('pencil', 'Edit this object', self._reopen),
                ('times', 'Delete this object', self._remove)):
            buttons.append(button('', icon, tooltip, functools.partial(action, number), '32px'))
        return ipywidgets.HBox([ipywidgets.HTML(), name, ipywidgets.HTML(), *buttons],
                               layout={'align_items': 'center'})


def _figures(clicks: int, iou: float | None) -> str:
    """The number of clicks on an object and, where it is known, its IoU with the true mask, as HTML."""
    texts = [f'{clicks} click{"" if clicks == 1 else "s"}'] if clicks else []
    texts += [] if iou is None else [f'IoU {iou:.2f}']
    return f'<span class="chainer-seg-figures">{", ".join(texts)}</span>'


class SteadyColors:
    """Numbers objects so that each keeps its number, and so its colour, while others come and go."""

    def __init__(self) -> None:
        # id of a mask -> (number, mask); holding the mask keeps its id unique.
        self._numbers: dict[int, tuple[int, np.ndarray]] = {}

    def numbers(self, objects: 'Sequence[ClickObject]') -> list[int]:
        """A number from 0 for each object; new objects get the lowest free numbers."""
        known = {id(each.mask): self._numbers[id(each.mask)]
                 for each in objects if id(each.mask) in self._numbers}
        free = iter(sorted(set(range(len(objects))) - {number for number, _ in known.values()}))
        for each in objects:
            if id(each.mask) not in known:
                known[id(each.mask)] = next(free), each.mask
        self._numbers = known
        return [known[id(each.mask)][0] for each in objects]
