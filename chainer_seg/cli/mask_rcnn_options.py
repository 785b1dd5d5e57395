"""The options of Mask R-CNN's training; many have the names of the Chainer implementation."""

import argparse

from chainer_seg import command_line
from chainer_seg.cli.training_options import OF_DRAWN
from chainer_seg.model_file import is_model_file
from chainer_seg.options import When, where, with_any, without

BLOCKS = {'resnet50': (3, 4, 6, 3), 'resnet101': (3, 4, 23, 3)}

# The stages that Detectron leaves as they come from ImageNet (TRAIN.FREEZE_AT 2).
PUBLISHED_FROZEN = 2

# The factor of the first updates, and of those after --lr-step, in the Chainer implementation.
FIRST_FACTOR, LAST_FACTOR = 0.1, 0.1


def add_network(net):
    net.add_argument('--pretrained', metavar='MODEL', default=None,
                     help='start from the ResNet in this model file, such as a converted '
                          'ResNet-50-model.caffemodel; imagenet stands for resnet50-detectron.npz or '
                          'resnet101-detectron.npz, as scripts/download.py says how to make them')
    net.add_argument('--init', metavar='MODEL',
                     help='start from this Mask R-CNN and its sizes; classes keep the weights of those '
                          'of the same name, and others start anew')
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


def add_samples(samples):
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


def add_run(run):
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


def resumes_model(options):
    """Whether --resume names a model file rather than a snapshot."""
    return options.resume not in (None, 'auto') and is_model_file(options.resume)


def restrict(parser):
    """Says where options apply."""
    parser.only(OF_DRAWN, '--val-n')
    parser.only(where('--dataset', 'coco2017'), '--coco-folder')
    parser.only(When('without --dataset coco2017, which has its files in --coco-folder',
                     lambda options: options.dataset != 'coco2017'),
                '--annotations', '--images', '--val-annotations', '--val-images')
    parser.only(with_any('--val-annotations'), '--val-images')
    parser.only(When('without a model file to --resume', lambda options: not resumes_model(options)),
                '--init')
    parser.only(When('to a new model, and not with --init or a model file to --resume',
                     lambda options: not options.init and not resumes_model(options)),
                '--pretrained', '--extractor', '--neck', '--blocks', '--width', '--stride-on',
                '--bn2affine', '--roialign', '--roi_size', '--fpn-channels', '--box-features',
                '--mask-channels', '--no-masks', '--keypoint-channels', '--anchor-sizes',
                '--canonical-size', '--test-side', '--test-proposals')
    parser.only(When('without --blocks, and with --pretrained only if that is imagenet',
                     lambda options: not options.blocks and options.pretrained in (None, 'imagenet')),
                '--extractor')
    parser.only(without('--pretrained'), '--blocks', '--width')
    parser.only(where('--neck', 'fpn'), '--fpn-channels', '--box-features', '--canonical-size')
    parser.only(with_any('--keypoints'), '--keypoint-channels')
    parser.only(When('without --no-masks', lambda options: options.with_masks),
                '--mask-channels', '--gamma')
    parser.only(where('--schedule', 'steps'), '--lr_step')
    parser.only(where('--optimizer', 'momentum'), '--momentum')
