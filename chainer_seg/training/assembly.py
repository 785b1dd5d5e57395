"""Puts a trainer together: the one way in which every system of this package is trained."""

import dataclasses
import math
import os
import pathlib

import chainer
from threadpoolctl import threadpool_limits

from chainer_seg.class_names import first_difference
from chainer_seg.devices import get_device
from chainer_seg.errors import TrainingError
from chainer_seg.locks import sole_writer
from chainer_seg.training.curves import LiveCurve
from chainer_seg.training.evaluation import Evaluation
from chainer_seg.training.interrupt import Interruption
from chainer_seg.training.log import Log, TensorBoard
from chainer_seg.training.parameters import LearningRate, WeightDecay
from chainer_seg.training.progress import ProgressBar, ProgressLines, resolve_kind, say
from chainer_seg.training.schedules import Constant
from chainer_seg.training.settings import Settings
from chainer_seg.training.snapshots import BEST_MODEL, MODEL, Snapshots, find_snapshots, find_state
from chainer_seg.training.state import restore_state
from chainer_seg.training.stream import ExampleStream, computing_threads
from chainer_seg.training.updater import Updater, global_random_state_kept

CLASSES = 'class_names'  # What a snapshot calls the names of the model's classes.


@dataclasses.dataclass(frozen=True)
class TrainingResult:
    """What a run gave.

    Attributes:
        iteration: The number of updates.
        out: The folder of the run.
        snapshot: The path of the newest snapshot, or None.
        model: The path of the newest model file, or None.
        best_model: The path of the best model file, or None.
        best_value: The best value of the metric, or None.
        skipped: How many batches were skipped.
        log: The lines of the log, as dicts.
    """

    iteration: int
    out: pathlib.Path
    snapshot: pathlib.Path | None
    model: pathlib.Path | None
    best_model: pathlib.Path | None
    best_value: float | None
    skipped: int
    log: list


class Trainer(chainer.training.Trainer):
    """Chainer's trainer, ending cleanly at Ctrl-C and SIGTERM and leaving the process as it was.

    Attributes:
        iterations: The length of the run.
        log: The :class:`chainer_seg.training.log.Log`.
        snapshots: The :class:`chainer_seg.training.snapshots.Snapshots`.
        interruption: Whether the run is to end early.
    """

    def __init__(self, updater, out, iterations, device):
        super().__init__(updater, self._is_over, out=os.fspath(out))
        self.iterations = iterations
        self.device = device
        self.interruption = Interruption(say)

    @staticmethod
    def _is_over(trainer):
        return trainer.updater.iteration >= trainer.iterations

    def run(self, show_loop_exception_msg=False):
        with (sole_writer(self.out), self.interruption, chainer.using_device(self.device),
              threadpool_limits(computing_threads()), global_random_state_kept(self.device)):
            super().run(show_loop_exception_msg=show_loop_exception_msg)


def build_trainer(train_chain, dataset, **settings):
    """Assembles the trainer of a run.

    Args:
        train_chain: A chain that is called with the batch arrays, returns the scalar loss and
            reports each part of it by ``chainer.report({...}, self)``. It goes to the device.
        dataset: Anything with ``len`` and ``[index]``.
        **settings: The attributes of :class:`Settings`.

    Returns:
        A :class:`Trainer`, to be given to :func:`train`. It can be extended as any trainer of
        Chainer's.

    Raises:
        chainer_seg.errors.TrainingError: The folder holds another run, or there is no usable
            snapshot to resume from.
        chainer_seg.errors.DatasetError: The data set is empty.
        chainer_seg.errors.DeviceError: The device does not exist.
    """
    settings = Settings(**settings)
    stream = ExampleStream(
        dataset, settings.batch_size, settings.transform, settings.seed, settings.workers,
        settings.worker_kind, settings.look_ahead, shuffle=settings.shuffle)
    iterations = settings.iterations
    if iterations is None:
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


def train(trainer):
    """Runs a trainer to its end.

    Ctrl-C ends it after the iteration under way, with a snapshot, by KeyboardInterrupt; SIGTERM does
    so by :class:`chainer_seg.signals.Terminated`, which ends the program with the status 143.

    Returns:
        A :class:`TrainingResult`.

    Raises:
        chainer_seg.errors.TrainingError: Too many batches in a row were not finite.
        chainer_seg.errors.DiskFullError: There is no room for a snapshot; the one before it is
            as it was.
        chainer_seg.errors.FolderInUseError: Another run is writing to the folder.
    """
    trainer.run()
    out, snapshots = pathlib.Path(trainer.out), trainer.snapshots
    files = [path if path.exists() else None for path in (out / MODEL, out / BEST_MODEL)]
    return TrainingResult(
        trainer.updater.iteration, out, snapshots.newest, *files, snapshots.best_value,
        trainer.updater.skipped, trainer.log.lines)


