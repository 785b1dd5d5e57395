"""Training: one trainer for every system, which resumes exactly where it was interrupted.

    from chainer_seg import training
    trainer = training.build_trainer(
        train_chain, dataset, transform=transform, out='out/run', iterations=10000, batch_size=8,
        lr=0.01, weight_decay=5e-4, schedule=training.WarmUp(500, then=training.Poly(0.9)),
        evaluator=evaluate, best_metric=('validation/miou', 'max'), model_to_save=model,
        resume='auto')
    result = training.train(trainer)

On a CPU a resumed run is bit-identical to an uninterrupted one. On a GPU it is, too, unless a sum depends
on the order of threads: the gradients of RoIAlign, RoI pooling, deformable convolution and indexing by
arrays are summed with atomic additions, in no fixed order. Mask R-CNN and YOLACT use these, so two of
their runs on a GPU agree up to rounding, interrupted or not.

The settings are described in :class:`Settings`, the files of a run in
:mod:`chainer_seg.training.snapshots` and :mod:`chainer_seg.training.log`.
"""

from chainer_seg.training.assembly import Trainer, TrainingResult, build_trainer, read_result, train
from chainer_seg.training.curves import LiveCurve, draw_log, plot_log
from chainer_seg.training.log import read_log
from chainer_seg.training.parameters import BIASES_AND_NORMALIZATION, WeightDecay
from chainer_seg.training.schedules import Constant, Cosine, Poly, Schedule, Steps, WarmUp
from chainer_seg.training.settings import Settings
from chainer_seg.training.snapshots import find_snapshots
from chainer_seg.training.stream import ExampleStream
from chainer_seg.training.updater import Updater, stack_samples

__all__ = [
    'BIASES_AND_NORMALIZATION', 'Constant', 'Cosine', 'ExampleStream', 'LiveCurve', 'Poly',
    'Schedule', 'Settings', 'Steps', 'Trainer', 'TrainingResult', 'Updater', 'WarmUp',
    'WeightDecay', 'build_trainer', 'draw_log', 'find_snapshots', 'plot_log', 'read_log', 'read_result',
    'stack_samples', 'train']
