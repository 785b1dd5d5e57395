"""python scripts/train.py deeplab: semantic segmentation."""

import argparse
import functools
import logging

from chainer_seg.cli.semantic_options import OF_LISTS
from chainer_seg.cli.semantic_report import class_table
from chainer_seg.cli.file_options import reading_options
from chainer_seg.cli.training_options import (
    DRAWN, OF_DRAWN, add_data_options, add_training_options, check_classes, draw_datasets, find_resnet,
    run_training, validation_images)

from chainer_seg import command_line
from chainer_seg.class_names import listed
from chainer_seg.datasets import SemanticDataset, open_semantic
from chainer_seg.errors import DatasetError, TrainingError
from chainer_seg.evaluation import evaluate_semantic
from chainer_seg.links import FrozenAffine, copy_resnet
from chainer_seg.links.resnet import EXPANSION
from chainer_seg.model_file import load_model
from chainer_seg.models.class_transfer import start_by_names
from chainer_seg.models.deeplab import DeepLab, SemanticSamples, SemanticTrainChain
from chainer_seg.models.deeplab.multi_scale import SCALES
from chainer_seg.options import with_any, without

log = logging.getLogger(__name__)

# The options of the authors' training, but for the data and the ResNet-101 to start from.
PUBLISHED = ('--optimizer momentum --lr 2.5e-4 --last-lr 10 20 --weight-decay 5e-4 --schedule poly '
             '--warm-up 0 --batch-norm frozen --msc --crop 321 --batch-size 10 --iterations 20000')

STAGES = 4

# The weights and the biases of the pyramid.
LAST_LAYERS = ('/model/pyramid/*/W', '/model/pyramid/*/b')


