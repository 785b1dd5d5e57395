"""The models that a click widget can use, and the menu to choose among them."""

import os
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets

from chainer_seg.engines import compile
from chainer_seg.errors import ModelFileError
from chainer_seg.model_file import load_model, read_description
from chainer_seg.models.click_model import ClickModel, as_click_model
from chainer_seg.registry import model_class
from chainer_seg.widgets.events import without_errors
from chainer_seg.zoo import SHIPPED, cached_model, published_models

# Where `chainer-seg convert` and `chainer-seg train` write model files by default, below the current folder.
_FOLDERS = ('*.npz', 'models/*.npz', 'out/*.npz', 'out/*/*.npz')
_MOST_FILES = 50  # looked at

_SYNTHETIC = ('The shipped models know synthetic shapes and few photographs; on photographs they need many '
              'clicks.')


def click_model(model: Any) -> Any:
    """The click model that a user gave by its file, its name or itself.

    Raises:
        chainer_seg.errors.UserError: There is no such model, or it cannot be clicked.
    """
    named = isinstance(model, (str, os.PathLike))
    return as_click_model(compile(load_model(model)) if named else model)


def find_click_models() -> dict[str, str]:
    """The shipped models, the published ones that were downloaded, and the model files in the usual folders.

    Returns:
        ``{name: what load_model takes}``, of those only that can be clicked.
    """
    found = {name: name for name in SHIPPED}
    found.update({name: str(cached_model(name)) for name in published_models()})
    files = [path for folder in _FOLDERS for path in sorted(pathlib.Path().glob(folder))][:_MOST_FILES]
    found.update({str(path): str(path) for path in files})
    return {name: path for name, path in found.items() if _can_be_clicked(path)}


class ModelMenu(ipywidgets.VBox):
    """A menu of models, and a sentence about the chosen one.

    Args:
        choose: ``choose(model)``, called with what the user has chosen.
    """

    def __init__(self, choose: Callable[[Any], object]) -> None:
        self._choose = without_errors(choose)
        self._showing = False
        self._menu = ipywidgets.Dropdown(description='Model', style={'description_width': '76px'},
                                         layout={'width': 'auto'})
        self._menu.observe(self._changed, 'value')
        self._note = ipywidgets.HTML()
        self._choices: dict[str, Any] = dict(find_click_models())
        super().__init__([self._menu, self._note])

    def show(self, model: Any) -> None:
        """Shows the model in use: a name, a path, or a model object."""
        self._showing = True  # Setting options briefly selects the first one.
        try:
            if not any(choice is model or choice == model for choice in self._choices.values()):
                named = isinstance(model, (str, os.PathLike))
                self._choices[str(model) if named else f'given {type(model).__name__}'] = model
            # An index, since models do not compare.
            names = list(self._choices)
            if self._menu.options != tuple((name, number) for number, name in enumerate(names)):
                self._menu.options = [(name, number) for number, name in enumerate(names)]
            self._menu.value = next(number for number, choice in enumerate(self._choices.values())
                                    if choice is model or choice == model)
        finally:
            self._showing = False
        shipped = isinstance(model, str) and model in SHIPPED
        self._note.value = f'<span class="chainer-seg-note">{_SYNTHETIC}</span>' if shipped else ''

    def _changed(self, change: Mapping[str, Any]) -> None:
        if not self._showing and change['new'] is not None:
            self._choose(list(self._choices.values())[change['new']])


def _can_be_clicked(path: str | os.PathLike) -> bool:
    if path not in SHIPPED and not pathlib.Path(path).is_file():
        return False
    try:
        name = read_description(path)['class']
    except ModelFileError:
        return False
    found = model_class(name)
    return found is not None and issubclass(found, ClickModel)
