"""Figures of what ``chainer-seg benchmark`` has measured."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from chainer_seg.cli.benchmark_growth import STAGES, exponent
from chainer_seg.cli.benchmark_memory import MemoryUse
from chainer_seg.visualization.figures import NotebookFigure

_ROW = 2.6  # inches


def draw_growth(seconds: Mapping[str, float]) -> Figure:
    """Time over size, both logarithmic: one plot for each unit, and a dotted line of proportional growth.

    Args:
        seconds: The time of each benchmark of :mod:`chainer_seg.cli.benchmark_growth`.
    """
    units = list(dict.fromkeys(stage.unit for stage in STAGES))
    rows = -(-len(units) // 2)
    figure = NotebookFigure(figsize=(10, 1.4 * _ROW * rows))
    for number, unit in enumerate(units):
        ax = figure.add_subplot(rows, 2, number + 1)
        for stage in (each for each in STAGES if each.unit == unit):
            times = stage.times(seconds)
            line, = ax.loglog(stage.sizes, times, 'o-', markersize=3,
                              label=f'{stage.title} (exponent {exponent(stage.sizes, times):.2f})')
            proportional = [times[-1] * size / stage.sizes[-1] for size in stage.sizes]
            ax.loglog(stage.sizes, proportional, ':', color=line.get_color(), linewidth=1)
        sizes = sorted({size for stage in STAGES if stage.unit == unit for size in stage.sizes})
        ax.set_xticks(sizes, [f'{size:,}' for size in sizes])
        ax.minorticks_off()
        ax.set(xlabel=unit, ylabel='seconds')
        ax.legend(fontsize=7, loc='lower center', bbox_to_anchor=(0.5, 1))
    return figure


def draw_memory(memory: Mapping[str, MemoryUse]) -> Figure:
    """Resident memory over time, one plot for each benchmark."""
    figure = NotebookFigure(figsize=(10, _ROW * -(-len(memory) // 2)))
    for number, (name, use) in enumerate(memory.items()):
        ax = figure.add_subplot(-(-len(memory) // 2), 2, number + 1)
        ax.plot([0, *use.seconds], [use.before, *use.over_time])
        ax.set(title=name, xlabel='seconds', ylabel='GiB', ylim=(0, 1.1 * use.peak))
        ax.title.set_fontsize(9)
    return figure
