"""What every widget needs in a notebook: keys that stay in it, names of its parts, and a saved view.

A notebook that is opened without a kernel, or a page exported from it, cannot run widgets. Therefore a
widget displays a second output, an image of what it shows. The browser hides it while the widget runs.
"""

import asyncio
import base64
import os
from collections.abc import Sequence
from typing import Any

import anywidget
import ipywidgets
import numpy as np
import numpy.typing as npt

from chainer_seg.widgets.assets import read_assets
from chainer_seg.widgets.mask_data import encode_jpeg

_JPEG_QUALITY = 85
_REST = 0.3  # seconds after a change until the saved view is drawn, so that it is drawn once after many
# A program calls guardCell(el) when it renders, and the function which that returns when it ends.
GUARD_PROGRAM = read_assets('notebook_cell.js')
GUARD_STYLE = read_assets('notebook_cell.css')


class NotebookWidget(ipywidgets.DOMWidget):
    """A widget with a saved view. Must precede the class of the widget in the list of bases."""

    _saved_view: Any = None
    _is_due = False  # whether the saved view is about to be drawn

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.add_class('chainer-seg-widget')

    def snapshot(self) -> npt.NDArray[np.uint8]:
        """What the widget shows, (h, w, 3) uint8 RGB."""
        raise NotImplementedError

    def saved_view(self) -> dict[str, str]:
        """What is displayed where the widget cannot run, by MIME type."""
        data = encode_jpeg(self.snapshot(), _JPEG_QUALITY)
        return {'image/jpeg': base64.b64encode(data).decode('ascii'), 'text/plain': repr(self)}

    def update_saved_view(self) -> None:
        """Makes the saved view show the present state; does nothing before the widget is displayed."""
        if self._saved_view is not None:
            self._saved_view.update(self.saved_view(), raw=True)

    def update_saved_view_soon(self, _: object = None) -> None:
        """As :meth:`update_saved_view`, but once for changes that follow each other, as those of a slider."""
        if self._saved_view is None or self._is_due:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # Not in a kernel.
            self.update_saved_view()
            return
        self._is_due = True
        loop.call_later(_REST, self._update_due)

    def _update_due(self) -> None:
        self._is_due = False
        self.update_saved_view()

    def _ipython_display_(self) -> None:
        from IPython.display import display
        bundle = self._repr_mimebundle_()
        data, *metadata = bundle if isinstance(bundle, tuple) else (bundle,)
        display(data, raw=True, metadata=metadata[0] if metadata else None)
        # Visual Studio Code would show both.
        if 'VSCODE_PID' not in os.environ:
            self._saved_view = display(self.saved_view(), raw=True, display_id=True)


class NotebookBox(NotebookWidget, ipywidgets.VBox):
    """A column of widgets with a saved view."""

    def __init__(self, children: Sequence[ipywidgets.Widget], **options: Any) -> None:
        super().__init__([*children, _Guard()], **options)


class _Guard(anywidget.AnyWidget):
    _esm = GUARD_PROGRAM + 'export default { render: ({ el }) => guardCell(el) };\n'
    _css = GUARD_STYLE
