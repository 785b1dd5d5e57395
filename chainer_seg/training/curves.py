"""Plots of a training log: live in a notebook, and afterwards."""

import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import chainer

from chainer_seg.training.log import VALIDATION, Log, read_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from chainer_seg.training.assembly import Trainer, TrainingResult
    from chainer_seg.visualization import NotebookFigure

    _Log: TypeAlias = Trainer | TrainingResult | Log | str | os.PathLike | Sequence[dict[str, Any]]

_SIZE = 9.0, 2.8  # inches, as wide as a notebook's column

# Values in a log that are neither losses nor metrics.
_NOT_CURVES = ('iteration', 'epoch', 'elapsed_time', 'lr', 'skipped', 'positives')


def plot_log(log: '_Log', ax: 'Axes | None' = None, names: Sequence[str] | None = None) -> 'Axes':
    """Plots the values of a log over the iterations.

    Args:
        log: A trainer or the result of training, the folder of a run, the path of its
            ``log.jsonl``, or a list of its lines as dicts.
        ax: A matplotlib axis; default: an axis in a new figure.
        names: Names of the values; default: all losses and metrics.

    Returns:
        The axis.
    """
    lines = _lines_of(log)
    if ax is None:
        from matplotlib import pyplot
        _, ax = pyplot.subplots()
    if names is None:
        names = list(dict.fromkeys(
            name for line in lines for name in line if name not in _NOT_CURVES))
    for name in names:
        points = [(line['iteration'], line[name]) for line in lines
                  if line.get(name) is not None]
        if points:
            marker = 'o' if name.startswith(VALIDATION) or len(points) == 1 else None
            ax.plot(*zip(*points, strict=True), label=name, marker=marker)
    ax.set_xlabel('iteration')
    if ax.lines:
        ax.legend()
    return ax


def draw_log(log: '_Log') -> 'NotebookFigure':
    """Draws a log side by side: the losses, the metrics, and the learning rate, each if there is any.

    Args:
        log: As that of :func:`plot_log`.

    Returns:
        The figure, which displays itself in a notebook.
    """
    from chainer_seg.visualization import NotebookFigure
    lines = _lines_of(log)
    parts = {title: names for title, names in _parts(lines).items() if names}
    # Laid out by hand, since a live curve is drawn often, and a computed layout takes twice as long.
    figure = NotebookFigure(figsize=_SIZE, layout='none')
    figure.subplots_adjust(left=0.08, right=0.99, bottom=0.18, top=0.9, wspace=0.34)
    axes = figure.subplots(1, max(1, len(parts)), squeeze=False)[0]
    for ax, (title, names) in zip(axes, parts.items()):
        plot_log(lines, ax, names).set_title(title, fontsize=10)
        ax.legend(fontsize=7)
        ax.tick_params(labelsize=8)
    return figure


def _parts(lines: Sequence[dict[str, Any]]) -> dict[str, list[str]]:
    """The names of the values that are plotted together, by title."""
    names = list(dict.fromkeys(name for line in lines for name, value in line.items() if value is not None))
    curves = [name for name in names if name not in _NOT_CURVES]
    return {'losses': [name for name in curves if 'loss' in name],
            'metrics': [name for name in curves if 'loss' not in name],
            'learning rate': [name for name in names if name == 'lr']}


def _lines_of(log: '_Log') -> Sequence[dict[str, Any]]:
    if isinstance(log, (str, os.PathLike)):
        return read_log(log)
    if isinstance(log, Log):
        return log.lines
    if isinstance(log, (list, tuple)):
        return log
    owner: Any = log  # a trainer or its result
    return _lines_of(owner.log)


class LiveCurve(chainer.training.Extension):
    """Redraws the curves of a run below the notebook cell, at most once every ``seconds``.

    Args:
        log: The :class:`chainer_seg.training.log.Log` of the run.
        seconds: Minimum time between two updates.
        display: ``display(object, display_id=True) -> handle`` with ``handle.update(object)``;
            default: IPython's.
    """

    name: Any = 'live_curve'
    priority = 90
    trigger = (1, 'iteration')

    def __init__(self, log: Log, seconds: float = 1.0, display: Callable | None = None) -> None:
        self._log, self._seconds = log, seconds
        self._display = display
        self._handle = None
        self._drawn_lines, self._drawn_at = 0, -float('inf')

    def __call__(self, trainer: 'Trainer') -> None:
        """Redraws the curves if enough time has passed."""
        if time.monotonic() - self._drawn_at >= self._seconds:
            self._draw()

    def finalize(self) -> None:
        """Draws the final curves."""
        self._draw()

    def _draw(self) -> None:
        if len(self._log.lines) == self._drawn_lines:
            return
        self._drawn_lines, self._drawn_at = len(self._log.lines), time.monotonic()
        figure = draw_log(self._log)
        if self._handle is not None:
            self._handle.update(figure)
            return
        if self._display is None:
            from IPython.display import display
            self._display = display
        self._handle = self._display(figure, display_id=True)
