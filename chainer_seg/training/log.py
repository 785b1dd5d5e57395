"""The log of a run: one JSON line per interval, exact across interruptions."""

import json
import math
import os
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TextIO

import chainer
import msgspec
import numpy as np
import numpy.typing as npt

from chainer_seg import schema
from chainer_seg.errors import DatasetError, TrainingError, UserError, writing
from chainer_seg.files import read_text, write_text

if TYPE_CHECKING:
    from chainer_seg.training.assembly import Trainer
    from chainer_seg.training.updater import Updater

LOG_NAME = 'log.jsonl'
VALIDATION = 'validation/'


# A line of the log: values by name, null if not finite.
_Line = dict[str, int | float | None]


class _State(msgspec.Struct):
    """The state of the log in a snapshot."""

    lines: list[_Line]
    summary: dict[str, tuple[float, int]]
    skipped_before: schema.Count


class Log(chainer.training.Extension):
    """Writes the means of the reported values to ``log.jsonl``, one line per interval.

    A line has ``iteration``, ``epoch``, ``elapsed_time`` (seconds), ``lr`` and the mean of each
    value over the interval; the prefix ``main/`` of Chainer's names is removed. Validation metrics are
    written unaveraged, in the line of their iteration. The last line of a run may be written before its
    interval is over; if the run is resumed, it is replaced by the line of the whole interval.

    Args:
        every: The interval in iterations.
        iterations: The length of the run.
        validation_due: ``validation_due(iteration)``: whether a validation was scheduled (True), or done
            only because the run ends (False); None for scheduled.
        epoch_length: Iterations of an epoch; None for a pass over the data.

    Attributes:
        lines: All lines so far, as dicts.
        listeners: Functions that are called with each new line.
    """

    name: Any = 'log'
    priority = 200
    trigger = (1, 'iteration')

    def __init__(self, every: int, iterations: int,
                 validation_due: Callable[[int], bool] | None = None,
                 epoch_length: int | None = None) -> None:
        self._every, self._iterations = every, iterations
        self._epoch_length = epoch_length
        self._validation_due = validation_due
        self._summary: dict[str, tuple[float, int]] = {}
        self._skipped_before = 0
        self._kept: list[_Line] = []
        self.lines: list[_Line] = []
        self.listeners: list[Callable[[dict[str, Any]], object]] = []
        self._path: pathlib.Path | None = None
        self._file: TextIO | None = None

    def initialize(self, trainer: 'Trainer') -> None:
        """Writes the lines restored from a snapshot and opens the file for appending."""
        self._path = pathlib.Path(trainer.out) / LOG_NAME
        write_text(self._path, ''.join(f'{json.dumps(line)}\n' for line in self.lines))
        with writing(self._path):
            self._file = open(self._path, 'a', encoding='utf-8')  # noqa: SIM115 - open until finalize

    def __call__(self, trainer: 'Trainer') -> None:
        """Adds the values of an iteration; writes a line at the end of an interval or after a validation."""
        updater, observation = trainer.updater, trainer.observation
        iteration = updater.iteration
        validation = {name: _as_number(value) for name, value in observation.items()
                      if name.startswith(VALIDATION)}
        self._add(observation)
        interval_over = iteration % self._every == 0
        interval: _Line = {}
        if interval_over or iteration >= self._iterations:
            interval = self._means(updater)
        if not interval and not validation:
            return
        epoch = iteration / self._epoch_length if self._epoch_length else updater.epoch_detail
        head = {'iteration': iteration, 'epoch': round(epoch, 4),
                'elapsed_time': round(trainer.elapsed_time, 3)}
        self.lines.append({**head, **interval, **validation})
        lasting: _Line = {}
        if interval_over:
            lasting.update(interval)
            self._summary, self._skipped_before = {}, updater.skipped
        if validation and (self._validation_due is None or self._validation_due(iteration)):
            lasting.update(validation)
        if lasting:
            self._kept.append({**head, **lasting})
        self._write(self.lines[-1])

    def _add(self, observation: Mapping[str, Any]) -> None:
        for name, value in observation.items():
            value = _as_number(value)
            if name.startswith(VALIDATION) or value is None:
                continue
            total, count = self._summary.get(name, (0.0, 0))
            self._summary[name] = (total + value, count + 1)

    def _means(self, updater: 'Updater') -> _Line:
        values = {'lr': updater.rate}
        for name, (total, count) in self._summary.items():
            values[name.removeprefix('main/')] = total / count
        if updater.skipped > self._skipped_before:
            values['skipped'] = updater.skipped - self._skipped_before
        return values

    def _write(self, line: _Line) -> None:
        assert self._path is not None and self._file is not None  # opened by initialize
        with writing(self._path):
            self._file.write(json.dumps(line) + '\n')
            self._file.flush()
        for listener in self.listeners:
            listener(line)

    def finalize(self) -> None:
        """Closes the file."""
        if self._file is not None and self._path is not None:
            file, self._file = self._file, None
            with writing(self._path):
                file.close()

    def serialize(self, serializer: chainer.AbstractSerializer) -> None:
        """Saves or restores the lines and the sums of the current interval."""
        state = json.dumps({'lines': self._kept, 'summary': self._summary,
                            'skipped_before': self._skipped_before})
        state = serializer('state', state)
        if isinstance(serializer, chainer.Deserializer):
            stored = schema.parse(state, _State, 'The log in the snapshot', TrainingError)
            self._kept, self.lines = stored.lines, list(stored.lines)
            self._summary = stored.summary
            self._skipped_before = stored.skipped_before


