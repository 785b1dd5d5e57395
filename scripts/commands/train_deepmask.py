"""python scripts/train.py deepmask and sharpmask: object proposals with masks."""

import argparse
import functools

from chainer_seg.cli.training_options import (
    OF_DRAWN, add_data_options, find_resnet, make_schedule, open_indices, run_training)

from chainer_seg import command_line, training
from chainer_seg.errors import TrainingError
from chainer_seg.evaluation import evaluate_patches
from chainer_seg.links import copy_resnet
from chainer_seg.model_file import load_model
from chainer_seg.models.deepmask import (
    DeepMask, DeepMaskTrainChain, PatchSamples, SharpMask, SharpMaskTrainChain)
from chainer_seg.models.deepmask.model import STEPS
from chainer_seg.models.deepmask.samples import NUMBERS, stack_patches
from chainer_seg.models.deepmask.train_chain import begin_at_prior
from chainer_seg.models.deepmask.trunk import STRIDE
from chainer_seg.options import When, where, with_any, without

# The published rates: to epoch 50, to epoch 120 (DeepMask) or 80 (SharpMask), and from there on.
PUBLISHED_LR = 1e-3
FIRST_DROP = (50, 0.5)
SECOND_DROP = {'deepmask': (120, 0.2), 'sharpmask': (80, 0.2)}

VALIDATED_EPOCHS = 2  # Torch validates after every second epoch.


def add_options(systems):
    deepmask = _add_system(systems, 'deepmask', 'DeepMask: object proposals with masks',
                           momentum=0.9, weight_decay=5e-4, score_share=0.5)
    net = deepmask.add_argument_group('the network')
    net.add_argument('--trunk', metavar='MODEL',
                     help='start from the ResNet in this model file, such as a converted '
                          'resnet-50.t7, and its sizes')
    net.add_argument('--scratch', action='store_true', help='start from random weights')
    net.add_argument('--iSz', type=int, default=160, help='side of the window of a mask')
    net.add_argument('--oSz', type=int, default=56, help='side of the predicted mask')
    net.add_argument('--gSz', type=int, default=112, help='side of the true masks')
    net.add_argument('--blocks', type=int, nargs=3, default=(3, 4, 6), metavar='N',
                     help='blocks of the three stages')
    net.add_argument('--width', type=int, default=64, help='channels of the stem')
    net.add_argument('--norm', choices=('affine', 'batch'), default=None,
                     help='fixed scale and shift, or batch normalisation; affine with --trunk, '
                          'batch with --scratch')
    net.add_argument('--bottleneck', type=int, default=128, help='channels behind the last stage')
    net.add_argument('--features', type=int, default=512, help='length of the feature vector')
    net.add_argument('--hidden', type=int, default=1024, help='hidden units of the score')
    deepmask.only(without('--trunk'), '--blocks', '--width')
    deepmask.set_defaults(train=train_deepmask)

    sharpmask = _add_system(systems, 'sharpmask', 'SharpMask: refines the masks of a DeepMask',
                            momentum=0.0, weight_decay=0.0, score_share=0.0)
    net = sharpmask.add_argument_group('the network')
    net.add_argument('--dm', metavar='MODEL', required=True,
                     help='the trained DeepMask whose trunk and score are taken over')
    net.add_argument('--km', type=int, default=32, help='channels of the coarse mask')
    net.add_argument('--ks', type=int, default=None,
                     help='channels of the skip connections before they are halved; equal to --km')
    net.add_argument('--skip-channels', type=int, default=64,
                     help='channels of the first convolution of a skip connection')
    sharpmask.set_defaults(train=train_sharpmask)


