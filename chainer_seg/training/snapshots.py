"""Snapshots of a run: the newest few, the best, and the model files beside them."""

import json
import pathlib
import re

import chainer

from chainer_seg import schema
from chainer_seg.errors import DiskFullError, TrainingError
from chainer_seg.training.log import VALIDATION
from chainer_seg.training.state import read_state, write_state

BEST_SNAPSHOT = 'snapshot_best.npz'
MODEL, BEST_MODEL = 'model.npz', 'model_best.npz'
_SNAPSHOT = re.compile(r'snapshot_iter_(\d+)\.npz')


class Snapshots(chainer.training.Extension):
    """Saves the run at intervals, at its end, at Ctrl-C or SIGTERM, and after an error.

    In the folder of the run: ``snapshot_iter_*.npz``, the newest ``keep_last`` of them;
    ``snapshot_best.npz``; and, if there is a model to save, ``model.npz`` and ``model_best.npz``.

    Args:
        every: The interval in iterations.
        keep_last: How many snapshots to keep.
        best_metric: ``(name, 'max' or 'min')`` of a validated value, or None.
        model: The model to save as a model file, or None.
        save_model: ``save_model(path, model)``.
        max_skipped: Training ends after so many non-finite batches in a row.
        about: A JSON dict that is kept in each snapshot.
        say: ``say(sentence)``.

    Attributes:
        newest: The path of the newest snapshot of this run, or None.
        best_value: The best value of the metric, or None.
    """

    name = 'snapshots'
    trigger = (1, 'iteration')
    priority = 0

    def __init__(self, every, keep_last=3, best_metric=None, model=None, save_model=None,
                 max_skipped=5, about=None, say=print):
        if keep_last < 1:
            raise ValueError('keep_last must be at least 1')
        if best_metric is not None and best_metric[1] not in ('max', 'min'):
            raise ValueError(f'best_metric must end in "max" or "min", not {best_metric[1]!r}')
        self._every, self._keep_last, self._max_skipped = every, keep_last, max_skipped
        self._best_metric, self._about, self._say = best_metric, about or {}, say
        self._model, self._save_model = model, save_model
        self._saved_iteration = None
        self.newest = None
        self.best_value, self.best_iteration = None, None

    def initialize(self, trainer):
        """Removes what a run that is started anew, or goes back, leaves behind."""
        out, iteration = pathlib.Path(trainer.out), trainer.updater.iteration
        self._saved_iteration = iteration
        outdated = [path for number, path in find_snapshots(out) if number > iteration]
        if iteration == 0:
            outdated += [out / name for name in (BEST_SNAPSHOT, MODEL, BEST_MODEL)]
        for path in outdated:
            path.unlink(missing_ok=True)

    def __call__(self, trainer):
        updater, out = trainer.updater, pathlib.Path(trainer.out)
        if updater.skipped_in_a_row >= self._max_skipped:
            self._give_up(trainer)
        if self._is_new_best(trainer):
            write_state(out / BEST_SNAPSHOT, trainer, self._about_now(trainer))
            self._write_model(out / BEST_MODEL)
        if trainer.interruption.requested:
            self.save(trainer)
            self._say(f'Stopped after iteration {updater.iteration}; the run is saved in '
                      f'{self.newest}. Go on from there with resume="auto" (--resume auto).')
            raise trainer.interruption.exception
        if updater.iteration % self._every == 0 or updater.iteration >= trainer.iterations:
            self.save(trainer)

    def save(self, trainer):
        """Saves a snapshot and the model file, and removes what is older than the newest few."""
        out, iteration = pathlib.Path(trainer.out), trainer.updater.iteration
        path = out / f'snapshot_iter_{iteration:08d}.npz'
        write_state(path, trainer, self._about_now(trainer))
        self.newest, self._saved_iteration = path, iteration
        self._write_model(out / MODEL)
        for _, old in find_snapshots(out)[self._keep_last:]:
            old.unlink(missing_ok=True)

    def _write_model(self, path):
        if self._model is not None:
            self._save_model(path, self._model)

    def _about_now(self, trainer):
        return {**self._about, 'iteration': trainer.updater.iteration}

    def _is_new_best(self, trainer):
        validated = [name for name in trainer.observation if name.startswith(VALIDATION)]
        if self._best_metric is None or not validated:
            return False
        name, mode = self._best_metric
        if name not in trainer.observation:
            raise TrainingError(f'The evaluation gave no {name!r} to choose the best model by; it '
                                f'gave {", ".join(sorted(validated))}.')
        value = float(trainer.observation[name])
        if self.best_value is not None:
            gain = value - self.best_value if mode == 'max' else self.best_value - value
            if not gain > 0:
                return False
        elif value != value:
            return False
        self.best_value, self.best_iteration = value, trainer.updater.iteration
        return True

    def _give_up(self, trainer):
        updater = trainer.updater
        trouble, count = updater.first_trouble, updater.skipped_in_a_row
        # So that a run which is continued with other settings has all its chances again.
        updater.skipped_in_a_row, updater.first_trouble = 0, None
        self.save(trainer)
        raise TrainingError(
            f'Training stopped at iteration {updater.iteration} because {count} batches in a row '
            f'were not finite: first, {trouble}; the last good state is in {self.newest}, go on '
            f'from it with a lower learning rate or look at those examples.')

    def on_error(self, trainer, exception, traceback):
        """Saves what was good before an error that is not about the disk."""
        iteration = trainer.updater.iteration
        if isinstance(exception, DiskFullError) or iteration == self._saved_iteration:
            return
        try:
            self.save(trainer)
        except DiskFullError as error:
            self._say(f'The state before the error could not be saved: {error}')
            return
        self._say(f'Training stopped by an error after iteration {iteration}; the run is saved '
                  f'in {self.newest}.')

    def serialize(self, serializer):
        best = json.dumps([self.best_value, self.best_iteration])
        self.best_value, self.best_iteration = schema.parse(
            serializer('best', best), tuple[float | None, schema.Count | None],
            'The best value in the snapshot', TrainingError)


def find_snapshots(out):
    """The snapshots in folder ``out`` as ``[(iteration, path), ...]``, newest first."""
    out = pathlib.Path(out)
    if not out.is_dir():
        return []
    matches = [(_SNAPSHOT.fullmatch(path.name), path) for path in out.iterdir()]
    return sorted(((int(match[1]), path) for match, path in matches if match), reverse=True)


def find_state(resume, out, say=print):
    """The state to resume from.

    Args:
        resume: None, the path of a snapshot or of a folder of them, or ``'auto'`` for the newest
            complete one in ``out``, if there is any.
        out: The folder of the run.
        say: Told of damaged snapshots that are passed over.

    Returns:
        ``(path, arrays, about)``, or None to start anew.

    Raises:
        chainer_seg.errors.TrainingError: There is no usable snapshot at ``resume``.
    """
    if resume is None:
        return None
    if resume != 'auto' and not pathlib.Path(resume).is_dir():
        return resume, *read_state(resume)
    folder = out if resume == 'auto' else resume
    found = find_snapshots(folder)
    for _, path in found:
        try:
            return path, *read_state(path)
        except TrainingError as error:
            say(f'Passed over a snapshot: {error}')
    if resume == 'auto' and not found:
        return None
    raise TrainingError(f'{folder} holds no complete snapshot to resume from; start anew with '
                        f'resume=None, overwrite=True.')