def _make_optimizer(train_chain, settings):
    optimizer = settings.optimizer
    if optimizer == 'momentum':
        optimizer = chainer.optimizers.MomentumSGD(momentum=settings.momentum)
    elif optimizer == 'adam':
        optimizer = chainer.optimizers.Adam()
    elif isinstance(optimizer, str):
        raise ValueError(f'optimizer must be "momentum", "adam" or a Chainer optimizer, '
                         f'not {optimizer!r}')
    if optimizer.target is not train_chain:
        optimizer.setup(train_chain)
    if settings.loss_scale is not None:
        optimizer.use_fp32_update()
    if settings.gradient_clipping is not None:
        optimizer.add_hook(chainer.optimizer_hooks.GradientClipping(settings.gradient_clipping))
    if settings.weight_decay:
        optimizer.add_hook(WeightDecay(settings.weight_decay, settings.weight_decay_exclude))
    return optimizer


def _add_records(trainer, train_chain, settings):
    """Adds what belongs to the state of a run: evaluation, log and snapshots."""
    model = settings.model_to_save
    evaluation = None
    if settings.evaluator is not None:
        evaluated = train_chain if model is None else model
        evaluation = Evaluation(settings.evaluator, evaluated, settings.evaluate_every)
        trainer.extend(evaluation)
    trainer.log = Log(settings.log_every, trainer.iterations,
                      *([evaluation.due] if evaluation else []))
    trainer.extend(trainer.log)
    trainer.snapshots = Snapshots(
        settings.snapshot_every, settings.keep_last, settings.best_metric,
        model if hasattr(model, 'config') else None, settings.save_model or _save_model,
        settings.max_skipped, _about(trainer, settings), say)
    trainer.extend(trainer.snapshots)


def _add_displays(trainer, settings):
    """Adds what shows the run to a person."""
    kind = resolve_kind(settings.progress)
    if kind in ('terminal', 'notebook'):
        trainer.extend(ProgressBar(kind, trainer.iterations, trainer.log))
    elif kind == 'lines':
        trainer.extend(ProgressLines(trainer.iterations, trainer.log))
    show_curve = kind == 'notebook' if settings.live_curve is None else settings.live_curve
    if show_curve:
        trainer.extend(LiveCurve(trainer.log))
    if settings.tensorboard:
        trainer.extend(TensorBoard(trainer.log, say))


def _about(trainer, settings):
    stream = trainer.updater.get_iterator('main')
    return {'seed': settings.seed, 'batch_size': settings.batch_size,
            'sub_batches': settings.sub_batches, 'examples': len(stream.dataset),
            CLASSES: list(getattr(settings.model_to_save, 'class_names', ()))}


def _resume(trainer, settings):
    found = find_state(settings.resume, settings.out, say)
    out = pathlib.Path(settings.out).resolve()
    goes_on_here = found is not None and pathlib.Path(found[0]).resolve().parent == out
    if find_snapshots(out) and not goes_on_here and not settings.overwrite:
        raise TrainingError(
            f'{settings.out} already holds a training run; go on with it by resume="auto" '
            f'(--resume auto), replace it by overwrite=True, or choose another folder.')
    if found is None:
        return
    path, arrays, about = found
    now = _about(trainer, settings)
    _check_classes(path, about.pop(CLASSES, None), now.pop(CLASSES))
    restore_state(path, trainer, arrays)
    trainer.snapshots.newest = path
    changes = [f'{name} was {about.get(name)} and is {value}'
               for name, value in now.items() if about.get(name) != value]
    if changes:
        say(f'Going on from {path} with other settings, so not exactly as without the '
            f'interruption: {", ".join(changes)}.')
    elif settings.progress != 'none':
        say(f'Going on from {path}, after iteration {trainer.updater.iteration}.')


def _check_classes(path, before, now):
    """Refuses a snapshot of other classes: its weights would go to classes that they are not of."""
    if before is None and now:
        say(f'{path} does not say which classes it is of, as older snapshots do not; it is resumed '
            f'with those of the data set.')
    elif before is not None and before != now:
        before = before if isinstance(before, list) else []
        raise TrainingError(
            f'{path} is of other classes than the data set: {first_difference(before, now)}; resume '
            f'with the annotations of that run, or start a new run from its model file.')


def _save_model(path, model):
    from chainer_seg.model_file import save_model
    save_model(path, model)
