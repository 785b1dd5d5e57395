"""Trains a system from a notebook: its recipe as controls, buttons, and live plots."""

import contextlib
import functools
import pathlib
import shlex
import threading
import time
from collections.abc import Callable
from typing import Any

import ipywidgets
import numpy as np
import numpy.typing as npt

from chainer_seg.cli.train import Request, parse
from chainer_seg.errors import DatasetError, ModelError, TrainingError, writing
from chainer_seg.evaluation.sample_predictions import Examples, draw_sample_predictions
from chainer_seg.images import decode_image
from chainer_seg.model_file import load_model
from chainer_seg.recipes import Recipe, Run
from chainer_seg.training import TrainingResult, draw_log, find_snapshots, read_log, read_result
from chainer_seg.training.log import LOG_NAME
from chainer_seg.training.progress import format_time
from chainer_seg.training.snapshots import MODEL
from chainer_seg.visualization.figures import figure_png
from chainer_seg.widgets.events import (
    button, error_message, reporting_errors, row, status_html, status_line)
from chainer_seg.widgets.mask_data import encode_jpeg
from chainer_seg.widgets.named_image import NamedImage
from chainer_seg.widgets.notebook_cell import NotebookBox
from chainer_seg.widgets.option_controls import OptionControls, command_words
from chainer_seg.widgets.sample_predictions import first_examples
from chainer_seg.widgets.training_process import TrainingProcess
from chainer_seg.widgets.time_left import seconds_left, share_done

_PERIOD = 0.5  # seconds between two looks at the log
_FAILURE = 'The training cannot start'
RECIPE = 'recipe.toml'  # in the folder of the run


