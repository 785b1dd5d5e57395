"""python scripts/train.py mask-rcnn: boxes, masks and keypoints of objects."""

import argparse
import functools
import logging
import pathlib

from commands.training_options import add_data_options, find_resnet, open_datasets, run_training

from chainer_seg import command_line, training
from chainer_seg.errors import TrainingError
from chainer_seg.evaluation import evaluate_coco
from chainer_seg.links import BatchNorm, FrozenAffine, copy_resnet
from chainer_seg.links.resnet import EXPANSION
from chainer_seg.model_file import copy_matching, is_model_file, load_model
from chainer_seg.models.mask_rcnn import (
    DetectionSamples, MaskRCNN, MaskRCNNTrainChain, PolygonDataset, batch_samples)
from chainer_seg.models.mask_rcnn.train_chain import TRAINING_LIMITS

log = logging.getLogger(__name__)

BLOCKS = {'resnet50': (3, 4, 6, 3), 'resnet101': (3, 4, 23, 3)}

# The figures of a validation that are logged, for each kind of thing that the model finds.
EVALUATED = ('AP', 'AP50', 'AP75')

# The stages that Detectron leaves as they come from ImageNet (TRAIN.FREEZE_AT 2).
PUBLISHED_FROZEN = 2

# The factor of the first updates, and of those after --lr-step, in the Chainer implementation.
FIRST_FACTOR, LAST_FACTOR = 0.1, 0.1


