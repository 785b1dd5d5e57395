"""Mask R-CNN and Faster R-CNN as Detectron saves them, and the ResNets that it starts from.

Sizes are read from the shapes of the blobs, test-time settings from the configuration beside them.
Which blob goes where, with <n> the number of a block; group normalisation has _gn for _bn::

    Detectron                              parameters of MaskRCNN
    conv1, res_conv1_bn                    extractor/resnet/stem/{conv, norm}
    res<s>_<n>_branch2a, 2b, 2c, branch1   extractor/resnet/res<s>/<n>/{reduce, middle, expand, shortcut}
    fpn_inner_*, fpn_res*                  extractor/pyramid/{lateral, output}/<level>
    conv_rpn, rpn_cls_logits               rpn/{conv, objectness}
    rpn_bbox_pred                          rpn/deltas            x, y, w, h there, y, x, h, w here
    fc6, fc7, cls_score                    box/{fc6, fc7, logits}
    head_conv<i>                           box/convs/<i - 1>
    bbox_pred                              box/deltas            x, y, w, h there, y, x, h, w here
    _[mask]_fcn<i>, _mask_fcn<i>           mask/convs/<i - 1>   the second with group normalisation
    conv5_mask                             mask/upsample
    mask_fcn_logits                        mask/logits
    conv_fcn<i>, kps_score_lowres          keypoint/{convs/<i - 1>, upsample}
"""

import math
import re
from typing import Any

import chainer
import numpy as np

from chainer_seg.links import ResNet
from chainer_seg.models.classifier import ResNetClassifier
from chainer_seg.models.mask_rcnn import MaskRCNN
from chainer_seg.models.mask_rcnn.extractors import FINEST_LEVEL
from chainer_seg.published_classes import COCO_NAMES, PASCAL_NAMES
from converters import detectron_settings
from converters.class_names import class_names
from converters.detectron_blobs import Blobs
from converters.formats.detectron import DetectronFile
from converters.resnet_sizes import bottleneck_sizes, count_resnet, out_width_of
from converters.weight_mapping import WeightMapping

DETECTOR, CLASSIFIER = 'Mask R-CNN of Detectron', 'ResNet of Detectron'

_BRANCHES = {'branch1': 'shortcut', 'branch2a': 'reduce', 'branch2b': 'middle', 'branch2c': 'expand'}
_BOX_CONVOLUTION = re.compile(r'head_conv\d+_w')
_BLOCK = re.compile(r'res(\d)_(\d+)_branch2a_w')


def find_arrays(tree: DetectronFile) -> dict[str, np.ndarray]:
    """The arrays of a file by name."""
    return tree['blobs']


def describe(tree: DetectronFile) -> str:
    """A short description of a file, for errors."""
    return f'{len(tree["blobs"])} blobs without those of a ResNet'


def recognise(tree: DetectronFile) -> str | None:
    """The name of the network in a tree; None if this module does not recognise it."""
    blobs = tree['blobs']
    if 'conv1_w' not in blobs or 'res2_0_branch2a_w' not in blobs:
        return None
    heads = ('cls_score_w', 'conv_rpn_w', 'conv_rpn_fpn2_w', 'retnet_cls_conv_n0_fpn3_w')
    return DETECTOR if any(name in blobs for name in heads) else CLASSIFIER


def build(tree: DetectronFile, mapping: WeightMapping, config: dict[str, Any]) -> MaskRCNN | ResNetClassifier:
    """The model of a file: a MaskRCNN, or a ResNetClassifier for weights pretrained on ImageNet.

    Args:
        tree: As returned by the reader of the format.
        mapping: The :class:`~converters.weight_mapping.WeightMapping` of its arrays.
        config: Arguments of the class that override those found in the file; for a MaskRCNN
            also ``class_names``.
    """
    config = dict(config)
    blobs = Blobs(tree['blobs'], mapping)
    if recognise(tree) == CLASSIFIER:
        return _build_classifier(blobs, config)
    return _build_detector(blobs, tree['cfg'], config)


