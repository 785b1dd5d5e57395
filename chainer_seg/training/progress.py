"""How far a training run is: a bar with the time left in a terminal or notebook, or plain lines."""

import sys
import time

import chainer

KINDS = ('auto', 'terminal', 'notebook', 'lines', 'none')


def say(sentence):
    """Prints a sentence to the standard error stream, above a progress bar if one is shown."""
    tqdm = sys.modules.get('tqdm')
    if tqdm is None:
        print(sentence, file=sys.stderr, flush=True)
    else:
        tqdm.tqdm.write(sentence, file=sys.stderr)


def in_notebook():
    """Whether this is a Jupyter kernel."""
    ipython = sys.modules.get('IPython')
    shell = ipython.get_ipython() if ipython is not None else None
    return type(shell).__name__ == 'ZMQInteractiveShell'


def resolve_kind(kind):
    """The kind of progress to show for ``kind``, where ``'auto'`` looks at the surroundings."""
    if kind not in KINDS:
        raise ValueError(f'progress must be one of {", ".join(KINDS)}, not {kind!r}')
    if kind == 'auto':
        if in_notebook():
            kind = 'notebook'
        else:
            kind = 'terminal' if sys.stderr.isatty() else 'lines'
    if kind in ('terminal', 'notebook') and _bar_class(kind) is None:
        kind = 'lines'
    return kind


def _bar_class(kind):
    try:
        if kind == 'terminal':
            from tqdm import tqdm
            return tqdm
        import ipywidgets  # noqa: F401 - tqdm fails only later without it
        from tqdm.notebook import tqdm
        return tqdm
    except ImportError:
        return None


class ProgressBar(chainer.training.Extension):
    """A bar with the time left and the newest values.

    Args:
        kind: ``'terminal'`` or ``'notebook'``.
        iterations: The length of the run.
        log: The :class:`chainer_seg.training.log.Log` whose lines it shows.
    """

    name = 'progress'
    priority = 100
    trigger = (1, 'iteration')

    def __init__(self, kind, iterations, log):
        self._kind, self._iterations = kind, iterations
        self._bar = None
        log.listeners.append(self._show)

    def initialize(self, trainer):
        self._bar = _bar_class(self._kind)(
            total=self._iterations, initial=trainer.updater.iteration, desc='training',
            dynamic_ncols=True)

    def __call__(self, trainer):
        self._bar.update(trainer.updater.iteration - self._bar.n)

    def _show(self, line):
        if self._bar is not None:
            self._bar.set_postfix_str(describe_values(line), refresh=False)

    def finalize(self):
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class ProgressLines(chainer.training.Extension):
    """Prints each line of the log with the time left.

    Args:
        iterations: The length of the run.
        log: The :class:`chainer_seg.training.log.Log` whose lines it prints.
    """

    name = 'progress'
    trigger = (1, 'iteration')

    def __init__(self, iterations, log):
        self._iterations = iterations
        self._first_iteration, self._began_at = 0, None
        log.listeners.append(self._show)

    def initialize(self, trainer):
        self._first_iteration = trainer.updater.iteration
        self._began_at = time.monotonic()

    def __call__(self, trainer):
        """Nothing: the lines come from the log."""

    def _show(self, line):
        iteration = line['iteration']
        per_iteration = (time.monotonic() - self._began_at) / (iteration - self._first_iteration)
        left = format_time(per_iteration * (self._iterations - iteration))
        say(f'iteration {iteration}/{self._iterations}, {left} left: {describe_values(line)}')


def describe_values(line):
    """The values of a log line in one short text."""
    hidden = ('iteration', 'epoch', 'elapsed_time')
    return ', '.join(f'{name} {value:.4g}' for name, value in line.items()
                     if name not in hidden and value is not None)


def format_time(seconds):
    """``seconds`` as ``h:mm:ss`` or ``m:ss``."""
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f'{hours}:{minutes:02d}:{seconds:02d}' if hours else f'{minutes}:{seconds:02d}'
