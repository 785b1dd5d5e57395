"""python scripts/train.py yolact: instance segmentation from prototypes."""

import argparse
import functools
import logging
import pathlib

from chainer_seg.cli.training_options import (
    OF_DRAWN, OF_FILES, add_data_options, check_classes, open_datasets, run_training)

from chainer_seg import command_line
from chainer_seg.class_names import listed
from chainer_seg.datasets import ObjectIndex
from chainer_seg.devices import get_device
from chainer_seg.errors import TrainingError
from chainer_seg.evaluation import evaluate_coco
from chainer_seg.model_file import load_model
from chainer_seg.models.yolact.experiments import experiment_names, read_experiment
from chainer_seg.models.yolact.pretrained import (
    CHANNEL_ORDERS, load_yolact, start_backbone, start_from)
from chainer_seg.models.yolact.samples import stack_examples
from chainer_seg.options import with_any, without

log = logging.getLogger(__name__)

EVALUATED = ('segm/AP', 'segm/AP50', 'segm/AP75', 'bbox/AP')
# Of the loss in mixed precision, so that small gradients do not vanish.
LOSS_SCALE = 128

BEST = ('validation/segm/AP', 'max')


def add_options(systems):
    parser = systems.add_parser(
        'yolact', help='instance segmentation with YOLACT', description='Train YOLACT.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.set_defaults(train=train_yolact)
    command_line.add_common_options(parser)
    parser.add_argument('--name', default='resnet50', metavar='EXPERIMENT',
                        help=f'a TOML file, or one of {", ".join(experiment_names())}')
    parser.add_argument('--set', dest='assignments', nargs='+', action='extend', default=[],
                        metavar='KEY=VALUE', help='change settings of the experiment')
    add_data_options(parser)
    parser.add_argument('--data-folder', metavar='D',
                        help='what prepare_dataset.py wrote; stands for --annotations and '
                             '--val-annotations')
    start = parser.add_argument_group('where to start from')
    start.add_argument('--weights', metavar='MODEL',
                       help='a YOLACT to go on from, with its sizes; classes are told by their names, '
                            'and new ones start from nothing')
    start.add_argument('--backbone', metavar='MODEL',
                       help='a model whose ResNet the backbone starts from')
    start.add_argument('--backbone-channels', choices=CHANNEL_ORDERS, default='rgb',
                       help='what that model was trained on: as YOLACT, or in the order of Caffe and '
                            'in 0..255, as the click model and what is converted from Caffe')
    run = parser.add_argument_group('the training')
    run.add_argument('--out', '--weights-folder', required=True, metavar='DIR',
                     help='folder for all that is written')
    run.add_argument('--batch-size', type=int, help='images of an update')
    run.add_argument('--iterations', type=int, help='number of updates')
    run.add_argument('--lr', type=float, help='learning rate')
    run.add_argument('--momentum', type=float)
    run.add_argument('--weight-decay', type=float)
    run.add_argument('--save-interval', type=int, metavar='N', help='updates between checkpoints')
    run.add_argument('--print-interval', dest='log_every', type=int, default=20, metavar='N',
                     help='updates between lines of the log')
    run.add_argument('--sub-batches', type=int, default=1,
                     help='compute a batch in so many parts, for less memory')
    run.add_argument('--workers', type=int, default=None,
                     help='processes that load data; by the number of cores')
    run.add_argument('--resume', nargs='?', const='auto', default=None, metavar='SNAPSHOT',
                     help='go on from the newest snapshot in --out, or from this one')
    run.add_argument('--overwrite', action='store_true', help='replace a run in --out')
    run.add_argument('--mixed-precision', action='store_true',
                     help='compute in half precision, update in single precision; on a GPU')
    run.add_argument('--half', action='store_true', help='save the model in half precision')
    parser.settle(_find_data)
    parser.only(OF_FILES, '--data-folder')
    parser.only(OF_DRAWN, '--val-n')
    parser.only(without('--data-folder'), '--annotations', '--images')
    parser.only(with_any('--val-annotations'), '--val-images')
    parser.only(with_any('--backbone'), '--backbone-channels')


def train_yolact(options):
    _check_precision(options)
    experiment = read_experiment(options.name)
    weights = load_yolact(options.weights) if options.weights else None
    if weights is not None:
        experiment.take_model(weights)
    experiment.assign(options.assignments)
    _merge(experiment['training'], options)
    dataset, validation = open_datasets(options)
    check_classes(dataset, validation)
    _say_unseen_classes(dataset)
    model = experiment.make_model(dataset.class_names, options.seed, options.mixed_precision)
    _start(model, weights, options)
    chain = experiment.make_train_chain(model, options.batch_size // options.sub_batches)
    run_training(
        options, chain, model, dataset, experiment.make_samples(model),
        functools.partial(_evaluate, dataset=validation), BEST,
        category_ids=getattr(dataset, 'category_ids', None),  # What is drawn has none.
        schedule=experiment.make_schedule(),
        converter=stack_examples, momentum=options.momentum, weight_decay_exclude=(),
        loss_scale=LOSS_SCALE if options.mixed_precision else None)


def _merge(settings, options):
    """Gives the options that are not on the command line the experiment's values."""
    if options.momentum is not None and settings['optimizer'] != 'momentum':
        raise TrainingError(f'--momentum is for the optimizer momentum, and the experiment trains with '
                            f'{settings["optimizer"]}; leave it out or add --set optimizer=momentum.')
    for name in ('batch_size', 'iterations', 'lr', 'momentum', 'weight_decay', 'save_interval'):
        if getattr(options, name) is None:
            setattr(options, name, settings[name])
    for name in ('optimizer', 'keep_last'):
        setattr(options, name, settings[name])
    options.snapshot_every = options.save_interval


def _check_precision(options):
    if options.mixed_precision and get_device(options.device).name == '@numpy':
        raise TrainingError('Half precision is slower than single precision on a CPU; leave '
                            '--mixed-precision out, or name a GPU by --device.')


def _find_data(options, given):
    """Gives the options of files the values that --data-folder stands for."""
    if not options.data_folder:
        return
    training, validation = (pathlib.Path(options.data_folder) / f'{name}.packed'
                            for name in ('train', 'val'))
    options.annotations = training
    if validation.exists():
        options.val_annotations = options.val_annotations or validation
    if 'dataset' not in given:
        options.dataset = 'coco'


def _say_unseen_classes(dataset):
    """Says which classes cannot be learned."""
    if not hasattr(dataset, 'read_instances'):
        return  # It is drawn: it has all classes, and would have to be drawn to count them.
    seen = set(ObjectIndex(dataset).labels.tolist())
    unseen = [name for label, name in enumerate(dataset.class_names) if label not in seen]
    if unseen:
        log.warning('No object to learn from: %s', ', '.join(unseen))


def _start(model, weights, options):
    """Copies the weights to start from, and says what was copied."""
    if weights is not None:
        shared = start_from(weights, model)
        log.info('the weights come from %s, those of %d of %d classes by name: %s', options.weights,
                 len(shared), len(model.class_names), listed(shared))
    if options.backbone:
        start_backbone(load_model(options.backbone), model, options.backbone_channels)
        log.info('the backbone comes from %s', options.backbone)


def _evaluate(model, dataset):
    """Average precision of masks and of boxes."""
    figures = evaluate_coco(model, dataset)
    return {name: figures[name] for name in EVALUATED}