def _build_classifier(blobs: Blobs, config: dict[str, Any]) -> ResNetClassifier:
    arguments = {**_resnet_arguments(blobs), 'n_class': blobs.shape('fc1000_w', 2)[0], **config}
    blobs.check_size(count_resnet(arguments) + np.size(blobs.arrays['fc1000_w']))
    model = blobs.mapping.make(ResNetClassifier, arguments)
    _fill_resnet(model.resnet, blobs)
    blobs.fill(model.logits, 'fc1000')
    blobs.skip_leftovers()
    return model


def _build_detector(blobs: Blobs, cfg: dict[str, Any] | None, config: dict[str, Any]) -> MaskRCNN:
    _check_kind(blobs)
    arguments = _arguments(blobs)
    if cfg is None:
        blobs.mapping.assume("Detectron's published test settings, because it has no configuration")
    arguments.update(detectron_settings.arguments(cfg, arguments, blobs.mapping))
    names = config.pop('class_names', None)
    arguments.update(config)
    blobs.check_size(_count(arguments))
    model = blobs.mapping.make(MaskRCNN, arguments, 'class_names')
    known = (PASCAL_NAMES, "Pascal VOC's") if model.classes == len(PASCAL_NAMES) else (
        COCO_NAMES[:1] if model.keypoints and model.classes == 1 else COCO_NAMES, "COCO's")
    model.class_names = class_names(names, model.classes, blobs.mapping, *known)
    _fill_resnet(model.extractor.resnet, blobs)
    if arguments['neck'] == 'fpn':
        _fill_pyramid(model, blobs)
    _fill_heads(model, blobs)
    blobs.skip_leftovers()
    return model


def _check_kind(blobs: Blobs) -> None:
    """Refuses Detectron's unsupported networks with specific errors."""
    if 'retnet_cls_conv_n0_fpn3_w' in blobs:
        blobs.mapping.fail('it contains a RetinaNet; only Mask R-CNN and Faster R-CNN are supported')
    if 'cls_score_w' not in blobs:
        blobs.mapping.fail('it contains only a region proposal network, without a detector; only '
                           'Mask R-CNN and Faster R-CNN are supported')
    if 'conv_rpn_w' not in blobs and 'conv_rpn_fpn2_w' not in blobs:
        blobs.mapping.fail('it contains a Fast R-CNN, which needs external proposals; only Mask R-CNN '
                           'and Faster R-CNN, which compute their own, are supported')


def _arguments(blobs: Blobs) -> dict[str, Any]:
    """The arguments of a MaskRCNN that the shapes of the blobs determine."""
    neck = 'fpn' if 'conv_rpn_fpn2_w' in blobs else 'c4'
    found = {**_resnet_arguments(blobs), 'neck': neck,
             'classes': blobs.shape('cls_score_w', 2)[0] - 1,
             'with_masks': 'mask_fcn_logits_w' in blobs, 'keypoints': 0}
    if found['with_masks']:
        found['mask_channels'] = blobs.shape('conv5_mask_w', 4)[1]
    if 'kps_score_lowres_w' in blobs:
        found['keypoint_channels'], found['keypoints'] = blobs.shape('kps_score_lowres_w', 4)[:2]
    if neck == 'fpn':
        channels = blobs.shape('conv_rpn_fpn2_w', 4)[0]
        hidden, inputs = blobs.shape('fc6_w', 2)
        found.update(fpn_channels=channels, box_features=hidden, **_box_convolutions(blobs))
        found['roi_size'] = _side(inputs, found.get('box_channels', channels), blobs.mapping)
        if any(name.startswith('fpn_inner_') and name.endswith('_gn_s') for name in blobs.arrays):
            found['group_heads'] = True
    return found


def _box_convolutions(blobs: Blobs) -> dict[str, Any]:
    """The convolutions of a box head that has some."""
    count = sum(_BOX_CONVOLUTION.fullmatch(name) is not None for name in blobs.arrays)
    return {'box_convolutions': count, 'box_channels': blobs.shape('head_conv1_w', 4)[0]} if count else {}


