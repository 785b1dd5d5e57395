"""The list of finished objects beside a picture: colour, name, and buttons to open and to delete."""

import functools

import ipywidgets
import numpy as np

from chainer_seg.visualization import instance_colors
from chainer_seg.colors import NEGATIVE, PALETTE, POSITIVE
from chainer_seg.widgets.events import button

# Green and vermilion are those of the current object and of clicks that take away.
_FREE = [number for number, color in enumerate(PALETTE.tolist())
         if tuple(color) not in (POSITIVE, NEGATIVE)]


def object_colors(numbers):
    """Colours for finished objects with such numbers, (R, 3) uint8."""
    rounds, places = np.divmod(np.asarray(numbers, int), len(_FREE))
    wanted = rounds * len(PALETTE) + np.take(_FREE, places)
    return instance_colors(wanted.max(initial=0) + 1)[wanted]


class ObjectList(ipywidgets.VBox):
    """A row for each finished object.

    Args:
        rename, reopen, remove: Called with the number of the object, and ``rename`` with its new
            name, too.
    """

    def __init__(self, rename, reopen, remove):
        self._rename, self._reopen, self._remove = rename, reopen, remove
        self._rows = []
        self._showing = False
        super().__init__()
        self.add_class('chainer-seg-objects')

    def show(self, objects, colors):
        """Shows objects with a ``name`` and a ``mask``, in colours (R, 3) uint8 RGB."""
        while len(self._rows) < len(objects):
            self._rows.append(self._new_row(len(self._rows)))
        self._showing = True
        try:
            for row, each, color in zip(self._rows, objects, colors):
                swatch, name = row.children[:2]
                red, green, blue = map(int, color)
                swatch.value = (f'<span class="chainer-seg-swatch" title="{each.mask.sum()} pixels" '
                                f'style="background: rgb({red}, {green}, {blue})"></span>')
                name.value = each.name
        finally:
            self._showing = False
        rows = tuple(self._rows[:len(objects)])
        if self.children != rows:
            self.children = rows

    def _new_row(self, number):
        name = ipywidgets.Text(placeholder='object', continuous_update=False,
                               layout={'flex': '1 1 0', 'min_width': '0', 'width': 'auto'})

        def renamed(change):
            if not self._showing:
                self._rename(number, change['new'])

        name.observe(renamed, 'value')
        buttons = []
        for icon, tooltip, action in (
                ('pencil', 'Work on this object again', self._reopen),
                ('times', 'Delete this object', self._remove)):
            buttons.append(button('', icon, tooltip, functools.partial(action, number), '32px'))
        return ipywidgets.HBox([ipywidgets.HTML(), name, *buttons],
                               layout={'align_items': 'center'})


class SteadyColors:
    """Numbers for objects that come and go; who stays keeps its number."""

    def __init__(self):
        # id of a mask -> (number, mask); a mask that is held shares its id with no other.
        self._numbers = {}

    def numbers(self, objects):
        """A number from 0 for each object; new ones get the lowest that is free."""
        known = {id(each.mask): self._numbers[id(each.mask)]
                 for each in objects if id(each.mask) in self._numbers}
        free = iter(sorted(set(range(len(objects))) - {number for number, _ in known.values()}))
        for each in objects:
            if id(each.mask) not in known:
                known[id(each.mask)] = next(free), each.mask
        self._numbers = known
        return [known[id(each.mask)][0] for each in objects]
