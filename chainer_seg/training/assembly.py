"""Builds the trainer that every system of this package is trained with."""

import dataclasses
import functools
import math
import os
import pathlib
from typing import Any

import chainer
from threadpoolctl import threadpool_limits

from chainer_seg.class_names import first_difference
from chainer_seg.devices import get_device
from chainer_seg.errors import TrainingError, quoted
from chainer_seg.locks import sole_writer
from chainer_seg.model_file import save_model
from chainer_seg.models.base import Model
from chainer_seg.training.curves import LiveCurve
from chainer_seg.training.evaluation import Evaluation
from chainer_seg.training.interrupt import Interruption
from chainer_seg.training.log import Log, TensorBoard, read_log
from chainer_seg.training.parameters import LearningRate, WeightDecay
from chainer_seg.training.progress import ProgressBar, ProgressLines, resolve_kind, say
from chainer_seg.training.schedules import Constant
from chainer_seg.training.settings import Settings
from chainer_seg.training.snapshots import BEST_MODEL, MODEL, Snapshots, find_snapshots, find_state
from chainer_seg.training.state import read_about, restore_state
from chainer_seg.training.stream import ExampleStream, computing_threads
from chainer_seg.training.updater import Updater, global_random_state_kept

CLASSES = 'class_names'  # Key of the model's class names in a snapshot.


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """The result of a run.

    Attributes:
        iteration: The number of updates.
        out: The folder of the run.
        snapshot: The path of the latest snapshot, or None.
        model: The path of the latest model file, or None.
        best_model: The path of the best model file, or None.
        best_value: The best value of the metric, or None.
        best_metric: The name of the metric, or None.
        skipped: The number of skipped batches.
        log: The lines of the log, as dicts.
    """

    iteration: int
    out: pathlib.Path
    snapshot: pathlib.Path | None
    model: pathlib.Path | None
    best_model: pathlib.Path | None
    best_value: float | None
    best_metric: str | None
    skipped: int
    log: list[dict[str, Any]]


class Trainer(chainer.training.Trainer):
    """Chainer's trainer, which ends cleanly at Ctrl-C and SIGTERM and restores the state of the process.

    Attributes:
        iterations: The length of the run.
        log: The :class:`chainer_seg.training.log.Log`.
        snapshots: The :class:`chainer_seg.training.snapshots.Snapshots`.
        interruption: Whether the run should end early.
    """

    log: Log
    snapshots: Snapshots

    def __init__(self, updater: Updater, out: str | os.PathLike, iterations: int,
                 device: chainer.backend.Device) -> None:
        super().__init__(updater, self._is_over, out=os.fspath(out))
        self.iterations = iterations
        self.device = device
        self.interruption = Interruption(say)

    @staticmethod
    def _is_over(trainer: 'Trainer') -> bool:
        return trainer.updater.iteration >= trainer.iterations

    def train(self) -> TrainingResult:
        """As :func:`train`."""
        return train(self)

    def run(self, show_loop_exception_msg: bool = False) -> None:
        """Runs to the end; :meth:`train` also returns the result."""
        with (sole_writer(self.out), self.interruption, chainer.using_device(self.device),
              threadpool_limits(computing_threads()), global_random_state_kept(self.device)):
            super().run(show_loop_exception_msg=show_loop_exception_msg)


