"""Progress of a training run: a bar with the time left in a terminal or notebook, or plain lines."""

import importlib.util
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import chainer

from chainer_seg.training.log import Log

if TYPE_CHECKING:
    from chainer_seg.training.assembly import Trainer

KINDS = ('auto', 'terminal', 'notebook', 'lines', 'none')


def say(message: str) -> None:
    """Prints a message to standard error, above a progress bar if one is shown."""
    tqdm = sys.modules.get('tqdm')
    if tqdm is None:
        print(message, file=sys.stderr, flush=True)
    else:
        tqdm.tqdm.write(message, file=sys.stderr)


def in_notebook() -> bool:
    """Whether this is a Jupyter kernel."""
    ipython = sys.modules.get('IPython')
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == 'ZMQInteractiveShell'


def resolve_kind(kind: str) -> str:
    """The kind of progress to show; ``'auto'`` and unavailable kinds depend on the environment."""
    if kind not in KINDS:
        raise ValueError(f'progress must be one of {", ".join(KINDS)}, got {kind!r}')
    if kind == 'auto':
        if in_notebook():
            kind = 'notebook'
        else:
            kind = 'terminal' if sys.stderr.isatty() else 'lines'
    if kind in ('terminal', 'notebook') and importlib.util.find_spec('tqdm') is None:
        kind = 'lines'
    return kind


class ProgressBar(chainer.training.Extension):
    """A progress bar with the time left and the latest values.

    Args:
        kind: ``'terminal'`` or ``'notebook'``.
        iterations: The length of the run.
        log: The :class:`chainer_seg.training.log.Log` whose lines it shows.
    """

    name: Any = 'progress'
    priority = 100
    trigger = (1, 'iteration')

    def __init__(self, kind: str, iterations: int, log: Log) -> None:
        self._kind, self._iterations = kind, iterations
        self._bar: Any = None
        log.listeners.append(self._show)

    def initialize(self, trainer: 'Trainer') -> None:
        """Shows the bar."""
        from tqdm import tqdm
        # As text also in a notebook, since a widget cannot be shown once its kernel has ended.
        self._bar = tqdm(total=self._iterations, initial=trainer.updater.iteration, desc='training',
                         dynamic_ncols=True, file=sys.stdout if self._kind == 'notebook' else sys.stderr)

    def __call__(self, trainer: 'Trainer') -> None:
        """Moves the bar to the current iteration."""
        self._bar.update(trainer.updater.iteration - self._bar.n)

    def _show(self, line: Mapping[str, Any]) -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(describe_values(line), refresh=False)

    def finalize(self) -> None:
        """Closes the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class ProgressLines(chainer.training.Extension):
    """Prints each line of the log with the time left.

    Args:
        iterations: The length of the run.
        log: The :class:`chainer_seg.training.log.Log` whose lines it prints.
    """

    name: Any = 'progress'
    trigger = (1, 'iteration')

    def __init__(self, iterations: int, log: Log) -> None:
        self._iterations = iterations
        self._first_iteration, self._began_at = 0, 0.0
        log.listeners.append(self._show)

    def initialize(self, trainer: 'Trainer') -> None:
        """Starts the clock."""
        self._first_iteration = trainer.updater.iteration
        self._began_at = time.monotonic()

    def __call__(self, trainer: 'Trainer') -> None:
        """Does nothing: the lines come from the log."""

    def _show(self, line: Mapping[str, Any]) -> None:
        iteration = line['iteration']
        per_iteration = (time.monotonic() - self._began_at) / (iteration - self._first_iteration)
        left = format_time(per_iteration * (self._iterations - iteration))
        say(f'iteration {iteration}/{self._iterations}, {left} left: {describe_values(line)}')


def describe_values(line: Mapping[str, Any]) -> str:
    """The values of a log line as a short text."""
    hidden = ('iteration', 'epoch', 'elapsed_time')
    return ', '.join(f'{name} {value:.4g}' for name, value in line.items()
                     if name not in hidden and value is not None)


def format_time(seconds: float) -> str:
    """``seconds`` as ``h:mm:ss`` or ``m:ss``."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02d}:{seconds:02d}' if hours else f'{minutes}:{seconds:02d}'
