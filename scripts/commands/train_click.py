"""python scripts/train.py click: click segmentation."""

import argparse
import logging

from chainer_seg.cli.sampling_options import SAMPLING_FLAGS, add_sampling_options, chosen_sampling
from commands.train_click_files import (
    CLICK_FILES, add_file_options, frozen_norm, run_length, take_published, train_on_files)
from chainer_seg.cli.training_options import (
    DRAWN, OF_FILES, add_data_options, add_training_options, find_resnet, open_datasets, run_training)

from chainer_seg import command_line
from chainer_seg.errors import TrainingError
from chainer_seg.evaluation import evaluate_clicks
from chainer_seg.evaluation.clicks import LEAST_AREA
from chainer_seg.links import copy_resnet
from chainer_seg.model_file import copy_matching, load_model
from chainer_seg.models.deeplab import ClickSamples, ClickSegmenter, ClickTrainChain
from chainer_seg.models.deeplab.sampling import SAMPLINGS
from chainer_seg.models.deeplab.segmenter import CLICK_ENCODINGS
from chainer_seg.options import When, where, with_any, without

log = logging.getLogger(__name__)

# Drawn objects below this fraction of the picture are not clicked on: 32x32 of 256x256 pixels.
LEAST_DRAWN_FRACTION = 64

COLOURS = 3  # inputs of a network before those that say where the clicks are

# The parameters that the TensorFlow implementation calls conv1 and fc.
ENDS = ('/model/net/resnet/stem/conv/*', '/model/net/pyramid/*')


