"""Resuming a run from a snapshot, if its settings allow."""

import os
import pathlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from chainer_seg.class_names import first_difference
from chainer_seg.errors import TrainingError
from chainer_seg.models.base import Model
from chainer_seg.training.progress import say
from chainer_seg.training.settings import Settings
from chainer_seg.training.snapshots import find_snapshots, find_state
from chainer_seg.training.state import restore_state

if TYPE_CHECKING:
    from chainer_seg.training.assembly import Trainer

CLASSES = 'class_names'  # Key of the model's class names in a snapshot.
RANKS = 'ranks'  # Key of the number of ranks.


def description(trainer: 'Trainer', settings: Settings) -> dict[str, Any]:
    """The settings that a snapshot keeps, to be compared when the run is resumed."""
    stream, model = trainer.updater.get_iterator('main'), settings.model_to_save
    return {'seed': settings.seed, 'batch_size': settings.batch_size,
            'sub_batches': settings.sub_batches, 'examples': len(stream.dataset),
            CLASSES: list(model.class_names) if isinstance(model, Model) else [],
            RANKS: trainer.ranks.size}


def resume(trainer: 'Trainer', settings: Settings) -> None:
    """Restores the state that the settings name to resume from, on all ranks.

    Raises:
        chainer_seg.errors.TrainingError: The folder already contains a run, or there is no usable
            snapshot to resume from.
    """
    ranks = trainer.ranks
    found = ranks.broadcast(_find_state(settings) if ranks.rank == 0 else None)
    if found is None:
        return
    path, arrays, about = found
    now = description(trainer, settings)
    _check_ranks(path, about.pop(RANKS, 1), now.pop(RANKS))
    _check_classes(path, about.pop(CLASSES, None), now.pop(CLASSES), trainer.say)
    restore_state(path, trainer, arrays)
    trainer.snapshots.newest = pathlib.Path(path)
    changes = [f'{name} was {about.get(name)} and is {value}'
               for name, value in now.items() if about.get(name) != value]
    if changes:
        trainer.say(f'Resuming from {path} with changed settings, so the run will differ from an '
                    f'uninterrupted one: {", ".join(changes)}.')
    elif settings.progress != 'none':
        trainer.say(f'Resuming from {path}, after iteration {trainer.updater.iteration}.')


def _find_state(settings: Settings) -> tuple[str | os.PathLike, dict[str, Any], dict[str, Any]] | None:
    """The state to resume from; None for a new run, which does not replace another one unasked."""
    found = find_state(settings.resume, settings.out, say)
    out = pathlib.Path(settings.out).resolve()
    resumes_here = found is not None and pathlib.Path(found[0]).resolve().parent == out
    if find_snapshots(out) and not resumes_here and not settings.overwrite:
        raise TrainingError(
            f'{settings.out} already contains a training run; resume it with resume="auto" '
            f'(--resume auto), replace it with overwrite=True, or choose another folder.')
    return found


def _check_ranks(path: str | os.PathLike, before: Any, now: int) -> None:
    """Rejects a snapshot of another number of ranks, which would draw other examples."""
    if before != now:
        ranks = 'rank' if before == 1 else 'ranks'
        raise TrainingError(
            f'{path} is of a training with {before} {ranks}, and this one has {now}; resume it with '
            f'mpiexec -n {before}, or start a new run from its model file.')


def _check_classes(path: str | os.PathLike, before: Any, now: list[str],
                   warn: Callable[[str], object]) -> None:
    """Rejects a snapshot of other classes, whose weights would be assigned to the wrong classes."""
    if before is None and now:
        warn(f'{path} is an older snapshot without class names; resuming with the classes of the data set.')
    elif before is not None and before != now:
        before = before if isinstance(before, list) else []
        raise TrainingError(
            f'{path} has other classes than the data set: {first_difference(before, now)}; resume '
            f'with the annotations of that run, or start a new run from its model file.')
