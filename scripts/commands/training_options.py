"""What the trainings of all systems share: options, data sets, and the run itself."""

import functools
import shlex
import sys
import time

from chainer_seg import command_line, training
from chainer_seg.datasets import CocoDataset, ObjectIndex, ShapesDataset
from chainer_seg.errors import DatasetError
from chainer_seg.model_file import save_model

# Pictures drawn for validation come from another seed than those for training.
VALIDATION_SEED_OFFSET = 1_000_000


def add_data_options(parser):
    data = parser.add_argument_group('the data')
    data.add_argument('--dataset', choices=('shapes', 'coco'), default='shapes',
                      help='drawn shapes, or a COCO-style data set')
    data.add_argument('--annotations', metavar='J', help='COCO JSON to train on')
    data.add_argument('--images', metavar='D', help='its folder of images')
    data.add_argument('--val-annotations', metavar='J', help='COCO JSON to validate on')
    data.add_argument('--val-images', metavar='D', help='its folder of images')
    data.add_argument('--size', type=command_line.size_argument, default=(256, 256),
                      metavar='HxW', help='size of drawn pictures')
    data.add_argument('--val-n', type=int, default=40, help='number of drawn validation pictures')


def add_training_options(parser, iterations, batch_size, lr):
    command_line.add_common_options(parser)
    group = parser.add_argument_group('the training')
    group.add_argument('--out', required=True, metavar='DIR', help='folder for all that is written')
    group.add_argument('--iterations', type=int, default=iterations, help='number of updates')
    group.add_argument('--batch-size', type=int, default=batch_size, help='samples per update')
    group.add_argument('--sub-batches', type=int, default=1,
                       help='compute a batch in so many parts, for less memory')
    group.add_argument('--lr', type=float, default=lr, help='base learning rate')
    group.add_argument('--optimizer', choices=('adam', 'momentum'), default='adam')
    group.add_argument('--schedule', choices=('poly', 'cosine', 'constant'), default='cosine')
    group.add_argument('--warm-up', type=int, default=100, help='updates of linear warm-up')
    group.add_argument('--weight-decay', type=float, default=1e-4)
    group.add_argument('--workers', type=int, default=None,
                       help='processes that load data; by the number of cores')
    group.add_argument('--snapshot-every', type=int, default=500, metavar='N')
    group.add_argument('--keep-last', type=int, default=3, help='number of snapshots kept')
    group.add_argument('--log-every', type=int, default=20, metavar='N')
    group.add_argument('--resume', nargs='?', const='auto', default=None, metavar='SNAPSHOT',
                       help='go on from the newest snapshot in --out, or from this one')
    group.add_argument('--overwrite', action='store_true', help='replace a run in --out')


def open_datasets(options):
    """The data sets for training and for validation that the options name."""
    if options.dataset == 'shapes':
        examples = max(1, options.iterations * options.batch_size)
        return (ShapesDataset(examples, options.seed, options.size),
                ShapesDataset(options.val_n, options.seed + VALIDATION_SEED_OFFSET, options.size))
    if not options.annotations or not options.images:
        raise DatasetError('--dataset coco needs --annotations and --images.')
    dataset = CocoDataset(options.annotations, options.images, skip_empty=True)
    if not options.val_annotations:
        return dataset, dataset
    return dataset, CocoDataset(options.val_annotations, options.val_images or options.images)


def open_indices(options):
    """The objects to train on and to validate with; ``options.pictures`` pictures are drawn."""
    if options.dataset == 'shapes':
        drawn = (ShapesDataset(options.pictures, options.seed, options.size),
                 ShapesDataset(options.val_n, options.seed + VALIDATION_SEED_OFFSET, options.size))
        return tuple(map(ObjectIndex, drawn))
    if not options.annotations or not options.images:
        raise DatasetError('--dataset coco needs --annotations and --images.')
    index = ObjectIndex(CocoDataset(options.annotations, options.images))
    if not options.val_annotations:
        return index, index
    return index, ObjectIndex(
        CocoDataset(options.val_annotations, options.val_images or options.images))


def make_schedule(options):
    """The schedule that the options describe, behind its warm-up."""
    schedule = {'poly': training.Poly(), 'cosine': training.Cosine(),
                'constant': training.Constant()}[options.schedule]
    return training.WarmUp(options.warm_up, then=schedule)


def run_training(options, train_chain, model, dataset, transform, evaluator, best_metric,
                 **settings):
    """Runs the training that the options describe and prints where the results are.

    ``settings`` are those of :class:`chainer_seg.training.Settings` and come before the options.
    """
    started = time.time()
    model.origin = {'command': shlex.join(['python', *sys.argv]), 'seed': options.seed}
    from_options = {
        name: getattr(options, name) for name in (
            'out', 'optimizer', 'lr', 'weight_decay', 'iterations', 'batch_size', 'sub_batches',
            'device', 'seed', 'workers', 'snapshot_every', 'keep_last', 'log_every', 'resume',
            'overwrite')}
    trainer = training.build_trainer(train_chain, dataset, **{
        **from_options, 'transform': transform, 'schedule': make_schedule(options),
        'evaluator': evaluator, 'best_metric': best_metric, 'model_to_save': model,
        'save_model': functools.partial(save_model, dtype='float16' if options.half else None),
        'progress': 'none' if options.quiet else 'auto', **settings})
    result = training.train(trainer)
    if not options.quiet:
        print(f'{result.iteration} iterations in {time.time() - started:.0f} s')
        print(f'model: {result.model}')
        print(f'best model: {result.best_model} ({best_metric[0]} {result.best_value:.4f})')