def _count(arguments: dict[str, Any]) -> int:
    """The number of weights of a detector, without building it and without its smaller layers."""
    stage = out_width_of(arguments) * 2 ** (len(arguments['blocks']) - 1)
    count = count_resnet(arguments)
    features = stage
    if arguments['neck'] == 'fpn':
        features, hidden = arguments['fpn_channels'], arguments['box_features']
        count += stage * features + 10 * features ** 2
        convolved = arguments.get('box_channels')
        count += hidden * ((convolved or features) * arguments['roi_size'] ** 2
                           + (0 if convolved else hidden))
        features = hidden
    count += features * 5 * (arguments['classes'] + 1)
    channels = arguments.get('mask_channels', 0)
    count += channels * (arguments['classes'] + 1 + (37 * channels if arguments['neck'] == 'fpn' else 0))
    return count + 64 * arguments.get('keypoint_channels', 0) ** 2


def _side(inputs: int, channels: int, mapping: WeightMapping) -> int:
    side = math.isqrt(inputs // channels)
    if side == 0 or side * side * channels != inputs:
        mapping.fail(f'fc6_w takes {inputs} values, expected a square of {channels} channels')
    return side


def _resnet_arguments(blobs: Blobs) -> dict[str, Any]:
    blocks: dict[int, int] = {}
    for match in filter(None, map(_BLOCK.fullmatch, blobs.arrays)):
        blocks[int(match[1])] = max(blocks.get(int(match[1]), 0), int(match[2]) + 1)
    stages = sorted(blocks)
    if stages != list(range(2, 6)):
        blobs.mapping.fail(f'its ResNet has the stages {stages}, expected 2 to 5')
    sizes = bottleneck_sizes(blobs.mapping, *(blobs.shape(f'{name}_w', 4) for name in (
        'conv1', 'res2_0_branch2b', 'res2_0_branch2c')))
    norm = 'group' if 'conv1_gn_s' in blobs else 'affine'
    return {'blocks': [blocks[stage] for stage in stages], 'norm': norm, **sizes}


def _fill_resnet(resnet: ResNet, blobs: Blobs) -> None:
    blobs.fill_conv_norm(resnet.stem, 'conv1', 'res_conv1_bn')
    for stage in resnet.stage_names:
        for number, block in enumerate(resnet[stage]):
            for branch, name in _BRANCHES.items():
                if name != 'shortcut' or block.projects:
                    blobs.fill_conv_norm(block[name], f'{stage}_{number}_{branch}')


def _fill_pyramid(model: MaskRCNN, blobs: Blobs) -> None:
    pyramid, stages = model.extractor.pyramid, model.config['blocks']
    for i, blocks in enumerate(stages):
        output = f'res{FINEST_LEVEL + i}_{blocks - 1}_sum'
        suffix = '_lateral' if i < len(stages) - 1 else ''
        blobs.fill(pyramid.lateral[i], f'fpn_inner_{output}{suffix}')
        blobs.fill(pyramid.output[i], f'fpn_{output}')


def _fill_heads(model: MaskRCNN, blobs: Blobs) -> None:
    suffix = '_fpn2' if model.config['neck'] == 'fpn' else ''
    blobs.fill(model.rpn.conv, f'conv_rpn{suffix}')
    blobs.fill(model.rpn.objectness, f'rpn_cls_logits{suffix}')
    blobs.fill_deltas(model.rpn.deltas, f'rpn_bbox_pred{suffix}')
    if model.box.convolves:
        _fill_convolutions(model.box, 'head_conv', blobs)
    if not model.box.averages:
        blobs.fill(model.box.fc6, 'fc6')
    if not model.box.averages and not model.box.convolves:
        blobs.fill(model.box.fc7, 'fc7')
    blobs.fill(model.box.logits, 'cls_score')
    blobs.fill_deltas(model.box.deltas, 'bbox_pred')
    if model.with_masks:
        _fill_convolutions(model.mask, '_mask_fcn' if '_mask_fcn1_w' in blobs else '_[mask]_fcn', blobs)
        blobs.fill(model.mask.upsample, 'conv5_mask')
        blobs.fill(model.mask.logits, 'mask_fcn_logits')
    if model.keypoints:
        _fill_convolutions(model.keypoint, 'conv_fcn', blobs)
        blobs.fill(model.keypoint.upsample, 'kps_score_lowres')


def _fill_convolutions(head: chainer.Chain, name: str, blobs: Blobs) -> None:
    for number, convolution in enumerate(head.convs, start=1):
        blobs.fill(convolution, f'{name}{number}')
