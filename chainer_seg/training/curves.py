"""Plots of a training log: live in a notebook, and afterwards."""

import io
import os
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import chainer

from chainer_seg.training.log import VALIDATION, Log, read_log

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from chainer_seg.training.assembly import Trainer, TrainingResult

    _Log: TypeAlias = Trainer | TrainingResult | Log | str | os.PathLike | Sequence[dict[str, Any]]

# Values in a log that are neither losses nor validation metrics.
_NOT_CURVES = ('iteration', 'epoch', 'elapsed_time', 'lr', 'skipped', 'positives')


def plot_log(log: '_Log', ax: 'Axes | None' = None, names: Sequence[str] | None = None) -> 'Axes':
    """Plots the values of a log over the iterations.

    Args:
        log: A trainer or the result of training, the folder of a run, the path of its
            ``log.jsonl``, or a list of its lines as dicts.
        ax: A matplotlib axis; default: an axis in a new figure.
        names: Names of the values; default: all losses and validation metrics.

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
            marker = 'o' if name.startswith('validation/') or len(points) == 1 else None
            ax.plot(*zip(*points, strict=True), label=name, marker=marker)
    ax.set_xlabel('iteration')
    if ax.lines:
        ax.legend()
    return ax


def curve_names(lines: Sequence[dict[str, Any]], validation: bool) -> list[str]:
    """The names of the validation metrics in the lines of a log, or of the losses."""
    return list(dict.fromkeys(name for line in lines for name in line if name not in _NOT_CURVES
                              and name.startswith(VALIDATION) == validation))


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
        names: Names of the values to plot; default: all losses and validation metrics.
    """

    name: Any = 'live_curve'
    priority = 90
    trigger = (1, 'iteration')

    def __init__(self, log: Log, seconds: float = 1.0, display: Callable | None = None,
                 names: Sequence[str] | None = None) -> None:
        self._log, self._seconds, self._names = log, seconds, names
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
        image = _plotted(self._log.lines, self._names)
        if self._handle is not None:
            self._handle.update(image)
            return
        if self._display is None:
            from IPython.display import display
            self._display = display
        self._handle = self._display(image, display_id=True)


def _plotted(lines: Sequence[dict[str, Any]], names: Sequence[str] | None) -> Any:
    from IPython.display import Image
    from matplotlib.figure import Figure
    # Not with pyplot, which would display the figure again at the end of the cell.
    figure = Figure(figsize=(7, 3.5), layout='constrained')
    plot_log(lines, ax=figure.subplots(), names=names)
    stream = io.BytesIO()
    figure.savefig(stream, format='png', dpi=80)
    return Image(data=stream.getvalue())
