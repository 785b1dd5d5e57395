"""The log of a run: one JSON line per interval, kept exact over interruptions."""

import json
import math
import pathlib
import re

import chainer
import msgspec

from chainer_seg import schema
from chainer_seg.errors import DatasetError, TrainingError, writing
from chainer_seg.files import read_text, write_text

LOG_NAME = 'log.jsonl'
VALIDATION = 'validation/'


# A line of the log: numbers by their names, null for what was not finite.
_Line = dict[str, int | float | None]


class _State(msgspec.Struct):
    """What a snapshot keeps of the log."""

    lines: list[_Line]
    summary: dict[str, tuple[float, int]]
    skipped_before: schema.Count


class Log(chainer.training.Extension):
    """Writes the means of what was reported to ``log.jsonl``, a line per interval.

    A line has ``iteration``, ``epoch``, ``elapsed_time`` (seconds), ``lr`` and the mean of each
    value over the interval; the leading ``main/`` of Chainer's names is left off. A validation
    is written as it comes, in the line of its iteration. The last line of a run may come before
    its interval is over; if the run is continued, the line is replaced by the whole interval's.

    Args:
        every: The interval in iterations.
        iterations: The length of the run.
        validation_due: ``validation_due(iteration)``: whether a validation belongs to the
            schedule, or was added because the run ends.

    Attributes:
        lines: All lines so far, as dicts.
        listeners: Called with each new line.
    """

    name = 'log'
    priority = 200
    trigger = (1, 'iteration')

    def __init__(self, every, iterations, validation_due=lambda iteration: True):
        self._every, self._iterations = every, iterations
        self._validation_due = validation_due
        self._summary = {}
        self._skipped_before = 0
        self._kept = []
        self.lines = []
        self.listeners = []
        self._path, self._file = None, None

    def initialize(self, trainer):
        """Writes the lines that the snapshot knew and opens the file for more."""
        self._path = pathlib.Path(trainer.out) / LOG_NAME
        write_text(self._path, ''.join(f'{json.dumps(line)}\n' for line in self.lines))
        with writing(self._path):
            self._file = open(self._path, 'a', encoding='utf-8')  # noqa: SIM115 - open until finalize

    def __call__(self, trainer):
        updater, observation = trainer.updater, trainer.observation
        iteration = updater.iteration
        validation = {name: _as_number(value) for name, value in observation.items()
                      if name.startswith(VALIDATION)}
        self._add(observation)
        interval_over = iteration % self._every == 0
        interval = {}
        if interval_over or iteration >= self._iterations:
            interval = self._means(updater)
        if not interval and not validation:
            return
        head = {'iteration': iteration, 'epoch': round(updater.epoch_detail, 4),
                'elapsed_time': round(trainer.elapsed_time, 3)}
        self.lines.append({**head, **interval, **validation})
        lasting = {}
        if interval_over:
            lasting.update(interval)
            self._summary, self._skipped_before = {}, updater.skipped
        if validation and self._validation_due(iteration):
            lasting.update(validation)
        if lasting:
            self._kept.append({**head, **lasting})
        self._write(self.lines[-1])

    def _add(self, observation):
        for name, value in observation.items():
            value = _as_number(value)
            if name.startswith(VALIDATION) or value is None:
                continue
            total, count = self._summary.get(name, (0.0, 0))
            self._summary[name] = (total + value, count + 1)

    def _means(self, updater):
        values = {'lr': updater.rate}
        for name, (total, count) in self._summary.items():
            values[name.removeprefix('main/')] = total / count
        if updater.skipped > self._skipped_before:
            values['skipped'] = updater.skipped - self._skipped_before
        return values

    def _write(self, line):
        with writing(self._path):
            self._file.write(json.dumps(line) + '\n')
            self._file.flush()
        for listener in self.listeners:
            listener(line)

    def finalize(self):
        if self._file is not None:
            file, self._file = self._file, None
            with writing(self._path):
                file.close()

    def serialize(self, serializer):
        """Saves or restores the lines and the sums of the interval under way."""
        state = json.dumps({'lines': self._kept, 'summary': self._summary,
                            'skipped_before': self._skipped_before})
        state = serializer('state', state)
        if isinstance(serializer, chainer.Deserializer):
            state = schema.parse(state, _State, 'The log in the snapshot', TrainingError)
            self._kept, self.lines = state.lines, list(state.lines)
            self._summary = state.summary
            self._skipped_before = state.skipped_before


def read_log(path):
    """The lines of a ``log.jsonl`` as dicts.

    Args:
        path: The file, or the folder of the run. A last line that a kill cut off is left out.

    Raises:
        chainer_seg.errors.DatasetError: There is no log, or a line of it is damaged.
    """
    path = pathlib.Path(path)
    if path.is_dir():
        path = path / LOG_NAME
    if not path.exists():
        raise DatasetError(f'There is no training log {path}; give the folder of a run or its '
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
    """Writes the lines of the log as TensorBoard event files too, if tensorboardX is installed.

    Args:
        log: The :class:`Log`.
        say: ``say(sentence)``, told if tensorboardX is missing.
    """

    name = 'tensorboard'
    trigger = (1, 'iteration')

    def __init__(self, log, say=print):
        self._say, self._writer = say, None
        log.listeners.append(self._show)

    def initialize(self, trainer):
        folder, iteration = pathlib.Path(trainer.out) / 'tensorboard', trainer.updater.iteration
        try:
            from tensorboardX import SummaryWriter
        except ImportError:
            self._say('No TensorBoard files are written: tensorboardX is not installed.')
            return
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            if iteration == 0:
                for old in folder.glob('events.out.tfevents.*'):
                    old.unlink()
            # TensorBoard hides what an earlier run wrote after the snapshot.
            self._writer = SummaryWriter(
                str(folder), purge_step=iteration + 1 if iteration else None)

    def __call__(self, trainer):
        """Nothing: the values come from the log."""

    def _show(self, line):
        for name, value in line.items():
            if self._writer and name not in ('iteration', 'elapsed_time') and value is not None:
                # TensorBoard's names hold no other characters and it says so each time.
                self._writer.add_scalar(re.sub(r'[^\w./-]', '_', name), value, line['iteration'])

    def finalize(self):
        if self._writer is not None:
            self._writer.close()
            self._writer = None


def _as_number(value):
    """``value`` as a float, or None if it is not finite: JSON has no such numbers."""
    if isinstance(value, chainer.Variable):
        value = value.array
    value = float(value)
    return value if math.isfinite(value) else None
