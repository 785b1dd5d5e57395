"""The settings of a training run and their defaults."""

import dataclasses
import os
from collections.abc import Callable, Mapping
from typing import Any, Literal

import chainer
import numpy as np
import numpy.typing as npt

from chainer_seg.training.multi_node import Communicator
from chainer_seg.training.parameters import BIASES_AND_NORMALIZATION
from chainer_seg.training.schedules import Schedule


@dataclasses.dataclass
class Settings:
    """Training settings; :func:`build_trainer` accepts each of them as a keyword argument.

    Attributes:
        transform: ``transform(example, rng) -> sample``, or None; see :class:`ExampleStream`.
        out: The folder for snapshots, models and logs.
        optimizer: ``'momentum'``, ``'adam'`` or a Chainer optimizer.
        lr: Base learning rate; None for the optimizer's own.
        momentum: Momentum of the optimizer ``'momentum'``.
        weight_decay: Rate of L2 weight decay.
        weight_decay_exclude: Patterns of the paths of parameters that do not decay.
        lr_multipliers: ``{pattern: factor}``, learning-rate factors by patterns of parameter paths.
        gradient_clipping: Maximum L2 norm of the whole gradient, or None.
        loss_scale: For a model with half-precision parameters: the loss is multiplied by this factor,
            so that small gradients do not vanish, gradients are divided by it again, and parameters
            are updated in single precision. None for other models.
        schedule: A :class:`Schedule`; None for a constant rate.
        iterations: Length of the run in iterations; set this or ``epochs``.
        epochs: Length of the run in epochs.
        batch_size: Examples per update and rank.
        sub_batches: Number of parts in which a batch is computed, to save memory.
        device: ``'cpu'``, the number of a GPU, or None for the first GPU if there is one.
        seed: Random seed, an integer from 0; runs with the same seed agree.
        workers: Number of processes or threads that load examples ahead; see :class:`ExampleStream`.
        worker_kind: ``'process'`` or ``'thread'``.
        shuffle: Whether each epoch has its own random order.
        look_ahead: Number of examples to load ahead; None for two batches.
        converter: ``converter(samples, device)``; None to stack samples, which then need equal shapes.
        evaluator: ``evaluator(model) -> {name: value}``, reported as ``validation/name``.
        evaluate_every: Iterations between evaluations; None for ``snapshot_every``.
        best_metric: ``('validation/name', 'max' or 'min')``, the metric that selects the best model.
        model_to_save: The model that the evaluator is called with. It is also saved as a model file if it
            is a :class:`chainer_seg.models.base.Model`. If None, the evaluator is called with the train
            chain.
        save_model: ``save_model(path, model)``; None for :func:`chainer_seg.save_model`.
        snapshot_every: Iterations between snapshots.
        keep_last: Number of snapshots to keep.
        epoch_length: Iterations of an epoch, for data sets without an end; None for a pass over the data.
        copy_every: Epochs between copies of the model that are kept, ``model_<epoch>.npz``; None for none.
        resume: None; ``'auto'`` for the latest complete snapshot in ``out``, if there is one; or the
            path of a snapshot or of a folder of snapshots.
        overwrite: Whether an existing run in ``out`` may be replaced.
        log_every: Iterations between lines of the log.
        max_skipped: Training stops after this many consecutive non-finite batches.
        tensorboard: Whether to write TensorBoard files.
        draw_samples: ``draw_samples(model)`` draws what the model finds, (h, w, 3) uint8 RGB, which
            TensorBoard shows after each evaluation; or None.
        progress: ``'auto'``, ``'terminal'``, ``'notebook'``, ``'lines'`` or ``'none'``.
        communicator: The ChainerMN communicator of a training by several ranks of an MPI job, ``'naive'``,
            ``'flat'`` or ``'pure_nccl'``; None for a single process.
        lr_scaling: What multiplies ``lr`` with several ranks: ``'linear'``, their number, ``'sqrt'``, its
            square root, or ``'none'``.
        sync_batch_norm: Whether batch normalisation sees the batches of all ranks.
        live_curve: Whether to plot live curves in a notebook; None to plot them if the progress is
            shown in a notebook.
    """

    transform: Callable | None = None
    out: str | os.PathLike = 'out/training'
    optimizer: str | chainer.Optimizer = 'momentum'
    lr: float | None = None
    momentum: float = 0.9
    weight_decay: float = 0.0
    weight_decay_exclude: tuple[str, ...] = BIASES_AND_NORMALIZATION
    lr_multipliers: Mapping[str, float] | None = None
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
    converter: Callable | None = None
    evaluator: Callable[[Any], Mapping[str, float]] | None = None
    evaluate_every: int | None = None
    best_metric: tuple[str, str] | None = None
    model_to_save: chainer.Link | None = None
    save_model: Callable | None = None
    snapshot_every: int = 500
    keep_last: int = 3
    epoch_length: int | None = None
    copy_every: int | None = None
    resume: str | os.PathLike | None = None
    overwrite: bool = False
    log_every: int = 20
    max_skipped: int = 5
    tensorboard: bool = True
    draw_samples: Callable[[Any], npt.NDArray[np.uint8]] | None = None
    progress: str = 'auto'
    live_curve: bool | None = None
    communicator: Communicator | None = None
    lr_scaling: Literal['none', 'linear', 'sqrt'] = 'none'
    sync_batch_norm: bool = False

    def __post_init__(self) -> None:
        if (self.iterations is None) == (self.epochs is None):
            raise ValueError('set either iterations or epochs')
        if not 1 <= self.sub_batches <= self.batch_size:
            raise ValueError(f'sub_batches must be from 1 to batch_size ({self.batch_size}), got '
                             f'{self.sub_batches}')
        if self.loss_scale is not None and self.gradient_clipping is not None:
            raise ValueError('gradient_clipping cannot be combined with loss_scale, because it would clip '
                             'scaled gradients')
        self.evaluate_every = self.evaluate_every or self.snapshot_every
        for name, value in {
                'snapshot_every': self.snapshot_every, 'evaluate_every': self.evaluate_every,
                'log_every': self.log_every, 'max_skipped': self.max_skipped}.items():
            if value < 1:
                raise ValueError(f'{name} must be at least 1, got {value}')
