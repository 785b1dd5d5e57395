"""Training: one assembly for every system, which continues exactly where it was interrupted.

    from chainer_seg import training
    trainer = training.build_trainer(
        train_chain, dataset, transform=transform, out='out/run', iterations=10000, batch_size=8,
        lr=0.01, weight_decay=5e-4, schedule=training.WarmUp(500, then=training.Poly(0.9)),
        evaluator=evaluate, best_metric=('validation/miou', 'max'), model_to_save=model,
        resume='auto')
    result = training.train(trainer)

On a CPU a resumed run equals one that was never interrupted, to the last bit. On a GPU it does where no
sum depends on the order of threads: the gradients of RoIAlign, of RoI pooling, of deformable convolution
and of indexing by arrays are summed by atomic additions, as they come. Mask R-CNN and YOLACT need
these, so two of their runs on a GPU agree to rounding, interrupted or not.

What can be set is described in :class:`Settings`, what a run writes in
:mod:`chainer_seg.training.snapshots` and :mod:`chainer_seg.training.log`.
"""

from chainer_seg.training.assembly import Trainer, TrainingResult, build_trainer, train
from chainer_seg.training.curves import LiveCurve, plot_log
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
    'WeightDecay', 'build_trainer', 'find_snapshots', 'plot_log', 'read_log', 'stack_samples',
    'train']
