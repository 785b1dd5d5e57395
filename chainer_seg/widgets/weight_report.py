"""What a weight file contains, and what became of it: the tabs of a WeightConverter."""

import html
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import ipywidgets
import numpy as np

from chainer_seg.widgets.weight_views import WeightTable, WeightTree

if TYPE_CHECKING:
    from converters import Conversion, Inspection
    from converters.comparison import Difference

_MAPPING = ['array in the file', 'dtype', 'shape', 'model parameter', 'parameter shape']
_DIFFERENCES = ['layer', 'shape', 'maximum difference', 'relative']
_TABS = ('Tree', 'Mapping', 'Warnings', 'Compare')
_SAVED_ROWS = 20  # of the weight mapping in the saved view
_MANY_NODES = 300  # Larger trees are initially collapsed below the first level.


class WeightReport(ipywidgets.VBox):
    """A line about the file, and tabs with its tree, the weight mapping, warnings and differences.

    Args:
        comparison: The controls of the comparison with the original.
    """

    def __init__(self, comparison: ipywidgets.Widget) -> None:
        self._about, self._warnings = ipywidgets.HTML(), ipywidgets.HTML()
        self._tree, self._mapping = WeightTree(), WeightTable(columns=_MAPPING)
        self._differences = WeightTable(columns=_DIFFERENCES)
        self._tabs = ipywidgets.Tab(
            [self._tree, self._mapping, self._warnings, ipywidgets.VBox([comparison, self._differences])],
            titles=_TABS)
        super().__init__([self._about, self._tabs])

    def clear(self) -> None:
        """Shows nothing."""
        self._about.value = self._warnings.value = ''
        self._tabs.titles = _TABS
        self._mapping.rows = self._differences.rows = []
        self._tabs.layout.display = 'none'

    def show_inspection(self, path: pathlib.Path, found: 'Inspection') -> None:
        """Shows what a file contains."""
        from converters.inspection import tree_rows
        rows = [list(each) for each in tree_rows(found.tree)]
        with self._tree.hold_sync():
            self._tree.open_depth = 1 if len(rows) > _MANY_NODES else 2
            self._tree.search, self._tree.rows = '', rows
        numbers = sum(int(np.prod(np.shape(array))) for array in found.arrays.values())
        self._about.value = (
            f'<b>{html.escape(path.name)}</b>: format {found.format}, '
            f'{html.escape(network_name(found))}; {len(found.arrays)} arrays of {numbers:,} values, '
            f'{path.stat().st_size / 1e6:.1f} MB')
        self._tabs.layout.display = None
        self._tabs.selected_index = 0

    def show_conversion(self, conversion: 'Conversion') -> None:
        """Shows which array became which parameter, which were skipped, and the warnings."""
        from converters.inspection import conversion_warnings
        skipped = [[name, '', '', f'skipped: {reason}', ''] for name, reason in conversion.skipped.items()]
        self._mapping.rows = [
            [each.name, each.dtype, _shape(each.shape), each.parameter, _shape(each.parameter_shape)]
            for each in conversion.mapping] + skipped
        warnings = conversion_warnings(conversion)
        self._warnings.value = (
            '<ul>' + ''.join(f'<li>{html.escape(each)}</li>' for each in warnings) + '</ul>'
            if warnings else 'None.')
        self._tabs.set_title(_TABS.index('Warnings'), f'Warnings ({len(warnings)})')
        self._tabs.selected_index = _TABS.index('Mapping')
        self._differences.rows = []

    def show_differences(self, found: 'Sequence[Difference]') -> None:
        """Shows how much outputs of layers differ from the original's."""
        self._differences.rows = [
            [each.name, _shape(each.shape), f'{each.largest:.2e}', f'{each.relative:.2e}']
            for each in found]
        self._tabs.selected_index = _TABS.index('Compare')

    def saved_html(self) -> str:
        """The line about the file, the first rows of the weight mapping and the warnings, as HTML."""
        rows = ''.join('<tr>' + ''.join(f'<td>{html.escape(text)}</td>' for text in row) + '</tr>'
                       for row in self._mapping.rows[:_SAVED_ROWS])
        heads = ''.join(f'<th>{name}</th>' for name in _MAPPING)
        table = f'<table><tr>{heads}</tr>{rows}</table>' if rows else ''
        more = len(self._mapping.rows) - _SAVED_ROWS
        return (f'<p>{self._about.value}</p>{table}{f"<p>and {more} more arrays</p>" * (more > 0)}'
                f'{self._warnings.value}')


def network_name(inspection: 'Inspection') -> str:
    """The network of a file, as text."""
    return inspection.network or 'an unknown network'


def _shape(shape: Sequence[int]) -> str:
    return ' x '.join(map(str, shape)) or 'scalar'
