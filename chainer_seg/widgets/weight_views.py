"""A tree and a table that can be searched in the browser, for the arrays of weight files."""

import pathlib

import anywidget
import traitlets

_FOLDER = pathlib.Path(__file__).parent


def _program(name):
    return '\n'.join((_FOLDER / each).read_text(encoding='utf-8') for each in ('weight_search.js', name))


class _WeightView(anywidget.AnyWidget):
    _css = _FOLDER / 'weight_views.css'

    rows = traitlets.List().tag(sync=True)
    search = traitlets.Unicode('').tag(sync=True)


class WeightTree(_WeightView):
    """A tree whose nodes open and close.

    Attributes:
        rows: A list of (depth, label, text), each node before those inside it, as
            :func:`converters.inspection.tree_rows` gives them.
        search: Words; only nodes with all of them are shown, and what these stand in.
        open_depth: Nodes less deep than this are open at first.
    """

    _esm = _program('weight_tree.js')

    open_depth = traitlets.Int(2).tag(sync=True)


class WeightTable(_WeightView):
    """A table.

    Attributes:
        columns: The heads of the columns.
        rows: A list of rows, each a list of text.
        search: Words; only rows with all of them are shown.
    """

    _esm = _program('weight_table.js')

    columns = traitlets.List(traitlets.Unicode()).tag(sync=True)