def _add_system(systems, name, description, momentum, weight_decay, score_share):
    """A parser with the options that both systems have, under the names of Torch's train.lua."""
    parser = systems.add_parser(name, help=description, description=f'Train {description}.',
                                formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    command_line.add_common_options(parser)
    add_data_options(parser)
    parser.add_argument('--pictures', type=int, default=2000, metavar='N',
                        help='number of drawn pictures to train on')
    samples = parser.add_argument_group('the samples')
    samples.add_argument('--shift', type=float, default=16, help='largest shift of an object in pixels')
    samples.add_argument('--scale', type=float, default=0.25,
                         help='objects are larger or smaller by up to 2 to this')
    samples.add_argument('--hfreq', type=float, default=score_share,
                         help='share of the batches that train the score')
    run = parser.add_argument_group('the training')
    run.add_argument('--out', '--rundir', required=True, metavar='DIR',
                     help='folder for all that is written')
    run.add_argument('--batch', dest='batch_size', type=int, default=32, help='samples per update')
    run.add_argument('--maxload', type=int, default=4000, help='updates of an epoch')
    run.add_argument('--testmaxload', type=int, default=500, help='batches of a validation')
    run.add_argument('--maxepoch', type=int, default=300, help='number of epochs')
    run.add_argument('--lr', type=float, default=0, help='learning rate; 0 takes the published '
                     'schedule: 1e-3, then 5e-4 from epoch 50, 1e-4 from epoch '
                     f'{SECOND_DROP[name][0]}')
    run.add_argument('--schedule', choices=('constant', 'cosine', 'poly'), default='constant',
                     help='of a learning rate that is given')
    run.add_argument('--warm-up', type=int, default=0,
                     help='updates of linear warm-up to a learning rate that is given')
    run.add_argument('--optimizer', choices=('momentum', 'adam'), default='momentum')
    run.add_argument('--momentum', type=float, default=momentum)
    run.add_argument('--wd', dest='weight_decay', type=float, default=weight_decay,
                     help='weight decay')
    run.add_argument('--mask-weight', type=float, default=None,
                     help='the loss of masks counts so many times; published: --batch times')
    run.add_argument('--sub-batches', type=int, default=1,
                     help='compute a batch in so many parts, for less memory')
    run.add_argument('--nthreads', '--workers', dest='workers', type=int, default=None,
                     help='processes that load data; by the number of cores')
    run.add_argument('--reload', '--resume', dest='resume', nargs='?', const='auto', default=None,
                     metavar='SNAPSHOT',
                     help='go on from the newest snapshot in --out, or from this one')
    run.add_argument('--snapshot-every', type=int, default=None, metavar='N',
                     help='updates between snapshots; an epoch')
    run.add_argument('--keep-last', type=int, default=3, help='number of snapshots kept')
    run.add_argument('--log-every', type=int, default=20, metavar='N')
    run.add_argument('--overwrite', action='store_true', help='replace a run in --out')
    run.add_argument('--half', action='store_true', help='save the model in half precision')
    parser.only(OF_DRAWN, '--pictures', '--val-n')
    parser.only(with_any('--val-annotations'), '--val-images')
    parser.only(When('with an --lr above 0', lambda options: options.lr), '--schedule', '--warm-up')
    parser.only(where('--optimizer', 'momentum'), '--momentum')
    return parser


def train_deepmask(options):
    model = make_deepmask(options)
    _train(options, model, DeepMaskTrainChain(model, _mask_weight(options)))


def train_sharpmask(options):
    if options.hfreq:
        raise TrainingError('SharpMask takes the score of its DeepMask over; leave --hfreq out.')
    model = make_sharpmask(options)
    _train(options, model, SharpMaskTrainChain(model, _mask_weight(options)))


def make_deepmask(options):
    """A new DeepMask whose trunk comes from --trunk or, with --scratch, from nowhere."""
    if bool(options.trunk) == options.scratch:
        raise TrainingError('Give either --trunk, a model file with a ResNet to start from, or '
                            '--scratch.')
    source = find_resnet(options.trunk) if options.trunk else None
    blocks, width = tuple(options.blocks), options.width
    if source is not None:
        blocks = tuple(len(source[name]) for name in source.stage_names[:3])
        width = source.stem.conv.W.shape[0]
    if options.iSz % STRIDE:
        raise TrainingError(f'--iSz is {options.iSz}; give a multiple of {STRIDE}.')
    norm = options.norm or ('batch' if source is None else 'affine')
    model = DeepMask(options.iSz, options.oSz, options.gSz, blocks, width, norm,
                     options.bottleneck, options.features, options.hidden, seed=options.seed)
    if source is not None:
        copy_resnet(source, model.trunk.resnet)
    return model


def make_sharpmask(options):
    """A SharpMask with the trunk, the score and the coarse masks of --dm, and a new refinement."""
    deepmask = load_model(options.dm)
    if not isinstance(deepmask, DeepMask):
        raise TrainingError(f'{options.dm} holds a {type(deepmask).__name__}; --dm needs a trained '
                            f'DeepMask.')
    if options.ks not in (None, options.km):
        raise TrainingError(f'--km is {options.km} and --ks {options.ks}, but the maps of both are '
                            f'added; give one number for both.')
    if options.km % 2 ** STEPS:
        raise TrainingError(f'--km is {options.km}; give a multiple of {2 ** STEPS}.')
    config = {name: value for name, value in deepmask.config.items() if name != 'target_size'}
    model = SharpMask(**{**config, 'mask_channels': options.km,
                         'skip_channels': options.skip_channels, 'seed': options.seed})
    for name in ('trunk', 'score', 'mask'):
        model[name].copyparams(deepmask[name])
    begin_at_prior(model.refine)
    return model


def _mask_weight(options):
    return options.batch_size if options.mask_weight is None else options.mask_weight


def _train(options, model, train_chain):
    options.iterations = options.maxload * options.maxepoch
    options.snapshot_every = options.snapshot_every or options.maxload
    training_set, validation_set = open_indices(options)
    samples = PatchSamples(training_set, model.patch_size, model.target_size, options.shift,
                           options.scale, options.hfreq, options.batch_size, options.seed)
    evaluator = functools.partial(
        evaluate_patches, dataset=validation_set, n=options.testmaxload * options.batch_size,
        shift=options.shift, scale=options.scale)
    schedule = make_schedule(options)
    if not options.lr:
        options.lr, schedule = PUBLISHED_LR, published_schedule(options)
    run_training(options, train_chain, model, NUMBERS, samples, evaluator,
                 best_metric=('validation/iou@0.7', 'max'), schedule=schedule, shuffle=False,
                 momentum=options.momentum, converter=stack_patches,
                 evaluate_every=VALIDATED_EPOCHS * options.maxload)


def published_schedule(options):
    """Half of the rate from epoch 50, a tenth from epoch 120 or 80."""
    drops = (FIRST_DROP, SECOND_DROP[options.system])
    first, second = (training.Steps((epoch * options.maxload,), factor) for epoch, factor in drops)
    return first * second