def build_trainer(train_chain: chainer.Chain, dataset: Any, **options: Any) -> Trainer:
    """Builds the trainer of a run.

    Args:
        train_chain: A chain that is called with the batch arrays, returns the scalar loss and
            reports each part of it by ``chainer.report({...}, self)``. It is moved to the device.
        dataset: Anything with ``len`` and ``[index]``.
        **options: The attributes of :class:`Settings`.

    Returns:
        A :class:`Trainer` for :func:`train`. It can be extended like any Chainer trainer.

    Raises:
        chainer_seg.errors.TrainingError: The folder already contains a run, or there is no usable
            snapshot to resume from.
        chainer_seg.errors.DatasetError: The data set is empty.
        chainer_seg.errors.DeviceError: The device does not exist.
    """
    unknown = sorted(set(options) - {field.name for field in dataclasses.fields(Settings)})
    if unknown:
        raise TrainingError(f'A training has no setting {quoted(unknown[0])}; chainer_seg.training.Settings '
                            f'lists them.')
    settings = Settings(**options)
    stream = ExampleStream(
        dataset, settings.batch_size, settings.transform, settings.seed, settings.workers,
        settings.worker_kind, settings.look_ahead, shuffle=settings.shuffle)
    iterations = settings.iterations
    if iterations is None:
        assert settings.epochs is not None  # Settings checks that one of both is given.
        iterations = math.ceil(settings.epochs * len(dataset) / settings.batch_size)
    device = get_device(settings.device)
    train_chain.to_device(device)
    optimizer = _make_optimizer(train_chain, settings)
    rate = LearningRate(optimizer, settings.lr, settings.schedule or Constant(), iterations,
                        settings.lr_multipliers)
    updater = Updater(stream, optimizer, rate, device, settings.seed, settings.sub_batches,
                      settings.converter, settings.loss_scale, warn=say)
    trainer = Trainer(updater, settings.out, iterations, device)
    _add_records(trainer, train_chain, settings)
    _resume(trainer, settings)
    _add_displays(trainer, settings)
    return trainer


def train(trainer: Trainer) -> TrainingResult:
    """Runs a trainer to its end.

    Ctrl-C ends it after the current iteration: a snapshot is saved and KeyboardInterrupt is raised. On
    SIGTERM, :class:`chainer_seg.signals.Terminated` is raised, with which the program exits with status
    143.

    Raises:
        chainer_seg.errors.TrainingError: Too many consecutive batches were not finite.
        chainer_seg.errors.DiskFullError: There is no room for a snapshot; the previous one is intact.
        chainer_seg.errors.FolderInUseError: Another run is writing to the folder.
    """
    trainer.run()
    out, snapshots = pathlib.Path(trainer.out), trainer.snapshots
    model, best_model = (path if path.exists() else None for path in (out / MODEL, out / BEST_MODEL))
    return TrainingResult(
        iteration=trainer.updater.iteration, out=out, snapshot=snapshots.newest, model=model,
        best_model=best_model, best_value=snapshots.best_value, best_metric=snapshots.best_metric,
        skipped=trainer.updater.skipped, log=trainer.log.lines)


def read_result(out: str | os.PathLike) -> TrainingResult | None:
    """The result of the run in a folder, as of its latest snapshot; None before the first one.

    Raises:
        chainer_seg.errors.UserError: The snapshot or the log is damaged.
    """
    out, found = pathlib.Path(out), find_snapshots(out)
    if not found:
        return None
    iteration, path = found[0]
    about, log = read_about(path), [line for line in read_log(out) if line['iteration'] <= iteration]
    model, best_model = (each if each.exists() else None for each in (out / MODEL, out / BEST_MODEL))
    return TrainingResult(
        iteration=iteration, out=out, snapshot=path, model=model, best_model=best_model,
        best_value=about.get('best_value'), best_metric=about.get('best_metric'),
        skipped=sum(line.get('skipped', 0) for line in log), log=log)


def _make_optimizer(train_chain: chainer.Chain, settings: Settings) -> chainer.GradientMethod:
    optimizer = settings.optimizer
    if optimizer == 'momentum':
        optimizer = chainer.optimizers.MomentumSGD(momentum=settings.momentum)
    elif optimizer == 'adam':
        optimizer = chainer.optimizers.Adam()
    elif isinstance(optimizer, str):
        raise ValueError(f'optimizer must be "momentum", "adam" or a Chainer optimizer, '
                         f'got {optimizer!r}')
    if optimizer.target is not train_chain:
        optimizer.setup(train_chain)
    if settings.loss_scale is not None:
        optimizer.use_fp32_update()
    if settings.gradient_clipping is not None:
        optimizer.add_hook(chainer.optimizer_hooks.GradientClipping(settings.gradient_clipping))
    if settings.weight_decay:
        optimizer.add_hook(WeightDecay(settings.weight_decay, settings.weight_decay_exclude))
    return optimizer