def add_options(systems):
    parser = systems.add_parser(
        'deeplab', help='semantic segmentation with DeepLab',
        description=f'Train DeepLab. As published: --backbone RESNET101 {PUBLISHED}. What is left out '
                    f'trains a small network on a CPU in minutes.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.set_defaults(train=train_deeplab)
    data = add_data_options(parser, 'voc', 'sbd')
    data.add_argument('--sbd', metavar='D',
                      help='folder of SBD, which has the classes of images that VOC has not marked')
    data.add_argument('--class-names', nargs='+', metavar='NAME',
                      help='of the classes from 1 on in label images of one\'s own')
    add_training_options(parser, iterations=1500, batch_size=8, lr=1e-3, schedule='poly')
    _add_model(parser.add_argument_group('the model'))
    _add_method(parser.add_argument_group('how it learns'))
    parser.only(OF_DRAWN, '--val-n')
    parser.only(with_any('--val-annotations'), '--val-images')
    parser.only(OF_LISTS, '--sbd', '--class-names')
    parser.only(without('--init'), '--backbone', '--blocks', '--width', '--pyramid')
    parser.only(without('--backbone'), '--blocks', '--width')


def _add_model(model):
    model.add_argument('--init', metavar='MODEL',
                       help='start from this DeepLab and its sizes; classes keep the weights of those '
                            'of the same name, and others start anew')
    model.add_argument('--backbone', metavar='MODEL',
                       help='start from the ResNet in this model file, which gives --blocks and '
                            '--width; click and mask-rcnn come with the package')
    model.add_argument('--blocks', type=int, nargs=STAGES, default=(2, 2, 3, 2), metavar='N',
                       help='blocks of the four stages; published: 3 4 23 3')
    model.add_argument('--width', type=int, default=16, help='channels of the stem; published: 64')
    model.add_argument('--pyramid', type=int, nargs='+', default=(6, 12, 18, 24), metavar='N',
                       help='dilations of the last layers')
    model.add_argument('--longest-side', type=int, default=None, metavar='PX',
                       help='images are shrunk to this when the model is used; 513, or as --init')
    model.add_argument('--half', action='store_true', help='save the model in half precision')


def _add_method(method):
    method.add_argument('--msc', action='store_true',
                        help='learn at the scales 1, 0.75 and 0.5 and at their maximum')
    method.add_argument('--fine-tune', action='store_true',
                        help='train the last layers only; the ResNet stays as it is')
    method.add_argument('--batch-norm', choices=('train', 'frozen'), default='train',
                        help='batch normalisation learns, or keeps its statistics, scales and shifts; '
                             'published: frozen')
    method.add_argument('--last-lr', type=float, nargs=2, default=(1.0, 1.0),
                        metavar=('WEIGHTS', 'BIASES'),
                        help='learning rates of the last layers in units of --lr; published: 10 20')
    method.add_argument('--crop', type=command_line.size_argument, default=(161, 161), metavar='HxW',
                        help='size of the samples; published: 321')
    method.add_argument('--random-scale', type=float, nargs=2, default=(0.5, 1.5),
                        metavar=('MIN', 'MAX'), help='images are scaled by a number of this range')
    method.add_argument('--mirror', type=float, default=0.5, metavar='P',
                        help='share of the samples that are mirrored')


def train_deeplab(options):
    dataset, validation = open_labels(options)
    model = make_model(options, dataset.class_names)
    chain = SemanticTrainChain(model, SCALES if options.msc else (1,),
                               frozen_norm=options.batch_norm == 'frozen',
                               last_layers=options.fine_tune)
    rates = {**dict(zip(LAST_LAYERS, options.last_lr)), **dict.fromkeys(chain.fixed, 0)}
    samples = SemanticSamples(options.crop, tuple(options.random_scale), options.mirror)
    result = run_training(
        options, chain, model, dataset, samples,
        functools.partial(evaluate_semantic, dataset=validation, per_class=False),
        best_metric=('validation/miou', 'max'), lr_multipliers=rates)
    if not options.quiet:
        figures = evaluate_semantic(load_model(result.best_model, options.device), validation)
        print(class_table(figures, validation.class_names))


def open_labels(options):
    """The data sets for training and for validation that the options name."""
    if options.dataset in DRAWN:
        pictures = max(1, options.iterations * options.batch_size)
        return tuple(map(SemanticDataset, draw_datasets(options, pictures)))
    if not options.annotations:
        raise DatasetError(f'--dataset {options.dataset} needs --annotations, and --images with a COCO '
                           f'JSON file.')
    open_files = functools.partial(open_semantic, sbd=options.sbd, class_names=options.class_names,
                                   **reading_options(options, options.annotations))
    dataset = open_files(options.annotations, options.images)
    if not options.val_annotations:
        return dataset, dataset
    validation = open_files(options.val_annotations, validation_images(options))
    check_classes(dataset, validation)
    return dataset, validation


def make_model(options, class_names):
    """The model of --init, or a new one, perhaps with the ResNet of --backbone."""
    model = _continue_model(options, class_names) if options.init else _new_model(options, class_names)
    model.class_names = tuple(class_names)
    return model


def _continue_model(options, class_names):
    source = load_model(options.init)
    if not isinstance(source, DeepLab):
        raise TrainingError(f'{options.init} holds a {type(source).__name__}, not a DeepLab; to start '
                            f'from its ResNet alone give --backbone.')
    longest_side = options.longest_side or source.longest_side
    model = DeepLab(**{**source.config, 'n_class': len(class_names), 'seed': options.seed,
                       'longest_side': longest_side})
    model.class_names = tuple(class_names)
    shared = start_by_names(source, model).shared
    log.info('The weights come from %s, those of %d of %d classes by name: %s', options.init,
             len(shared), len(class_names), listed(shared))
    return model


def _new_model(options, class_names):
    sizes = {'blocks': tuple(options.blocks), 'width': options.width}
    source = find_resnet(options.backbone) if options.backbone else None
    if source is not None:
        sizes = _sizes_of(source, options.backbone)
    model = DeepLab(len(class_names), pyramid=tuple(options.pyramid), seed=options.seed,
                    longest_side=options.longest_side or 513, **sizes)
    if source is not None:
        copy_resnet(source, model.resnet)
    return model


def _sizes_of(resnet, path):
    """What a DeepLab must be made with to begin with a ResNet."""
    if len(resnet.stage_names) != STAGES:
        raise TrainingError(f'The ResNet in {path} has {len(resnet.stage_names)} stages, DeepLab needs '
                            f'{STAGES}; choose a model with all of them, such as a converted ResNet.')
    return {'blocks': tuple(len(resnet[name]) for name in resnet.stage_names),
            'width': resnet.out_channels[0] // EXPANSION,
            'norm': 'affine' if isinstance(resnet.stem.norm, FrozenAffine) else 'batch'}
