"""python scripts/train.py mask-rcnn: boxes, masks and keypoints of objects."""

import argparse
import functools
import logging
import pathlib

from chainer_seg.cli.mask_rcnn_options import (
    BLOCKS, FIRST_FACTOR, LAST_FACTOR, PUBLISHED_FROZEN, add_network, add_run, add_samples,
    restrict, resumes_model)
from chainer_seg.cli.training_options import (
    add_data_options, check_classes, find_resnet, open_datasets, run_training)

from chainer_seg import command_line, training
from chainer_seg.class_names import first_difference, listed
from chainer_seg.errors import TrainingError
from chainer_seg.evaluation import evaluate_coco
from chainer_seg.links import BatchNorm, FrozenAffine, copy_resnet
from chainer_seg.links.resnet import EXPANSION
from chainer_seg.model_file import load_model
from chainer_seg.models.class_transfer import class_labels, start_by_names
from chainer_seg.models.mask_rcnn import (
    DetectionSamples, MaskRCNN, MaskRCNNTrainChain, PolygonDataset, batch_samples)
from chainer_seg.models.mask_rcnn.train_chain import TRAINING_LIMITS
from chainer_seg.zoo import public_file

log = logging.getLogger(__name__)

# The published weights that --pretrained imagenet means, by their names in scripts/download.py.
IMAGENET = {'resnet50': 'detectron-r50', 'resnet101': 'detectron-r101'}

# The figures of a validation that are logged, for each kind of thing that the model finds.
EVALUATED = ('AP', 'AP50', 'AP75')


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
    parser.add_argument('--coco-folder', metavar='D', default='downloads/coco',
                        help='where --dataset coco2017 finds annotations, train2017 and val2017')
    add_network(parser.add_argument_group('the network'))
    add_samples(parser.add_argument_group('the samples'))
    add_run(parser.add_argument_group('the training'))
    restrict(parser)


def train_mask_rcnn(options):
    if options.dataset == 'coco2017':
        _find_coco(options)
    dataset, validation = open_datasets(options, keypoints=options.keypoints or None)
    check_classes(dataset, validation)
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
        category_ids=getattr(dataset, 'category_ids', None),  # What is drawn has none.
        schedule=make_schedule(options), momentum=options.momentum,
        converter=functools.partial(batch_samples, multiple=model.size_multiple),
        evaluate_every=options.evaluate_every, lr_multipliers=frozen(options, model.extractor.resnet))


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
    names, keypoints = tuple(dataset.class_names), _keypoints(options, dataset)
    resumed = _resumed_model(options)
    if resumed:
        return _resume_model(resumed, names)
    if options.init:
        return _continue_model(options.init, names, keypoints)
    model = _new_model(options, len(names), keypoints)
    model.class_names = names
    return model


def _keypoints(options, dataset):
    """The number of keypoints of the objects, if they are asked for."""
    if not options.keypoints:
        return 0
    instances = dataset[0][1]
    if instances.keypoints is None:
        raise TrainingError('The data set has no keypoints; leave --keypoints out or give a '
                            'person_keypoints file.')
    return instances.keypoints.shape[1]


def _resumed_model(options):
    """The path of --resume if that is a model file rather than a snapshot; it is no longer resumed."""
    if not resumes_model(options):
        return None
    path, options.resume = options.resume, None
    return path


def _resume_model(path, names):
    """The model of a file, with its classes in the order of the data set, which must have the same."""
    source = _load_mask_rcnn(path)
    model = _named_network(names, **{**source.config, 'classes': len(names)})
    if not len(class_labels(source, model)[0]) == source.classes == len(names):
        difference = first_difference(source.class_names or range(source.classes), names)
        raise TrainingError(f'{path} has other classes than the data set: {difference}; give the data '
                            f'set that it was made for, or start from it by --init.')
    start_by_names(source, model)
    return model


def _load_mask_rcnn(path):
    model = load_model(path)
    if not isinstance(model, MaskRCNN):
        raise TrainingError(f'{path} holds a {type(model).__name__}, not a Mask R-CNN; to start from '
                            f'its ResNet alone give --pretrained.')
    return model


def _continue_model(path, names, keypoints):
    """A model of the sizes in a file, with its weights as far as they fit; classes go by names."""
    source = _load_mask_rcnn(path)
    model = _named_network(names, **{**source.config, 'classes': len(names), 'keypoints': keypoints})
    started = start_by_names(source, model)
    log.info('%d arrays of the model come from %s, and the weights of %d of %d classes: %s',
             started.arrays, path, len(started.shared), len(names), listed(started.shared))
    return model


def _named_network(names, **config):
    model = _make_network(**config)
    model.class_names = names
    return model


def _new_model(options, classes, keypoints):
    source = find_resnet(_pretrained_path(options)) if options.pretrained else None
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
    model = _make_network(
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


def _make_network(**config):
    if config['keypoints'] and config['neck'] != 'fpn':
        raise TrainingError('Keypoints need a feature pyramid; add --neck fpn.')
    try:
        return MaskRCNN(**config)
    except ValueError as error:
        raise TrainingError(f'There is no Mask R-CNN of these sizes: {error}.') from error


def _pretrained_path(options):
    """The model file that --pretrained means."""
    if options.pretrained != 'imagenet':
        return options.pretrained
    published = public_file('weights', IMAGENET[options.extractor])
    path = pathlib.Path(f'{options.extractor}-detectron.npz')
    if not path.exists():
        making = published.use.format(path=f'downloads/weights/{published.file}')
        raise TrainingError(f'There is no {path} here; make it by python scripts/download.py weights '
                            f'{IMAGENET[options.extractor]} and {making}.')
    return path


def frozen(options, resnet):
    """The parameters that are not trained, as rates of 0 for patterns of their paths."""
    stages = options.freeze_at
    if stages is None:
        stages = PUBLISHED_FROZEN if options.pretrained else 0
    root = '/model/extractor/resnet'
    patterns = [f'{root}/{name}/*' for name in ('stem', *resnet.stage_names)[:stages]]
    if options.freeze_bn and isinstance(resnet.stem.norm, BatchNorm):
        patterns += [f'{root}/*/gamma', f'{root}/*/beta']
    return dict.fromkeys(patterns, 0)


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