def _add_records(trainer: Trainer, train_chain: chainer.Chain, settings: Settings) -> None:
    """Adds the extensions that are part of the state of a run: evaluation, log and snapshots."""
    model = settings.model_to_save
    evaluation = None
    if settings.evaluator is not None:
        evaluated = train_chain if model is None else model
        evaluation = Evaluation(settings.evaluator, evaluated,
                                settings.evaluate_every or settings.snapshot_every)
        trainer.extend(evaluation)
    trainer.log = Log(settings.log_every, trainer.iterations, evaluation.due if evaluation else None,
                      settings.epoch_length)
    trainer.extend(trainer.log)
    trainer.snapshots = Snapshots(
        settings.snapshot_every, settings.keep_last, settings.best_metric,
        model if isinstance(model, Model) else None, settings.save_model or save_model,
        settings.max_skipped, _copies(trainer, settings), _description(trainer, settings), say)
    trainer.extend(trainer.snapshots)


def _copies(trainer: Trainer, settings: Settings) -> tuple[int, int] | None:
    """Epochs between two copies of the model, and iterations of an epoch."""
    if not settings.copy_every:
        return None
    examples = len(trainer.updater.get_iterator('main').dataset)
    return settings.copy_every, settings.epoch_length or math.ceil(examples / settings.batch_size)


def _add_displays(trainer: Trainer, settings: Settings) -> None:
    """Adds the extensions that display the run."""
    kind = resolve_kind(settings.progress)
    if kind in ('terminal', 'notebook'):
        trainer.extend(ProgressBar(kind, trainer.iterations, trainer.log))
    elif kind == 'lines':
        trainer.extend(ProgressLines(trainer.iterations, trainer.log))
    show_curve = kind == 'notebook' if settings.live_curve is None else settings.live_curve
    if show_curve:
        trainer.extend(LiveCurve(trainer.log))
    if settings.tensorboard:
        model = settings.model_to_save
        draw = None if model is None or settings.draw_samples is None else (
            functools.partial(settings.draw_samples, model))
        trainer.extend(TensorBoard(trainer.log, say, draw))


def _description(trainer: Trainer, settings: Settings) -> dict[str, Any]:
    """The settings that a snapshot keeps, to be compared when the run is resumed."""
    stream, model = trainer.updater.get_iterator('main'), settings.model_to_save
    return {'seed': settings.seed, 'batch_size': settings.batch_size,
            'sub_batches': settings.sub_batches, 'examples': len(stream.dataset),
            CLASSES: list(model.class_names) if isinstance(model, Model) else []}


def _resume(trainer: Trainer, settings: Settings) -> None:
    found = find_state(settings.resume, settings.out, say)
    out = pathlib.Path(settings.out).resolve()
    resumes_here = found is not None and pathlib.Path(found[0]).resolve().parent == out
    if find_snapshots(out) and not resumes_here and not settings.overwrite:
        raise TrainingError(
            f'{settings.out} already contains a training run; resume it with resume="auto" '
            f'(--resume auto), replace it with overwrite=True, or choose another folder.')
    if found is None:
        return
    path, arrays, about = found
    now = _description(trainer, settings)
    _check_classes(path, about.pop(CLASSES, None), now.pop(CLASSES))
    restore_state(path, trainer, arrays)
    trainer.snapshots.newest = pathlib.Path(path)
    changes = [f'{name} was {about.get(name)} and is {value}'
               for name, value in now.items() if about.get(name) != value]
    if changes:
        say(f'Resuming from {path} with changed settings, so the run will differ from an '
            f'uninterrupted one: {", ".join(changes)}.')
    elif settings.progress != 'none':
        say(f'Resuming from {path}, after iteration {trainer.updater.iteration}.')


def _check_classes(path: str | os.PathLike, before: Any, now: list[str]) -> None:
    """Rejects a snapshot of other classes, whose weights would be assigned to the wrong classes."""
    if before is None and now:
        say(f'{path} is an older snapshot without class names; resuming with the classes of the data '
            f'set.')
    elif before is not None and before != now:
        before = before if isinstance(before, list) else []
        raise TrainingError(
            f'{path} has other classes than the data set: {first_difference(before, now)}; resume '
            f'with the annotations of that run, or start a new run from its model file.')

