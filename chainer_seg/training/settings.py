"""The settings of a training run and their defaults."""

import dataclasses
import os
import typing

import chainer

from chainer_seg.training.parameters import BIASES_AND_NORMALIZATION
from chainer_seg.training.schedules import Schedule


@dataclasses.dataclass
class Settings:
    """How to train; :func:`build_trainer` takes each of these by name.

    Attributes:
        transform: ``transform(example, rng) -> sample`` or None; see :class:`ExampleStream`.
        out: The folder for snapshots, models and logs.
        optimizer: ``'momentum'``, ``'adam'`` or a Chainer optimizer.
        lr: The base learning rate; None keeps the optimizer's own.
        momentum: The momentum of ``'momentum'``.
        weight_decay: The rate of L2 decay.
        weight_decay_exclude: Patterns of parameter paths that do not decay.
        lr_multipliers: ``{pattern: factor}`` of parameter paths with a rate of their own.
        gradient_clipping: The largest L2 norm of the whole gradient, or None.
        loss_scale: For a model whose parameters are in half precision: the loss is multiplied by
            this so that small gradients do not vanish, gradients are divided by it again, and
            parameters are updated in single precision. None for other models.
        schedule: A :class:`Schedule`; None is constant.
        iterations: The length of the run; give this or ``epochs``.
        epochs: The length of the run in passes over the data set.
        batch_size: Examples per update.
        sub_batches: Parts in which a batch is computed, for less memory.
        device: ``'cpu'``, a GPU's number, or None for the first GPU where there is one.
        seed: A whole number from 0; two runs with one seed agree.
        workers: Processes or threads that load examples ahead; see :class:`ExampleStream`.
        worker_kind: ``'process'`` or ``'thread'``.
        shuffle: Whether each epoch has its own random order.
        look_ahead: Examples to load ahead; None takes two batches.
        converter: ``converter(samples, device)`` or None to stack samples of one shape.
        evaluator: ``evaluator(model) -> {name: value}``, reported as ``validation/name``.
        evaluate_every: Iterations between evaluations; None takes ``snapshot_every``.
        best_metric: ``('validation/name', 'max' or 'min')`` by which the best model is kept.
        model_to_save: The model that is saved as a model file if it has a ``config``, and that
            the evaluator is given; None gives the evaluator the train chain.
        save_model: ``save_model(path, model)``; None takes :func:`chainer_seg.save_model`.
        snapshot_every: Iterations between snapshots.
        keep_last: How many snapshots to keep.
        resume: None, ``'auto'`` for the newest complete snapshot in ``out`` if there is one,
            or the path of a snapshot or of a folder of them.
        overwrite: Whether a run that is already in ``out`` may be replaced.
        log_every: Iterations between lines of the log.
        max_skipped: Training ends after so many non-finite batches in a row.
        tensorboard: Whether to write TensorBoard files.
        progress: ``'auto'``, ``'terminal'``, ``'notebook'``, ``'lines'`` or ``'none'``.
        live_curve: Whether to draw the curve in a notebook; None does with its progress bar.
    """

    transform: typing.Callable | None = None
    out: str | os.PathLike = 'out/training'
    optimizer: str | chainer.Optimizer = 'momentum'
    lr: float | None = None
    momentum: float = 0.9
    weight_decay: float = 0.0
    weight_decay_exclude: tuple = BIASES_AND_NORMALIZATION
    lr_multipliers: dict | None = None
    gradient_clipping: float | None = None
    loss_scale: float | None = None
    schedule: Schedule | None = None
    iterations: int | None = None
    epochs: float | None = None
    batch_size: int = 8
    sub_batches: int = 1
    device: str | int | None = 'cpu'
    seed: int = 0
    workers: int | None = None
    worker_kind: str = 'process'
    shuffle: bool = True
    look_ahead: int | None = None
    converter: typing.Callable | None = None
    evaluator: typing.Callable | None = None
    evaluate_every: int | None = None
    best_metric: tuple | None = None
    model_to_save: chainer.Link | None = None
    save_model: typing.Callable | None = None
    snapshot_every: int = 500
    keep_last: int = 3
    resume: str | os.PathLike | None = None
    overwrite: bool = False
    log_every: int = 20
    max_skipped: int = 5
    tensorboard: bool = True
    progress: str = 'auto'
    live_curve: bool | None = None

    def __post_init__(self):
        if (self.iterations is None) == (self.epochs is None):
            raise ValueError('give either iterations or epochs')
        if not 1 <= self.sub_batches <= self.batch_size:
            raise ValueError('sub_batches must be from 1 to batch_size')
        if self.loss_scale is not None and self.gradient_clipping is not None:
            raise ValueError('gradient_clipping would clip the gradients of a loss with loss_scale')
        self.evaluate_every = self.evaluate_every or self.snapshot_every
        for name in ('snapshot_every', 'evaluate_every', 'log_every', 'max_skipped'):
            if getattr(self, name) < 1:
                raise ValueError(f'{name} must be at least 1')