def add_options(systems):
    click = systems.add_parser(
        'click', help='click segmentation', description='Train click segmentation.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    click.set_defaults(train=train_click)
    add_data_options(click, CLICK_FILES)
    add_file_options(click)
    add_training_options(click, iterations=2000, batch_size=8, lr=1e-3)
    click.add_argument('--epochs', type=float, default=None, metavar='N',
                       help='passes over a data set of files, in place of --iterations')
    model = click.add_argument_group('the model')
    model.add_argument('--init', metavar='MODEL', help='start from this model file and its sizes')
    model.add_argument('--init-trunk', metavar='MODEL',
                       help='start a new model from those weights of this one that fit')
    model.add_argument('--backbone', metavar='MODEL',
                       help='a model whose ResNet a new model starts from; the convolutions of '
                            'the clicks start at zero')
    model.add_argument('--blocks', type=int, nargs=4, default=(2, 2, 3, 2), metavar='N',
                       help='blocks of the four stages; 3 4 23 3 is ResNet-101')
    model.add_argument('--width', type=int, default=16, help='channels of the stem; published: 64')
    model.add_argument('--longest-side', type=int, default=None, metavar='PX',
                       help='images are shrunk to this when the model is used; 256, or as --init')
    model.add_argument('--zoom-side', type=int, default=None, metavar='PX',
                       help='look closer from the second click on, at this size')
    model.add_argument('--click-scale', type=float, default=None,
                       help='distances are multiplied by this; 1, or as --init; TensorFlow code: 6')
    model.add_argument('--click-mean', type=float, default=None,
                       help='subtracted from the click maps; 0, or as --init; TensorFlow code: 131')
    model.add_argument('--click-encoding', choices=CLICK_ENCODINGS, default=None,
                       help='distances to the clicks or disks around them; distance, or as --init')
    model.add_argument('--click-radius', type=float, default=None, metavar='PX',
                       help='of the disks; 5, or as --init')
    model.add_argument('--mask-input', action='store_true',
                       help='show the network what it found before the last click')
    model.add_argument('--decoder', type=int, default=None, metavar='N',
                       help='sharpen details with a decoder of this width')
    model.add_argument('--half', action='store_true', help='save the model in half precision')
    samples = click.add_argument_group('the samples')
    samples.add_argument('--crop', type=command_line.size_argument, default=(192, 192),
                         metavar='HxW', help='size of the samples')
    samples.add_argument('--object-scale', type=float, nargs=2, default=(1.2, 4.0),
                         metavar=('MIN', 'MAX'), help='side of a sample in sides of its object')
    samples.add_argument('--whole-images', action='store_true',
                         help='resize whole images to --crop in place of cropping; as the '
                              'TensorFlow code does, to 321')
    samples.add_argument('--sampling', choices=('few', *SAMPLINGS), default='few',
                         help='how clicks are drawn: few of them anywhere, or as in the paper or '
                              'in the TensorFlow code')
    samples.add_argument('--max-positive', type=int, default=5,
                         help='most positive clicks of --sampling few')
    samples.add_argument('--max-negative', type=int, default=5,
                         help='most negative clicks of --sampling few')
    samples.add_argument('--simulated-clicks', '--robot-clicks', type=int, default=0, metavar='N',
                         help='a robot user adds up to so many clicks to what the model finds')
    samples.add_argument('--start-masks', type=float, default=0.0, metavar='P',
                         help='share of these samples that begin with a wrong mask')
    samples.add_argument('--composites', type=float, default=0.0, metavar='P',
                         help='share of the samples whose object is put together of neighbours')
    add_sampling_options(click)
    loss = click.add_argument_group('the loss')
    loss.add_argument('--jaccard-weight', type=float, default=0.0,
                      help='weight of the soft Jaccard loss beside the cross entropy')
    loss.add_argument('--positive-weight', type=float, default=1.0,
                      help='weight of the pixels of the object; TensorFlow code: 5')
    loss.add_argument('--loss-scale', type=float, default=1.0,
                      help='the mean cross entropy is multiplied by this; TensorFlow code: 20')
    loss.add_argument('--ends-lr', type=float, default=1.0, metavar='FACTOR',
                      help='learning rate of the first convolution and of the pyramid at the '
                           'end, in units of --lr; TensorFlow code: 5')
    loss.add_argument('--freeze-bn', action=argparse.BooleanOptionalAction, default=False,
                      help='batch normalisation uses its running statistics and learns nothing, as in '
                           'the TensorFlow code')
    restrict(click)


def restrict(click):
    """Says where options apply."""
    click.settle(take_published)
    click.only(where('--dataset', CLICK_FILES), '--list', '--data', '--val-list')
    click.only(When('without --dataset click-files', lambda options: options.dataset != CLICK_FILES),
               '--annotations', '--val-annotations', '--object-scale', '--whole-images', '--sampling',
               '--robot-clicks', '--start-masks', '--composites', '--jaccard-weight', *SAMPLING_FLAGS)
    click.only(with_any('--val-annotations', '--val-list'), '--val-images')
    click.only(OF_FILES, '--epochs')
    click.only(without('--epochs'), '--iterations')
    click.only(without('--init'), '--init-trunk', '--backbone', '--blocks', '--width', '--mask-input',
               '--decoder')
    click.only(without('--whole-images'), '--object-scale')
    click.only(where('--sampling', 'few'), '--max-positive', '--max-negative')


def train_click(options):
    sampling = chosen_sampling(options)
    if options.dataset == CLICK_FILES:
        model = make_click_model(options)
        train_on_files(options, model, rates(options, model))
        return
    dataset, validation = open_datasets(options)
    model = make_click_model(options)
    samples = ClickSamples(options.crop, tuple(options.object_scale), options.max_positive,
                           options.max_negative, simulated_clicks=options.simulated_clicks,
                           start_masks=options.start_masks,
                           composites=options.composites, sampling=sampling,
                           whole_images=options.whole_images)
    least_area, most = LEAST_AREA, 2 * options.val_n
    if options.dataset == 'shapes':
        least_area = options.size[0] * options.size[1] // LEAST_DRAWN_FRACTION

    def mean_ious(model):
        figures = evaluate_clicks(model, validation, least_area=least_area,
                                  max_objects=most)
        return {name: value for name, value in figures.items() if name != 'objects'}

    chain = ClickTrainChain(model, options.positive_weight, options.jaccard_weight,
                            options.loss_scale, options.freeze_bn)
    # Drawn pictures have no end, so there are no epochs of them.
    length = {} if options.dataset in DRAWN else run_length(options)
    run_training(options, chain, model, dataset, samples, mean_ious,
                 best_metric=('validation/iou@3', 'max'), lr_multipliers=rates(options, model),
                 **length)


def rates(options, model):
    """The learning rates of parameters that have their own, by patterns of their paths."""
    return {**dict.fromkeys(ENDS, options.ends_lr), **frozen_norm(options, model)}


def make_click_model(options):
    """The model of --init, or a new one of the sizes that the options give."""
    model = load_model(options.init) if options.init else new_click_model(options)
    if options.start_masks and not model.mask_input:
        raise TrainingError('--start-masks shows the network a mask, and this one takes none; add '
                            '--mask-input, or leave it out.')
    for name in ('longest_side', 'zoom_side', 'click_scale', 'click_mean', 'click_encoding',
                 'click_radius'):
        if getattr(options, name) is not None:
            setattr(model, name, getattr(options, name))
            model.config[name] = getattr(options, name)
    useless = {'distance': 'click_radius', 'disk': 'click_scale'}[model.click_encoding]
    if getattr(options, useless) is not None and not options.as_tensorflow:
        raise TrainingError(f'--{useless.replace("_", "-")} changes nothing for clicks that are encoded '
                            f'as {model.click_encoding}; leave it out or change --click-encoding.')
    return model


def new_click_model(options):
    model = ClickSegmenter(
        longest_side=256, mask_input=options.mask_input, decoder=options.decoder,
        blocks=tuple(options.blocks), width=options.width, seed=options.seed)
    if options.init_trunk:
        copied = copy_matching(load_model(options.init_trunk), model)
        log.info('%d arrays of the model come from %s', copied, options.init_trunk)
    if options.backbone:
        start_backbone(find_resnet(options.backbone), model.net.resnet)
        log.info('the ResNet comes from %s', options.backbone)
    return model


def start_backbone(source, resnet):
    """Copies a ResNet, and lets all inputs of the new one but the colours count for nothing at first."""
    copy_resnet(source, resnet)
    resnet.stem.conv.W.array[:, COLOURS:] = 0
