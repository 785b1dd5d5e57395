"""python scripts/train.py click --dataset click-files: click segmentation from clicks in files."""

from chainer_seg.cli.training_options import run_training

from chainer_seg.datasets import ClickFilesDataset
from chainer_seg.errors import DatasetError, TrainingError
from chainer_seg.links import BatchNorm
from chainer_seg.models.deeplab.map_training import (
    ClickMapSamples, ClickMapTrainChain, check_encoding, evaluate_maps)

# As the TensorFlow implementation is trained: one rate all the way, no mirroring. It counts an update
# for every sample, so that what it calls ten epochs are seventy passes over the samples.
PUBLISHED = {
    'crop': (321, 321), 'whole_images': True, 'sampling': 'tensorflow', 'click_scale': 6.0,
    'click_mean': 131.0, 'positive_weight': 5.0, 'loss_scale': 20.0, 'freeze_bn': True,
    'optimizer': 'momentum', 'lr': 1e-5, 'ends_lr': 5.0, 'weight_decay': 2.5e-4,
    'schedule': 'constant', 'warm_up': 0, 'batch_size': 7, 'epochs': 10.0}

CLICK_FILES = 'click-files'  # what --dataset calls them


def add_file_options(parser):
    """Adds the options of click files, and the one that sets others as published."""
    files = parser.add_argument_group('click files (scripts/sample_clicks.py)')
    files.add_argument('--list', metavar='TXT', help='list of samples to train on')
    files.add_argument('--data', metavar='D',
                       help='folder of the samples; that of the list. --images are by default in images '
                            'there')
    files.add_argument('--val-list', metavar='TXT',
                       help='list of samples to validate on; twice --val-n of them are looked at')
    published = parser.add_argument_group('the TensorFlow code')
    published.add_argument(
        '--as-tensorflow', action='store_true',
        help='train as it does: ' + ', '.join(
            f'--{name.replace("_", "-")}' + ('' if value is True else f' {_written(value)}')
            for name, value in PUBLISHED.items()) + '; other options change some of this')


def take_published(options, given):
    """Gives the options that were left out the values of --as-tensorflow, if that was given."""
    if not options.as_tensorflow:
        return
    for name, value in PUBLISHED.items():
        # A number of updates says how long the run is, as that of epochs does.
        if name not in given and not (name == 'epochs' and 'iterations' in given):
            setattr(options, name, value)


def train_on_files(options, model, lr_multipliers):
    """Trains a click model on the samples that the options list."""
    dataset, validation = open_lists(options)
    check_encoding(model, dataset)
    samples = ClickMapSamples(options.crop, model.click_mean)
    chain = ClickMapTrainChain(model, options.positive_weight, options.loss_scale, options.freeze_bn)
    most = 2 * options.val_n
    run_training(
        options, chain, model, dataset, samples,
        lambda model: evaluate_maps(chain, validation, samples, most),
        best_metric=('validation/iou', 'max'), lr_multipliers=lr_multipliers,
        **run_length(options))


def open_lists(options):
    """The samples to train on and to validate with, which are the same ones without --val-list."""
    if not options.list:
        raise DatasetError('--dataset click-files needs --list, a list that scripts/sample_clicks.py '
                           'wrote.')
    if options.labels_as != 'auto':
        raise DatasetError('--labels-as is for masks and label images, not for click files; leave it '
                           'out.')
    dataset = ClickFilesDataset(options.list, options.data, options.images,
                                allow_outside=options.allow_outside)
    if not options.val_list:
        return dataset, dataset
    return dataset, ClickFilesDataset(options.val_list, options.data,
                                      options.val_images or options.images,
                                      allow_outside=options.allow_outside)


def run_length(options):
    """How long the run is, as :class:`chainer_seg.training.Settings` has it."""
    if options.epochs is None:
        return {}
    return {'iterations': None, 'epochs': options.epochs}


def frozen_norm(options, model):
    """The rates of the parameters of batch normalisation: 0 where it is frozen.

    Raises:
        TrainingError: Statistics are to be kept that are those of no data.
    """
    if not options.freeze_bn:
        return {}
    if not (options.init or options.init_trunk or options.backbone):
        raise TrainingError('--freeze-bn, which --as-tensorflow sets, needs a model that has been '
                            'trained; name one with --init or --backbone, or add --no-freeze-bn.')
    has_norm = any(isinstance(link, BatchNorm) for link in model.links())
    return dict.fromkeys(('/model/*/gamma', '/model/*/beta'), 0) if has_norm else {}


def _written(value):
    return 'x'.join(map(str, value)) if isinstance(value, tuple) else f'{value}'
