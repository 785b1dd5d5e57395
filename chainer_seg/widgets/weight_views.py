"""A tree and a table of the arrays of weight files, searchable in the browser."""

import pathlib

import anywidget
import traitlets

from chainer_seg.widgets.assets import read_assets

_FOLDER = pathlib.Path(__file__).parent


class _WeightView(anywidget.AnyWidget):
    _css = _FOLDER / 'weight_views.css'

    rows: traitlets.List = traitlets.List().tag(sync=True)
    search = traitlets.Unicode('').tag(sync=True)


class WeightTree(_WeightView):
    """A collapsible tree.

    Attributes:
        rows: A list of (depth, label, text) in depth-first order, as returned by
            :func:`converters.inspection.tree_rows`.
        search: Words; only nodes that contain all of them, and their ancestors, are shown.
        open_depth: Nodes above this depth are initially open.
    """

    _esm = read_assets('weight_search.js', 'weight_tree.js')

    open_depth = traitlets.Int(2).tag(sync=True)


class WeightTable(_WeightView):
    """A table.

    Attributes:
        columns: The column headers.
        rows: A list of rows, each a list of strings.
        search: Words; only rows that contain all of them are shown.
    """

    _esm = read_assets('weight_search.js', 'weight_table.js')

    columns = traitlets.List(traitlets.Unicode()).tag(sync=True)