def add_options(systems):
    parser = systems.add_parser(
        'mask-rcnn', help='instance segmentation and keypoints with Mask R-CNN',
        description='Train Mask R-CNN. Options of the Chainer implementation keep their names; what is '
                    'left out is as published.',
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.set_defaults(train=train_mask_rcnn)
    command_line.add_common_options(parser)
    parser.add_argument('--gpu', dest='device', metavar='N', type=_gpu, default=argparse.SUPPRESS,
                        help='as --device; -1 is the CPU')
    add_data_options(parser, 'coco2017')
    parser.add_argument('--coco-folder', metavar='D', default='coco2017',
                        help='where --dataset coco2017 finds annotations, train2017 and val2017')
    _add_network(parser.add_argument_group('the network'))
    _add_samples(parser.add_argument_group('the samples'))
    _add_run(parser.add_argument_group('the training'))


def _add_network(net):
    net.add_argument('--pretrained', metavar='MODEL', default=None,
                     help='start from the ResNet in this model file, such as a converted '
                          'ResNet-50-model.caffemodel or R-50.pkl of Detectron')
    net.add_argument('--init', metavar='MODEL',
                     help='start from this Mask R-CNN; what does not fit, such as other classes, '
                          'starts anew')
    net.add_argument('--extractor', choices=tuple(BLOCKS), default='resnet50')
    net.add_argument('--neck', choices=('c4', 'fpn'), default='c4',
                     help='last stage on each region, as in the Chainer implementation, or a feature '
                          'pyramid')
    net.add_argument('--blocks', type=int, nargs=4, metavar='N',
                     help='blocks of the four stages, in place of --extractor')
    net.add_argument('--width', type=int, default=64, help='channels of the stem')
    net.add_argument('--stride-on', choices=('1x1', '3x3'), default='1x1',
                     help='the convolution of a block that carries its stride')
    net.add_argument('--freeze_bn', '--freeze-bn', action='store_true',
                     help='batch normalisation keeps its statistics, scales and shifts')
    net.add_argument('--bn2affine', action='store_true',
                     help='batch normalisation becomes a fixed scale and shift')
    net.add_argument('--freeze-at', type=int, default=None, metavar='S',
                     help=f'the stem (1) and stages up to this are not trained; {PUBLISHED_FROZEN} '
                          f'with --pretrained, 0 without')
    net.add_argument('--roialign', action=argparse.BooleanOptionalAction, default=True,
                     help='RoIAlign; without it RoI pooling')
    net.add_argument('--roi_size', '--roi-size', type=command_line.count_argument, default=None,
                     help="side of a region's features; 14 with C4, 7 with FPN")
    net.add_argument('--fpn-channels', type=int, default=256)
    net.add_argument('--box-features', type=int, default=1024, help='units of the box head of FPN')
    net.add_argument('--mask-channels', type=int, default=256)
    net.add_argument('--no-masks', dest='with_masks', action='store_false', help='boxes only')
    net.add_argument('--keypoints', action='store_true', help='find keypoints, too; FPN only')
    net.add_argument('--keypoint-channels', type=int, default=512)
    net.add_argument('--anchor-sizes', type=float, nargs='+', default=(32, 64, 128, 256, 512),
                     metavar='PX', help="square roots of the anchors' areas")
    net.add_argument('--canonical-size', type=float, default=224, metavar='PX',
                     help='side of a region that FPN looks at with stride 16')
    net.add_argument('--half', action='store_true', help='save the model in half precision')


def _add_samples(samples):
    samples.add_argument('--min-side', type=int, nargs='+', default=(800,), metavar='PX',
                         help='the shorter side of a picture; of several, one is drawn each time')
    samples.add_argument('--max-side', type=int, default=1333, metavar='PX',
                         help='but the longer side has no more pixels')
    samples.add_argument('--test-side', type=int, default=None, metavar='PX',
                         help='the shorter side when the model is used; the largest of --min-side')
    samples.add_argument('--rpn-anchors', type=command_line.count_argument, default=256, metavar='N',
                         help='anchors of an image that are trained')
    samples.add_argument('--rois', type=command_line.count_argument, default=512, metavar='N',
                         help='regions of an image that are trained')
    samples.add_argument('--proposals', type=command_line.count_argument, nargs=2, default=None,
                         metavar=('BEFORE', 'AFTER'),
                         help='proposals of a level before suppression and in all, in training; '
                              '12000 2000 with C4, 2000 2000 with FPN')
    samples.add_argument('--test-proposals', type=command_line.count_argument, nargs=2, default=None,
                         metavar=('BEFORE', 'AFTER'),
                         help='the same when the model is used; 6000 1000 and 1000 1000')


def _add_run(run):
    run.add_argument('--out', default='out/mask-rcnn', metavar='DIR',
                     help='folder for all that is written')
    run.add_argument('--lr', type=float, default=1e-4, help='base learning rate; 0 trains nothing')
    run.add_argument('--optimizer', choices=('momentum', 'adam'), default='momentum')
    run.add_argument('--momentum', type=float, default=0.9)
    run.add_argument('--weight-decay', type=float, default=1e-4)
    run.add_argument('--schedule', choices=('steps', 'cosine', 'constant'), default='steps')
    run.add_argument('--lr_step', '--lr-step', type=int, nargs='+', default=(480000,), metavar='N',
                     help=f'updates after which --schedule steps multiplies the rate by {LAST_FACTOR}')
    run.add_argument('--lr_initialchange', '--warm-up', dest='warm_up', type=int, default=800,
                     metavar='N', help=f'the rate begins at {FIRST_FACTOR} of --lr and rises for so '
                                       f'many updates')
    run.add_argument('--gamma', type=float, default=1, help='weight of the loss of masks')
    run.add_argument('--batchsize', '--batch-size', dest='batch_size', type=int, default=8,
                     help='images of an update')
    run.add_argument('--subdivision', '--sub-batches', dest='sub_batches', type=int, default=1,
                     help='compute a batch in so many parts, for less memory')
    run.add_argument('--iteration', '--iterations', dest='iterations', type=int, default=800000,
                     help='number of updates')
    run.add_argument('--snapshot', '--snapshot-every', dest='snapshot_every', type=int, default=4000,
                     metavar='N', help='updates between snapshots')
    run.add_argument('--keep-last', type=int, default=3, help='number of snapshots kept')
    run.add_argument('--validation', '--validate-every', dest='evaluate_every', type=int,
                     default=30000, metavar='N', help='updates between validations')
    run.add_argument('--log-every', type=int, default=20, metavar='N')
    run.add_argument('--workers', type=int, default=None,
                     help='processes that load data; by the number of cores')
    run.add_argument('--resume', nargs='?', const='auto', default=None, metavar='SNAPSHOT',
                     help='go on from the newest snapshot in --out, or from this one; with --lr 0 '
                          '--iteration 1 --validation 1 a model file is evaluated')
    run.add_argument('--overwrite', action='store_true', help='replace a run in --out')


def train_mask_rcnn(options):
    if options.dataset == 'coco2017':
        _find_coco(options)
    dataset, validation = open_datasets(options, keypoints=options.keypoints or None)
    model = make_model(options, dataset)
    # Without a learning rate, running statistics stay, too: the model is only evaluated.
    chain = MaskRCNNTrainChain(
        model, options.gamma, options.rpn_anchors, options.rois, limits=_limits(options, model),
        freeze_bn=options.freeze_bn or options.lr == 0)
    samples = DetectionSamples(options.min_side, options.max_side)
    kind = 'keypoints' if model.keypoints else 'segm' if model.with_masks else 'bbox'
    run_training(
        options, chain, model, PolygonDataset(dataset), samples,
        functools.partial(evaluate, dataset=validation), (f'validation/{kind}/AP', 'max'),
        schedule=make_schedule(options), momentum=options.momentum,
        converter=functools.partial(batch_samples, multiple=model.size_multiple),
        evaluate_every=options.evaluate_every)


def make_schedule(options):
    """The schedule of the learning rate behind its warm-up."""
    after = {'steps': training.Steps(tuple(options.lr_step), LAST_FACTOR),
             'cosine': training.Cosine(), 'constant': training.Constant()}[options.schedule]
    return training.WarmUp(options.warm_up, then=after, start=FIRST_FACTOR)


def _find_coco(options):
    """The files of COCO 2017 in --coco-folder, under the names that COCO gives them."""
    folder = pathlib.Path(options.coco_folder)
    kind = 'person_keypoints' if options.keypoints else 'instances'
    options.annotations, options.val_annotations = (
        folder / 'annotations' / f'{kind}_{part}2017.json' for part in ('train', 'val'))
    options.images, options.val_images = folder / 'train2017', folder / 'val2017'


def make_model(options, dataset):
    """The model of --init or --resume, or a new one with the ResNet of --pretrained or from nowhere."""
    classes, keypoints = len(dataset.class_names), _keypoints(options, dataset)
    resumed = _resumed_model(options)
    if resumed:
        model = _resume_model(resumed, classes)
    elif options.init:
        model = _continue_model(options.init, classes, keypoints)
    else:
        model = _new_model(options, classes, keypoints)
    model.class_names = dataset.class_names
    freeze(options, model.extractor.resnet)
    return model


def _keypoints(options, dataset):
    """The number of keypoints of the objects, if they are asked for."""
    if not options.keypoints:
        return 0
    if options.neck != 'fpn' and not options.init and not options.resume:
        raise TrainingError('Keypoints need a feature pyramid; add --neck fpn.')
    instances = dataset[0][1]
    if instances.keypoints is None:
        raise TrainingError('The data set has no keypoints; leave --keypoints out or give a '
                            'person_keypoints file.')
    return instances.keypoints.shape[1]


def _resumed_model(options):
    """The path of --resume if that is a model file rather than a snapshot; it is no longer resumed."""
    if options.resume in (None, 'auto') or not is_model_file(options.resume):
        return None
    path, options.resume = options.resume, None
    return path


def _resume_model(path, classes):
    model = _load_mask_rcnn(path)
    if model.classes != classes:
        raise TrainingError(f'{path} knows {model.classes} classes, the data set has {classes}; give '
                            f'the data set that it was made for, or start from it by --init.')
    return model


def _load_mask_rcnn(path):
    model = load_model(path)
    if not isinstance(model, MaskRCNN):
        raise TrainingError(f'{path} holds a {type(model).__name__}, not a Mask R-CNN; to start from '
                            f'its ResNet alone give --pretrained.')
    return model


def _continue_model(path, classes, keypoints):
    """A model of the sizes in a file, with its weights as far as they fit."""
    source = _load_mask_rcnn(path)
    wanted = {**source.config, 'classes': classes, 'keypoints': keypoints}
    if wanted == source.config:
        return source
    model = MaskRCNN(**wanted)
    log.info('%d arrays of the model come from %s', copy_matching(source, model), path)
    return model


def _new_model(options, classes, keypoints):
    source = find_resnet(options.pretrained) if options.pretrained else None
    blocks, width = tuple(options.blocks or BLOCKS[options.extractor]), options.width
    norm, stem_width = 'batch', None
    if source is not None:
        blocks = tuple(len(source[name]) for name in source.stage_names)
        width, stem_width = source.out_channels[0] // EXPANSION, source.stem.conv.W.shape[0]
        if options.bn2affine or isinstance(source.stem.norm, FrozenAffine):
            norm = 'affine'
    elif options.bn2affine:
        raise TrainingError('--bn2affine takes over the batch normalisation of --pretrained; give that '
                            'or leave it out.')
    before, after = options.test_proposals or (None, None)
    model = MaskRCNN(
        classes=classes, neck=options.neck, blocks=blocks, width=width, stem_width=stem_width,
        norm=norm, stride_on=options.stride_on, fpn_channels=options.fpn_channels,
        box_features=options.box_features, mask_channels=options.mask_channels,
        with_masks=options.with_masks, keypoints=keypoints,
        keypoint_channels=options.keypoint_channels, anchor_sizes=tuple(options.anchor_sizes),
        min_side=options.test_side or max(options.min_side), max_side=options.max_side,
        roi_size=options.roi_size, pooling='align' if options.roialign else 'pool',
        canonical_size=options.canonical_size, proposals_before_nms=before, proposals=after,
        seed=options.seed)
    if source is not None:
        copy_resnet(source, model.extractor.resnet)
    return model


def freeze(options, resnet):
    """Takes the stem, stages and normalisation that the options name out of the training."""
    frozen = options.freeze_at
    if frozen is None:
        frozen = PUBLISHED_FROZEN if options.pretrained else 0
    for name in ('stem', *resnet.stage_names)[:frozen]:
        resnet[name].disable_update()
    if options.freeze_bn:
        for link in resnet.links():
            if isinstance(link, BatchNorm):
                link.disable_update()


def _limits(options, model):
    """How many proposals there are in training; as published where left out."""
    if options.proposals is None:
        return None
    return TRAINING_LIMITS[model.config['neck']]._replace(
        before_nms=options.proposals[0], after_nms=options.proposals[1])


def evaluate(model, dataset):
    """Average precision of boxes and of what else the model finds."""
    kinds = ['bbox'] + ['segm'] * model.with_masks + ['keypoints'] * bool(model.keypoints)
    figures = evaluate_coco(model, dataset, kinds=tuple(kinds))
    return {f'{kind}/{name}': figures[f'{kind}/{name}'] for kind in kinds for name in EVALUATED}


def _gpu(text):
    """The device that the Chainer implementation means by a number."""
    return 'cpu' if text == '-1' else text
