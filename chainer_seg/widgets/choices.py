"""A table of numbers and a row of images, each of which can be chosen."""

import pathlib

import anywidget
import traitlets

_FOLDER = pathlib.Path(__file__).parent


class ChoiceTable(anywidget.AnyWidget):
    """A table whose numbers are buttons.

    Attributes:
        caption: What the table shows.
        columns: The column headers.
        rows: A list of rows, each a list of strings; the first is the header of its row.
        choosable: For each column, what its numbers lead to; '' if they lead to nothing.
        chosen: [row, column] of the chosen number; [-1, -1] for none.
    """

    _esm = _FOLDER / 'choice_table.js'
    _css = _FOLDER / 'choices.css'

    caption = traitlets.Unicode('').tag(sync=True)
    columns = traitlets.List(traitlets.Unicode()).tag(sync=True)
    rows: traitlets.List = traitlets.List().tag(sync=True)
    choosable = traitlets.List(traitlets.Unicode()).tag(sync=True)
    chosen = traitlets.List([-1, -1]).tag(sync=True)


class Thumbnails(anywidget.AnyWidget):
    """Small images to choose from.

    Attributes:
        images: JPEG files, as bytes.
        titles: What each shows.
        chosen: The number of the chosen one; -1 for none.
    """

    _esm = _FOLDER / 'thumbnails.js'
    _css = _FOLDER / 'choices.css'

    images: traitlets.List = traitlets.List().tag(sync=True)
    titles = traitlets.List(traitlets.Unicode()).tag(sync=True)
    chosen = traitlets.Int(-1).tag(sync=True)
