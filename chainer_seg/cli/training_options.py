"""What the trainings of all systems share: options, data sets, and the run itself."""

import functools
import shlex
import sys
import time

from chainer_seg import command_line, training
from chainer_seg.class_names import listed
from chainer_seg.cli.file_options import add_reading_options, reading_options
from chainer_seg.cli.result_paths import CATEGORY_IDS
from chainer_seg.datasets import FiguresDataset, ObjectIndex, PlainShapesDataset, ShapesDataset, open_dataset
from chainer_seg.datasets.opening import folder_for
from chainer_seg.errors import DatasetError, TrainingError
from chainer_seg.links import ResNet
from chainer_seg.model_file import load_model, save_model
from chainer_seg.options import When

# Pictures drawn for validation come from another seed than those for training.
VALIDATION_SEED_OFFSET = 1_000_000

OF_FILES = When('with a --dataset of files, such as coco', lambda options: options.dataset not in DRAWN)
OF_DRAWN = When('with a --dataset that is drawn', lambda options: options.dataset in DRAWN)

DRAWN = {'shapes': ShapesDataset, 'plain-shapes': PlainShapesDataset, 'figures': FiguresDataset}


def add_data_options(parser, *more):
    """Adds the options and returns their group; ``more`` are values of --dataset of the system's own."""
    data = parser.add_argument_group('the data')
    data.add_argument('--dataset', choices=(*DRAWN, 'coco', *more), default='shapes',
                      help='drawn shapes, with textures or plain, drawn people, or a data set of files; '
                           'coco where --annotations are named')
    data.add_argument('--annotations', metavar='J',
                      help='COCO JSON to train on; or a packed data set or a list of VOC or SBD, which '
                           'need no --images')
    data.add_argument('--images', metavar='D', help='its folder of images')
    data.add_argument('--val-annotations', metavar='J', help='COCO JSON to validate on')
    data.add_argument('--val-images', metavar='D', help='its folder of images')
    add_reading_options(data)
    data.add_argument('--size', type=command_line.size_argument, default=(256, 256),
                      metavar='HxW', help='size of drawn pictures')
    data.add_argument('--val-n', type=int, default=40, help='number of drawn validation pictures')
    parser.settle(_find_kind)
    parser.only(OF_FILES, '--annotations', '--images', '--val-annotations', '--val-images')
    parser.only(OF_DRAWN, '--size')
    return data


def _find_kind(options, given):
    """Takes files for the data set where some are named and nothing else is asked for."""
    if options.annotations and 'dataset' not in given:
        options.dataset = 'coco'


def add_training_options(parser, iterations, batch_size, lr, schedule='cosine'):
    command_line.add_common_options(parser)
    group = parser.add_argument_group('the training')
    group.add_argument('--out', required=True, metavar='DIR', help='folder for all that is written')
    group.add_argument('--iterations', type=int, default=iterations, help='number of updates')
    group.add_argument('--batch-size', type=int, default=batch_size, help='samples per update')
    group.add_argument('--sub-batches', type=int, default=1,
                       help='compute a batch in so many parts, for less memory')
    group.add_argument('--lr', type=float, default=lr, help='base learning rate')
    group.add_argument('--optimizer', choices=('adam', 'momentum'), default='adam')
    group.add_argument('--schedule', choices=('poly', 'cosine', 'constant'), default=schedule)
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


def open_datasets(options, *, keypoints=None):
    """The data sets for training and for validation that the options name."""
    if options.dataset in DRAWN:
        return draw_datasets(options, max(1, options.iterations * options.batch_size))
    return open_files(options, skip_empty=True, keypoints=keypoints)


def open_indices(options):
    """The objects to train on and to validate with; ``options.pictures`` pictures are drawn."""
    if options.dataset in DRAWN:
        return tuple(map(ObjectIndex, draw_datasets(options, options.pictures)))
    dataset, validation = open_files(options)
    index = ObjectIndex(dataset)
    return index, index if validation is dataset else ObjectIndex(validation)


def draw_datasets(options, length):
    """Drawn pictures: ``length`` of them for training."""
    reading_options(options, None)
    draw = DRAWN[options.dataset]
    return (draw(length, options.seed, options.size),
            draw(options.val_n, options.seed + VALIDATION_SEED_OFFSET, options.size))


def open_files(options, *, skip_empty=False, keypoints=None):
    """The data sets of files; without one for validation, the training set serves for both."""
    if not options.annotations:
        raise DatasetError(f'--dataset {options.dataset} needs --annotations and --images.')
    reading = reading_options(options, options.annotations)
    dataset = open_dataset(options.annotations, options.images, skip_empty=skip_empty,
                           keypoints=keypoints, **reading)
    if not options.val_annotations:
        return dataset, dataset
    return dataset, open_dataset(options.val_annotations, validation_images(options),
                                 keypoints=keypoints, **reading)


def validation_images(options):
    """The folder of the images of --val-annotations; that of the training where none is named."""
    return folder_for(options.val_annotations, options.val_images, options.images)


def check_classes(dataset, validation):
    """Refuses a validation set of other classes; their order may differ, for they go by names."""
    if sorted(dataset.class_names) != sorted(validation.class_names):
        lacking = sorted(set(dataset.class_names) ^ set(validation.class_names))
        raise DatasetError(f'The data sets for training and for validation name different classes: only '
                           f'one of them has {listed(lacking)}; give both annotation files the same '
                           f'categories.')


def find_resnet(path):
    """The :class:`chainer_seg.links.ResNet` in a model file, for another network to start from."""
    for link in load_model(path).links():
        if isinstance(link, ResNet):
            return link
    raise TrainingError(f'{path} holds no ResNet to start from; give a converted ResNet-50 or a model '
                        f'that has one.')


def make_schedule(options):
    """The schedule that the options describe, behind its warm-up."""
    schedule = {'poly': training.Poly(), 'cosine': training.Cosine(),
                'constant': training.Constant()}[options.schedule]
    return training.WarmUp(options.warm_up, then=schedule)


def run_training(options, train_chain, model, dataset, transform, evaluator, best_metric,
                 category_ids=None, **settings):
    """Runs the training that the options describe, prints where the results are, and returns them.

    ``category_ids`` are those of the model's labels in its data set, which predict.py writes.
    ``settings`` are those of :class:`chainer_seg.training.Settings` and come before the options.
    """
    started = time.time()
    model.origin = {'command': shlex.join(['python', *sys.argv]), 'seed': options.seed,
                    **({CATEGORY_IDS: list(category_ids)} if category_ids is not None else {})}
    from_options = {
        name: getattr(options, name) for name in (
            'out', 'optimizer', 'lr', 'weight_decay', 'iterations', 'batch_size', 'sub_batches',
            'device', 'seed', 'workers', 'snapshot_every', 'keep_last', 'log_every', 'resume',
            'overwrite')}
    schedule = settings.pop('schedule', None) or make_schedule(options)
    trainer = training.build_trainer(train_chain, dataset, **{
        **from_options, 'transform': transform, 'schedule': schedule,
        'evaluator': evaluator, 'best_metric': best_metric, 'model_to_save': model,
        'save_model': functools.partial(save_model, dtype='float16' if options.half else None),
        'progress': 'none' if options.quiet else 'auto', **settings})
    result = training.train(trainer)
    if not options.quiet:
        print(f'{result.iteration} iterations in {time.time() - started:.0f} s')
        print(f'model: {result.model}')
        print(f'best model: {result.best_model} ({best_metric[0]} {result.best_value:.4f})')
    return result
