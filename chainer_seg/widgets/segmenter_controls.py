"""The buttons, fields and sliders around the image of a ClickSegmenter."""

import html
import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
import numpy.typing as npt

from chainer_seg.models.ritm import RitmSegmenter
from chainer_seg.widgets.events import button, row, without_errors
from chainer_seg.widgets.file_panels import OpenPanel, SavePanel
from chainer_seg.widgets.model_menu import ModelMenu
from chainer_seg.widgets.object_list import ObjectList

if TYPE_CHECKING:
    from chainer_seg.widgets.click_segmenter import ClickSegmenter

_LABELS = {'description_width': '76px'}
# Not None, which ipywidgets shows as no selection.
_NONE = 'none'
_ALL = 0  # clicks
_MOST_CLICKS = 20
_REFINEMENTS = [('none', _NONE), ('graph cut', 'graphcut'), ('dense CRF', 'crf')]


class SegmenterControls:
    """The controls around the image.

    Args:
        segmenter: The widget whose methods the controls call.
        folder: Initial text of the folder field.
        files: Whether there are panels to save to and open from the kernel's files.

    Attributes:
        toolbar: Widgets for the row above the image, a list.
        panel: The widget beside it.
    """

    def __init__(self, segmenter: 'ClickSegmenter', folder: str | os.PathLike,
                 files: bool = True) -> None:
        self._segmenter = segmenter
        self._name = ipywidgets.Combobox(
            placeholder='name of the object', layout={'width': '150px'})
        finish = button('Next object', 'check', 'Finish this object and start the next one (N)',
                        segmenter.by_hand(segmenter.finish), '118px', button_style='primary')
        self._previous = button('', 'chevron-left', 'Previous image (,)',
                                lambda: segmenter.go_to(segmenter.number - 1), '34px')
        self._next = button('', 'chevron-right', 'Next image (.)',
                            lambda: segmenter.go_to(segmenter.number + 1), '34px')
        self._position = ipywidgets.HTML()
        self._pages = row([self._previous, self._position, self._next])
        refine = button('Refine', 'cut', 'Refine this object once by a graph cut',
                        segmenter.by_hand(segmenter.refine))
        self.toolbar = [refine, row([self._name, finish]), self._pages]
        self._count = ipywidgets.HTML()
        self._list = ObjectList(segmenter.by_hand(segmenter.rename), segmenter.by_hand(segmenter.reopen),
                                segmenter.by_hand(segmenter.remove))
        self._refinement = _RefinementChoice(segmenter)
        self._limit = _ClickLimit()
        self._model = ModelMenu(lambda model: setattr(segmenter, 'model', model))
        self._folder = str(folder)
        # Not only hidden otherwise: what exists in the kernel takes messages, whether or not it is shown.
        self._save = SavePanel(segmenter, folder) if files else None
        panels = [] if self._save is None else [ipywidgets.Accordion(
            [self._save, OpenPanel(segmenter)], titles=('Save', 'Open'), selected_index=0)]
        self.panel = ipywidgets.VBox(
            [self._count, self._list, *self._sliders(), self._model, self._limit, self._refinement, *panels],
            layout={'flex': '1 1 270px', 'max_width': '350px'})
        self.panel.add_class('chainer-seg-panel')

    @property
    def name(self) -> str:
        """The text of the name field; can be set."""
        return self._name.value.strip()

    @name.setter
    def name(self, name: str) -> None:
        self._name.value = name

    @property
    def folder(self) -> str:
        """The text of the folder field; the initial one if there is no field."""
        return self._folder if self._save is None else self._save.folder

    def refresh(self, colors: npt.NDArray[np.uint8]) -> None:
        """Shows the current state of the segmenter; ``colors`` (R, 3) are those of its objects."""
        segmenter = self._segmenter
        names, number, objects = segmenter.names, segmenter.number, segmenter.objects
        self._previous.disabled, self._next.disabled = number == 0, number == len(names) - 1
        self._pages.layout.display = None if len(names) > 1 else 'none'
        self._position.value = (f'<span class="chainer-seg-position">{number + 1} of {len(names)}: '
                                f'{html.escape(names[number])}</span>')
        self._count.value = f'<b>Objects</b> ({len(objects)})' if objects else '<b>Objects</b>: none yet'
        self._list.show(objects, colors, segmenter.ious)
        self._name.options = tuple(dict.fromkeys(
            [*segmenter.class_names, *(each.name for each in objects if each.name)]))
        self._refinement.show(segmenter.refinement)
        self._model.show(segmenter.chosen_model)
        self._limit.show(segmenter.model)

    def _sliders(self) -> Any:
        sliders, canvas = [], self._segmenter.canvas
        for trait, minimum, maximum, step, tooltip in (
                ('opacity', 0, 1, 0.05, 'Opacity of the masks'),
                ('threshold', 0.05, 0.95, 0.05, 'Pixels with a higher probability belong to the object'),
                ('brush', 1, 60, 1, 'Radius of the brush in pixels of the screen ([ and ])')):
            slider = ipywidgets.FloatSlider(
                getattr(canvas, trait), min=minimum, max=maximum, step=step, description=trait.capitalize(),
                tooltip=tooltip, readout_format='.0f' if step == 1 else '.2f', style=_LABELS,
                layout={'width': 'auto'})
            # Linked in the browser, so that masks follow even while Python is computing.
            ipywidgets.jslink((slider, 'value'), (canvas, trait))
            sliders.append(slider)
        return sliders


class _ClickLimit(ipywidgets.SelectionSlider):
    """How many of the first clicks a RITM network sees, from the next click on; hidden for other models."""

    def __init__(self) -> None:
        self._of: RitmSegmenter | None = None
        super().__init__(options=[('all', _ALL)], description='Click limit', style=_LABELS,
                         tooltip='The network sees only the first clicks, as many as this',
                         layout={'width': 'auto'})
        self.observe(self._choose, 'value')

    def show(self, model: Any) -> None:
        self._of = None  # Setting options briefly selects the first one.
        limited = isinstance(model, RitmSegmenter)
        self.layout.display = None if limited else 'none'
        if limited:
            limit = model.click_limit or _ALL
            numbers = [str(number) for number in range(1, max(_MOST_CLICKS, limit) + 1)]
            self.options = [*((number, int(number)) for number in numbers), ('all', _ALL)]
            self.value = limit
            self._of = model

    def _choose(self, change: Mapping[str, Any]) -> None:
        if self._of is not None:
            self._of.click_limit = None if change['new'] == _ALL else change['new']


class _RefinementChoice(ipywidgets.Dropdown):
    """The refinements by name, and a custom one once it has been set."""

    def __init__(self, segmenter: 'ClickSegmenter') -> None:
        self._segmenter = segmenter
        self._showing = False
        super().__init__(options=_REFINEMENTS, description='Refine by', style=_LABELS,
                         layout={'width': 'auto'})
        self.observe(without_errors(self._choose), 'value')

    def show(self, refinement: str | Callable | None) -> None:
        refinement = _NONE if refinement is None else refinement
        self._showing = True  # Setting options briefly selects the first one.
        try:
            choices = dict(self.options)  # type: ignore[has-type]
            if refinement not in choices.values():
                self.options = [*choices.items(), ('custom', refinement)]
            self.value = refinement
        finally:
            self._showing = False

    def _choose(self, change: Mapping[str, Any]) -> None:
        if not self._showing:
            self._segmenter.refinement = None if change['new'] == _NONE else change['new']
