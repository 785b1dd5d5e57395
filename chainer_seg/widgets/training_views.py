"""What the training dashboard shows of a log: curves, and how long it still takes."""

import itertools
import statistics
from collections.abc import Sequence
from typing import Any

from chainer_seg.training import plot_log
from chainer_seg.training.curves import curve_names
from chainer_seg.visualization import axes_grid
from chainer_seg.visualization.figures import figure_png

_RECENT = 10  # lines of the log from which the time left is estimated


def share_done(line: dict[str, Any], settings: dict[str, Any]) -> float:
    """The share of a run that is done, by its iterations or its epochs."""
    done = (line['iteration'] / settings['iterations'] if settings.get('iterations') else
            line['epoch'] / settings['epochs'])
    return min(1.0, done)


def seconds_left(lines: Sequence[dict[str, Any]], share: float) -> float:
    """An estimate from the last lines; the median, which a pause does not change."""
    places = [(0.0, 0), *((line['elapsed_time'], line['iteration']) for line in lines)][-_RECENT:]
    rates = [(later[0] - before[0]) / (later[1] - before[1]) for before, later in itertools.pairwise(places)
             if later[1] > before[1]]
    iteration = lines[-1]['iteration']
    return statistics.median(rates) * iteration * (1 - share) / share if rates and share else 0.0


def draw_curves(lines: Sequence[dict[str, Any]]) -> bytes:
    """Losses, metrics and learning rate side by side, as a PNG file."""
    axes = axes_grid(3, columns=3, ratio=0.8, titles=('losses', 'metrics', 'learning rate'))
    for ax, names in zip(axes, (curve_names(lines, False), curve_names(lines, True), ['lr'])):
        ax.set_axis_on()
        plot_log(lines, ax, names)
        if ax.get_legend():
            ax.legend(fontsize=7)
    return figure_png(axes[0])
