"""Snapshots of a run: the latest few, the best one, and the model files beside them."""

import json
import os
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import chainer
import numpy as np

from chainer_seg import schema
from chainer_seg.errors import DiskFullError, TrainingError
from chainer_seg.training.log import VALIDATION
from chainer_seg.training.multi_node import Ranks
from chainer_seg.training.state import read_state, write_state

if TYPE_CHECKING:
    from chainer_seg.training.assembly import Trainer

BEST_SNAPSHOT = 'snapshot_best.npz'
MODEL, BEST_MODEL = 'model.npz', 'model_best.npz'
_SNAPSHOT = re.compile(r'snapshot_iter_(\d+)\.npz')
_COPY = re.compile(r'model_(\d+)\.npz')


class Snapshots(chainer.training.Extension):
    """Saves the run at intervals, at its end, on Ctrl-C or SIGTERM, and after an error.

    The files in the folder of the run: the latest ``keep_last`` of ``snapshot_iter_*.npz``;
    ``snapshot_best.npz``; and, if there is a model to save, ``model.npz``, ``model_best.npz`` and copies of
    it that are kept, such as ``model_50.npz`` after epoch 50.

    Args:
        every: The interval in iterations.
        keep_last: Number of snapshots to keep.
        best_metric: ``(name, 'max' or 'min')`` of a validation metric, or None.
        model: The model to save as a model file, or None.
        save_model: ``save_model(path, model)``; needed if there is a model.
        max_skipped: Training stops after this many consecutive non-finite batches.
        copies: Epochs between two copies, and iterations of an epoch; None for no copies.
        about: A JSON dict that is stored in each snapshot.
        say: ``say(message)``.
        ranks: The processes that train; rank 0 writes, and all of them stop in the same iteration.

    Attributes:
        newest: The path of the latest snapshot of this run, or None.
        best_value: The best value of the metric, or None.
        best_metric: The name of the metric, or None.
    """

    name: Any = 'snapshots'
    trigger = (1, 'iteration')
    priority = 0

    def __init__(self, every: int, keep_last: int = 3, best_metric: tuple[str, str] | None = None,
                 model: chainer.Link | None = None,
                 save_model: Callable[[pathlib.Path, Any], object] | None = None, max_skipped: int = 5,
                 copies: tuple[int, int] | None = None, about: Mapping[str, Any] | None = None,
                 say: Callable[[str], object] = print, ranks: Ranks | None = None) -> None:
        if keep_last < 1:
            raise ValueError(f'keep_last must be at least 1, got {keep_last}')
        if best_metric is not None and best_metric[1] not in ('max', 'min'):
            raise ValueError(f'best_metric must end in "max" or "min", got {best_metric[1]!r}')
        self._every, self._keep_last, self._max_skipped = every, keep_last, max_skipped
        self._best_metric, self._about, self._say = best_metric, about or {}, say
        self.best_metric = None if best_metric is None else best_metric[0]
        self._model, self._save_model, self._copies = model, save_model, copies
        self._ranks = ranks or Ranks()
        self._writes = self._ranks.rank == 0
        self._saved_iteration: int | None = None
        self.newest: pathlib.Path | None = None
        self.best_value: float | None = None
        self.best_iteration: int | None = None

    def initialize(self, trainer: 'Trainer') -> None:
        """Removes the outdated files of an earlier run, or of iterations after the resumed snapshot."""
        out, iteration = pathlib.Path(trainer.out), trainer.updater.iteration
        self._saved_iteration = iteration
        if not self._writes:
            return
        outdated = [path for number, path in find_snapshots(out) if number > iteration]
        if iteration == 0:
            outdated += [out / name for name in (BEST_SNAPSHOT, MODEL, BEST_MODEL)]
        if self._copies is not None and out.is_dir():
            outdated += [path for path in out.iterdir() if (match := _COPY.fullmatch(path.name))
                         and int(match[1]) * self._copies[1] > iteration]
        for path in outdated:
            path.unlink(missing_ok=True)

    def __call__(self, trainer: 'Trainer') -> None:
        """Saves what is due; ends the run if it was interrupted or skipped too many batches.

        Raises:
            chainer_seg.errors.TrainingError: Too many consecutive batches were not finite, or the
                evaluation does not report the best metric.
        """
        updater, out = trainer.updater, pathlib.Path(trainer.out)
        if updater.skipped_in_a_row >= self._max_skipped:
            self._give_up(trainer)
        if self._is_new_best(trainer) and self._writes:
            write_state(out / BEST_SNAPSHOT, trainer, self._about_now(trainer))
            self._write_model(out / BEST_MODEL)
        interruption = trainer.interruption
        stop = self._ranks.agreed(interruption.exception if interruption.requested else None)
        if stop is not None:
            self.save(trainer)
            self._say(f'Stopped after iteration {updater.iteration}; the run is saved in '
                      f'{self.newest}. Resume it with resume="auto" (--resume auto).')
            raise stop
        if self._copies is not None:
            epoch, rest = divmod(updater.iteration, self._copies[1])
            if not rest and not epoch % self._copies[0]:
                self._write_model(out / f'model_{epoch}.npz')
        if updater.iteration % self._every == 0 or updater.iteration >= trainer.iterations:
            self.save(trainer)

    def save(self, trainer: 'Trainer') -> None:
        """Saves a snapshot and the model file, and removes older snapshots than the latest few."""
        if not self._writes:
            return
        out, iteration = pathlib.Path(trainer.out), trainer.updater.iteration
        path = out / f'snapshot_iter_{iteration:08d}.npz'
        write_state(path, trainer, self._about_now(trainer))
        self.newest, self._saved_iteration = path, iteration
        self._write_model(out / MODEL)
        for _, old in find_snapshots(out)[self._keep_last:]:
            old.unlink(missing_ok=True)

    def _write_model(self, path: pathlib.Path) -> None:
        if self._writes and self._model is not None and self._save_model is not None:
            self._save_model(path, self._model)

    def _about_now(self, trainer: 'Trainer') -> dict[str, Any]:
        return {**self._about, 'iteration': trainer.updater.iteration, 'best_metric': self.best_metric,
                'best_value': self.best_value}

    def _is_new_best(self, trainer: 'Trainer') -> bool:
        validated = [name for name in trainer.observation if name.startswith(VALIDATION)]
        if self._best_metric is None or not validated:
            return False
        name, mode = self._best_metric
        if name not in trainer.observation:
            raise TrainingError(f'The evaluation did not report {name!r}, which selects the best model; '
                                f'it reported {", ".join(sorted(validated))}.')
        value = float(trainer.observation[name])
        if self.best_value is not None:
            gain = value - self.best_value if mode == 'max' else self.best_value - value
            if not gain > 0:
                return False
        elif value != value:
            return False
        self.best_value, self.best_iteration = value, trainer.updater.iteration
        return True

    def _give_up(self, trainer: 'Trainer') -> NoReturn:
        updater = trainer.updater
        trouble, count = updater.first_trouble, updater.skipped_in_a_row
        # Reset, so that a run resumed with other settings may skip as many batches again.
        updater.skipped_in_a_row, updater.first_trouble = 0, None
        self.save(trainer)
        raise TrainingError(
            f'Training stopped at iteration {updater.iteration} because {count} consecutive batches '
            f'were not finite; in the first one, {trouble}. The last good state is in {self.newest}; '
            f'resume from it with a lower learning rate, or check those examples.')

    def on_error(self, trainer: 'Trainer', exception: Exception, traceback: Any) -> None:
        """Saves the state before an error, unless the disk is full."""
        iteration = trainer.updater.iteration
        if not self._writes or isinstance(exception, DiskFullError) or iteration == self._saved_iteration:
            return
        try:
            self.save(trainer)
        except DiskFullError as error:
            self._say(f'The state before the error could not be saved: {error}')
            return
        self._say(f'Training stopped by an error after iteration {iteration}; the run is saved '
                  f'in {self.newest}.')

    def serialize(self, serializer: chainer.AbstractSerializer) -> None:
        """Saves or restores the best value and its iteration."""
        best = json.dumps([self.best_value, self.best_iteration])
        self.best_value, self.best_iteration = schema.parse(
            serializer('best', best), tuple[float | None, schema.Count | None],
            'The best value in the snapshot', TrainingError)