class TrainingDashboard(NotebookBox):
    """Trains a recipe in a process of its own, so that the kernel stays free, and shows how it goes.

    "Start" runs ``chainer-seg train`` with the values of the controls; "Pause" freezes the process; "Stop
    and save" lets it finish the iteration and save a snapshot; "Resume" continues exactly where it was
    paused or stopped, also after a restart of the kernel.

    Args:
        recipe: The recipe whose values are shown first.
        data: The data, an instance of ``type(recipe).data``; synthetic images by default.
        run: Where and how to train.
        run_options: Fields of :class:`chainer_seg.recipes.Run` to change, such as ``out``.

    Attributes:
        state: ``'ready'``, ``'running'``, ``'paused'``, ``'stopped'``, ``'finished'`` or ``'failed'``.
        result: The :class:`chainer_seg.training.TrainingResult` of a run that has ended, as of its last
            snapshot; None before that.
        lines: The lines of the log so far, as dicts.

    Raises:
        chainer_seg.errors.TrainingError: A run has no such option.
    """

    def __init__(self, recipe: Recipe, data: Any = None, run: Run | None = None, **run_options: Any) -> None:
        self._form = type(recipe)
        if 'resume' in run_options:
            raise TrainingError('resume is not an option of the dashboard; press Resume, or call resume().')
        self._data = self._form.data() if data is None else data
        self._run = (run or Run(out=pathlib.Path('out', recipe.system))).replace(**run_options)
        self.result: TrainingResult | None = None
        self.lines: list[dict[str, Any]] = []
        self._process: TrainingProcess | None = None
        self._follower: threading.Thread | None = None
        self._sampled_at, self._log_size = 0.0, 0  # of what is shown
        self._make_controls(recipe)
        self._make_views()
        super().__init__([self._options, self._buttons, self._progress, self._about, self._status,
                          self._plots, self._samples])
        self._show_state('ready', 'Press Start; the sections above hold all settings.')

    def _make_controls(self, recipe: Recipe) -> None:
        self._sections = {name: OptionControls(getattr(recipe, name)) for name in self._form.sections()}
        self._data_controls = OptionControls(self._data)
        self._run_controls = OptionControls(self._run, omitted=('resume', 'out'))
        self._out = ipywidgets.Text(str(self._run.out), description='Folder', continuous_update=False,
                                    tooltip='Folder for everything that is written')
        self._options = ipywidgets.Accordion(
            [*self._sections.values(), self._data_controls, self._run_controls],
            titles=[*self._sections, 'data', 'run'])
        self._start = button('Start', 'play', 'Start a new run', self.start, '100px', button_style='primary')
        self._pause = button('Pause', 'pause', 'Freeze the run', self.pause, '100px')
        self._resume = button('Resume', 'step-forward', 'Continue this run', self.resume, '100px')
        self._stop = button('Stop and save', 'stop', 'Finish the iteration, save, and end',
                            lambda: self.stop(wait=False), '130px')
        self._buttons = row([self._out, self._start, self._pause, self._resume, self._stop])

    def _make_views(self) -> None:
        self._progress = ipywidgets.FloatProgress(0, max=1, description='Progress', layout={'width': '98%'})
        self._about, self._status = ipywidgets.HTML(), status_line()
        self._plots = NamedImage('Losses, metrics and learning rate', 'png')
        self._samples = NamedImage('Truth above, predictions below', 'jpeg')

    @property
    def recipe(self) -> Recipe:
        """The recipe that the controls show; can be set.

        Raises:
            chainer_seg.errors.TrainingError: A value is not allowed.
        """
        return self._form.from_tables({name: controls.values for name, controls in self._sections.items()},
                                      'The recipe')

    @recipe.setter
    def recipe(self, recipe: Recipe) -> None:
        for name, values in recipe.to_tables().items():
            self._sections[name].values = values

    @property
    def out(self) -> pathlib.Path:
        """The folder of the run."""
        return pathlib.Path(self._out.value.strip() or '.')

    @property
    def command(self) -> str:
        """The command line that does the same."""
        return shlex.join(['chainer-seg', 'train', *self._arguments()])

    @property
    def message(self) -> str:
        """The status line, as plain text."""
        return self._message

    def start(self) -> None:
        """Starts a new run.

        Raises:
            chainer_seg.errors.TrainingError: A run is in progress, a value is not allowed, or the folder
                holds another run.
        """
        with reporting_errors(self._say, _FAILURE):
            if find_snapshots(self.out) and not self._run_controls.values['overwrite']:
                raise TrainingError(f'{self.out} already contains a training run; press Resume to continue '
                                    f'it, tick overwrite to replace it, or choose another folder.')
            self._launch()

    def pause(self) -> None:
        """Freezes the run; it keeps its memory."""
        if self._process is not None and self.state == 'running':
            self._process.pause()
            self._show_state('paused', 'Paused; Resume continues here.')

    def resume(self) -> None:
        """Continues a paused run, or the one in the folder from its latest snapshot.

        Raises:
            chainer_seg.errors.TrainingError: The folder holds no run.
        """
        if self._process is not None and self.state == 'paused':
            self._process.resume()
            self._show_state('running', 'Training.')
            return
        with reporting_errors(self._say, _FAILURE):
            if not find_snapshots(self.out):
                raise TrainingError(f'{self.out} contains no snapshot to resume from; press Start.')
            self._launch('--resume')

    def stop(self, wait: bool = True) -> TrainingResult | None:
        """Lets the run finish its iteration, save and end.

        Args:
            wait: Whether to return only then.

        Returns:
            The result, if it has ended.
        """
        if self._process is not None and self.state in ('running', 'paused'):
            self._process.stop()
            self._show_state('running', 'Stopping: the run finishes its iteration and saves.')
            self._stop.disabled = self._pause.disabled = True
        if wait and self._follower is not None:
            self._follower.join()
        return self.result

    def wait(self) -> TrainingResult | None:
        """Waits until the run has ended; an interrupt of the kernel stops it, saves, and is no error.

        Returns:
            The result.

        Raises:
            chainer_seg.errors.TrainingError: The run has failed.
        """
        try:
            while self._follower is not None and self._follower.is_alive():
                self._follower.join(_PERIOD)
        except KeyboardInterrupt:
            return self.stop()
        if self.state == 'failed':
            raise TrainingError(self.message)
        return self.result

    def snapshot(self) -> npt.NDArray[np.uint8]:
        """The plots, (h, w, 3) uint8 RGB; white before there are any."""
        if not self._plots.data:
            return np.full((1, 1, 3), 255, np.uint8)
        return decode_image(self._plots.data, 'the plots')

    def __repr__(self) -> str:
        return f'TrainingDashboard({self._form.system}, {self.state}, {len(self.lines)} lines in the log)'

    def _arguments(self) -> list[str]:
        """The arguments of ``chainer-seg train`` for the values of the controls."""
        return [self._form.system, '--recipe', str(self.out / RECIPE), '--out', str(self.out),
                *command_words(self._data_controls, self._form.data),
                *command_words(self._run_controls, Run)]

    def _launch(self, *extra: str) -> None:
        if self._process is not None and self._process.is_running:
            raise TrainingError('A run is in progress; stop it first.')
        recipe = self.recipe
        with writing(self.out):
            self.out.mkdir(parents=True, exist_ok=True)
        recipe.save(self.out / RECIPE)
        arguments = [*self._arguments(), *extra]
        request = parse(arguments[0], arguments[1:])
        self.lines, self.result, self._sampled_at, self._log_size = [], None, 0.0, 0
        self._progress.value, self._samples.data = 0, b''
        self._process = TrainingProcess([*arguments, '--quiet'])
        self._show_state('running', 'Starting.')
        self._follower = threading.Thread(target=self._follow, args=(self._process, request), daemon=True)
        self._follower.start()

    def _follow(self, process: TrainingProcess, request: Request) -> None:
        """Shows the log of a process until it has ended, and then the result."""
        began, examples = time.time(), functools.cache(lambda: first_examples(request.data, request.run.seed))
        try:
            is_running = True
            while is_running:  # once more after its end, for what it wrote last
                process.wait(_PERIOD)
                is_running = process.is_running
                self._show_log(process, request, began)
                self._show_samples(examples, began)
            with contextlib.suppress(DatasetError):
                self.result = read_result(self.out)
        except Exception as problem:
            process.stop()
            self._show_state('failed', error_message(problem, 'The run cannot be shown'))
            return
        if process.has_failed:
            self._show_state('failed', process.message or 'The training has ended without a message.')
        else:
            word = 'Stopped' if process.was_stopped else 'Finished'
            saved = self.result is not None and f'; saved in {self.result.snapshot}'
            self._show_state(word.lower(), f'{word} after {self._iteration} iterations{saved or ""}.')

    @property
    def _iteration(self) -> int:
        if self.result is not None:
            return self.result.iteration
        return self.lines[-1]['iteration'] if self.lines else 0

    def _show_log(self, process: TrainingProcess, request: Request, began: float) -> None:
        path = self.out / LOG_NAME
        # Before its first line, the log of an earlier run may still be there.
        if not path.exists() or path.stat().st_mtime < began:
            return
        size = path.stat().st_size
        if size != self._log_size and (lines := read_log(path)):
            self._log_size, self.lines = size, lines
            self._plots.data = figure_png(draw_log(lines))
            if self.state == 'running' and not self._stop.disabled:
                self._say('Training.')
        left = ''
        if self.lines:
            share = share_done(self.lines[-1], request.recipe.training.settings())
            self._progress.value = share
            left = f', {format_time(seconds_left(self.lines, share))} left'
        rate = f', learning rate {self.lines[-1]["lr"]:.3g}' if self.lines and 'lr' in self.lines[-1] else ''
        self._about.value = (f'iteration {self._iteration}{left}{rate}, '
                             f'{process.memory / 2 ** 20:.0f} MB of memory')

    def _show_samples(self, examples: Callable[[], Examples], began: float) -> None:
        """Draws what the latest model finds in the examples."""
        path = self.out / MODEL
        if not path.exists() or path.stat().st_mtime < max(began, self._sampled_at):
            return
        self._sampled_at = time.time()
        # A model that has diverged finds nothing; why the run ends is for the run to say.
        with contextlib.suppress(ModelError):
            self._samples.data = encode_jpeg(draw_sample_predictions(load_model(path), examples()))

    def _show_state(self, state: str, message: str) -> None:
        self.state = state
        is_active = state in ('running', 'paused')
        for each, enabled in ((self._start, not is_active), (self._pause, state == 'running'),
                              (self._resume, state != 'running'), (self._stop, is_active)):
            each.disabled = not enabled
        self._say(message, is_error=state == 'failed')

    def _say(self, message: str, is_error: bool = False) -> None:
        self._message = message
        self._status.value = status_html(message, is_error)
        self.update_saved_view()
