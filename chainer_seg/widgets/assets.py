"""The JavaScript and CSS files of the widgets, which lie beside their Python modules."""

import pathlib

_FOLDER = pathlib.Path(__file__).parent


def read_assets(*names: str) -> str:
    """The text of several files in a row: anywidget takes one module, which cannot import others."""
    return '\n'.join((_FOLDER / name).read_text(encoding='utf-8') for name in names)
