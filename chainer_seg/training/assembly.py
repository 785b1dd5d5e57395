"""Builds the trainer that every system of this package is trained with."""

import contextlib
import dataclasses
import functools
import math
import os
import pathlib
from typing import Any

import chainer
from threadpoolctl import threadpool_limits

from chainer_seg.errors import TrainingError, quoted
from chainer_seg.locks import sole_writer
from chainer_seg.model_file import save_model
from chainer_seg.models.base import Model
from chainer_seg.training.curves import LiveCurve
from chainer_seg.training.evaluation import Evaluation
from chainer_seg.training.interrupt import Interruption
from chainer_seg.training.log import Log, TensorBoard, read_log
from chainer_seg.training.multi_node import Ranks, connect, ending_together, rank_device
from chainer_seg.training.multi_node_norm import synchronise_norms
from chainer_seg.training.parameters import LearningRate, WeightDecay
from chainer_seg.training.progress import ProgressBar, ProgressLines, resolve_kind, say
from chainer_seg.training.resume import description, resume
from chainer_seg.training.schedules import Constant
from chainer_seg.training.settings import Settings
from chainer_seg.training.snapshots import BEST_MODEL, MODEL, Snapshots, find_snapshots
from chainer_seg.training.state import read_about
from chainer_seg.training.stream import ExampleStream, computing_threads, default_workers
from chainer_seg.training.updater import Updater, global_random_state_kept


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
        ranks: The processes that train.
    """

    log: Log
    snapshots: Snapshots

    def __init__(self, updater: Updater, out: str | os.PathLike, iterations: int,
                 device: chainer.backend.Device, ranks: Ranks | None = None) -> None:
        super().__init__(updater, self._is_over, out=os.fspath(out))
        self.iterations = iterations
        self.device = device
        self.ranks = ranks or Ranks()
        self.interruption = Interruption(self.say)

    @staticmethod
    def _is_over(trainer: 'Trainer') -> bool:
        return trainer.updater.iteration >= trainer.iterations

    def say(self, message: str) -> None:
        """Prints a message, on rank 0."""
        if self.ranks.rank == 0:
            say(message)

    def train(self) -> TrainingResult:
        """As :func:`train`."""
        return train(self)

    def run(self, show_loop_exception_msg: bool = False) -> None:
        """Runs to the end; :meth:`train` also returns the result."""
        writer = contextlib.nullcontext() if self.ranks.rank else sole_writer(self.out)
        threads = max(1, computing_threads() // self.ranks.local_size)
        with (ending_together(self.ranks), writer, self.interruption, chainer.using_device(self.device),
              threadpool_limits(threads), global_random_state_kept(self.device)):
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
    ranks = connect(settings.communicator)
    stream = _make_stream(dataset, settings, ranks)
    iterations = settings.iterations
    if iterations is None:
        assert settings.epochs is not None  # Settings checks that one of both is given.
        iterations = math.ceil(settings.epochs * len(dataset) / (settings.batch_size * ranks.size))
    device = rank_device(settings.device, settings.communicator, ranks)
    train_chain.to_device(device)
    if settings.sync_batch_norm:
        synchronise_norms(train_chain, ranks)
    optimizer = _make_optimizer(train_chain, settings)
    rate = LearningRate(optimizer, settings.lr, settings.schedule or Constant(), iterations,
                        settings.lr_multipliers)
    rate.base *= {'none': 1, 'linear': ranks.size, 'sqrt': ranks.size ** 0.5}[settings.lr_scaling]
    updater = Updater(stream, optimizer, rate, device, settings.seed, settings.sub_batches,
                      settings.converter, settings.loss_scale, say if ranks.rank == 0 else _keep_quiet, ranks)
    trainer = Trainer(updater, settings.out, iterations, device, ranks)
    _add_records(trainer, train_chain, settings)
    with chainer.using_device(device):
        resume(trainer, settings)
        ranks.broadcast_parameters(train_chain)
    if ranks.rank == 0:
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


def _make_stream(dataset: Any, settings: Settings, ranks: Ranks) -> ExampleStream:
    workers = settings.workers
    if workers is None:
        workers = max(1, default_workers() // ranks.local_size)
    return ExampleStream(
        dataset, settings.batch_size, settings.transform, settings.seed, workers, settings.worker_kind,
        settings.look_ahead, shuffle=settings.shuffle, rank=ranks.rank, ranks=ranks.size)


def _keep_quiet(message: str) -> None:
    """Says nothing: rank 0 says it."""


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
                                settings.evaluate_every or settings.snapshot_every, trainer.ranks)
        trainer.extend(evaluation)
    trainer.log = Log(settings.log_every, trainer.iterations, evaluation.due if evaluation else None,
                      settings.epoch_length)
    if trainer.ranks.rank == 0:
        trainer.extend(trainer.log)
    trainer.snapshots = Snapshots(
        settings.snapshot_every, settings.keep_last, settings.best_metric,
        model if isinstance(model, Model) else None, settings.save_model or save_model,
        settings.max_skipped, _copies(trainer, settings), description(trainer, settings), trainer.say,
        trainer.ranks)
    trainer.extend(trainer.snapshots)


def _copies(trainer: Trainer, settings: Settings) -> tuple[int, int] | None:
    """Epochs between two copies of the model, and iterations of an epoch."""
    if not settings.copy_every:
        return None
    examples = len(trainer.updater.get_iterator('main').dataset)
    return settings.copy_every, settings.epoch_length or math.ceil(
        examples / (settings.batch_size * trainer.ranks.size))


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