def read_log(path: str | os.PathLike) -> list[dict[str, Any]]:
    """Reads the lines of a ``log.jsonl`` as dicts.

    Args:
        path: The file, or the folder of the run. An incomplete last line, left by a killed run, is
            ignored.

    Raises:
        chainer_seg.errors.DatasetError: There is no log, or a line of it is damaged.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        path = path / LOG_NAME
    if not path.exists():
        raise DatasetError(f'There is no training log {path}; pass the folder of a run or its '
                           f'{LOG_NAME}.')
    *whole, _ = read_text(path, 'training log', DatasetError).split('\n')
    lines = []
    for number, text in enumerate(whole, 1):
        if text:
            name = f'Line {number} of the training log {path}'
            lines.append(schema.parse(text, _Line, name, DatasetError))
            if lines[-1].get('iteration') is None:
                raise DatasetError(f'{name} has no iteration; remove the line.')
    return lines


class TensorBoard(chainer.training.Extension):
    """Writes the lines of the log to TensorBoard event files, if tensorboardX is installed.

    Args:
        log: The :class:`Log`.
        say: ``say(message)``, called if tensorboardX is missing.
        draw: ``draw()`` gives an image (h, w, 3) uint8 RGB that is written after each validation; or None.
    """

    name: Any = 'tensorboard'
    trigger = (1, 'iteration')

    def __init__(self, log: Log, say: Callable[[str], object] = print,
                 draw: Callable[[], npt.NDArray[np.uint8]] | None = None) -> None:
        self._say, self._draw = say, draw
        self._writer: Any = None
        log.listeners.append(self._show)

    def initialize(self, trainer: 'Trainer') -> None:
        """Opens the event files; at the start of a new run, deletes those of an earlier run."""
        folder, iteration = pathlib.Path(trainer.out) / 'tensorboard', trainer.updater.iteration
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            self._say('TensorBoard files are not written because tensorboardX is not installed.')
            return
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if iteration == 0:
                for old in folder.glob('events.out.tfevents.*'):
                    old.unlink()
            # TensorBoard hides what the interrupted run wrote after the snapshot.
            self._writer = SummaryWriter(
                str(folder), purge_step=iteration + 1 if iteration else None)

    def __call__(self, trainer: 'Trainer') -> None:
        """Does nothing: the values come from the log."""

    def _show(self, line: Mapping[str, Any]) -> None:
        for name, value in line.items():
            if self._writer and name not in ('iteration', 'elapsed_time') and value is not None:
                # TensorBoard allows no other characters in names, and warns each time.
                self._writer.add_scalar(re.sub(r'[^\w./-]', '_', name), value, line['iteration'])
        if self._writer and self._draw and any(name.startswith(VALIDATION) for name in line):
            try:
                self._writer.add_image('samples', self._draw(), line['iteration'], dataformats='HWC')
            except UserError as error:  # of a model that has diverged
                self._say(f'TensorBoard has no image of iteration {line["iteration"]}: {error}')

    def finalize(self) -> None:
        """Closes the event files."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _as_number(value: Any) -> float | None:
    """``value`` as a float, or None if it is not finite, which JSON cannot represent."""
    if isinstance(value, chainer.Variable):
        value = value.array
    value = float(value)
    return value if math.isfinite(value) else None