def find_snapshots(out: str | os.PathLike) -> list[tuple[int, pathlib.Path]]:
    """The snapshots in folder ``out`` as ``[(iteration, path), ...]``, latest first."""
    out = pathlib.Path(out)
    if not out.is_dir():
        return []
    matches = [(_SNAPSHOT.fullmatch(path.name), path) for path in out.iterdir()]
    return sorted(((int(match[1]), path) for match, path in matches if match), reverse=True)


def check_resume(resume: Any) -> None:
    """Raises a :class:`chainer_seg.errors.TrainingError` unless it is None, ``'auto'`` or a path."""
    if resume is not None and not isinstance(resume, (str, os.PathLike)):
        raise TrainingError(f'resume must be "auto" or the path of a snapshot, got {resume!r}; "auto" '
                            f'resumes from the latest snapshot in the folder of the run.')


def find_state(resume: str | os.PathLike | None, out: str | os.PathLike,
               say: Callable[[str], object] = print
               ) -> tuple[str | os.PathLike, dict[str, np.ndarray], dict[str, Any]] | None:
    """The state to resume from.

    Args:
        resume: None, the path of a snapshot or of a folder of snapshots, or ``'auto'`` for the latest
            complete snapshot in ``out``, if there is one.
        out: The folder of the run.
        say: ``say(message)``, called for each damaged snapshot that is skipped.

    Returns:
        ``(path, arrays, about)``, or None to start a new run.

    Raises:
        chainer_seg.errors.TrainingError: There is no usable snapshot at ``resume``.
    """
    if resume is None:
        return None
    check_resume(resume)
    if resume != 'auto' and not pathlib.Path(resume).is_dir():
        return resume, *read_state(resume)
    folder = out if resume == 'auto' else resume
    found = find_snapshots(folder)
    for _, path in found:
        try:
            return path, *read_state(path)
        except TrainingError as error:
            say(f'Skipped a snapshot: {error}')
    if resume == 'auto' and not found:
        return None
    raise TrainingError(f'{folder} contains no complete snapshot to resume from; start a new run with '
                        f'resume=None, overwrite=True.')
