"""An image that screen readers can name, which ipywidgets' own cannot have."""

import base64
import html
from typing import Any

import ipywidgets


class NamedImage(ipywidgets.HTML):
    """An image file with a text that stands for it.

    Args:
        name: What the image shows.
        kind: ``'png'`` or ``'jpeg'``.
        width: Maximum width, in CSS.

    Attributes:
        data: The file; empty for no image.
    """

    def __init__(self, name: str, kind: str, width: str = '100%', **options: Any) -> None:
        self._attributes = f'alt="{html.escape(name)}" style="max-width: {width}"'
        self._kind, self._data = kind, b''
        super().__init__(**options)

    @property
    def data(self) -> bytes:
        return self._data

    @data.setter
    def data(self, data: bytes) -> None:
        self._data = data
        source = f'data:image/{self._kind};base64,{base64.b64encode(data).decode("ascii")}'
        self.value = f'<img src="{source}" {self._attributes}>' if data else ''
