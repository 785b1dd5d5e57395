"""Mask R-CNN and Faster R-CNN as Detectron2 saves them, in .pkl and in .pth (detectron2/modeling there).

Sizes are read from the shapes; test-time settings are not in these files, so they are the published ones.
Which array goes where, with <n> the number of a block and <i> that of a layer::

    Detectron2                                     parameters of MaskRCNN
    backbone[.bottom_up].stem.conv1                extractor/resnet/stem
    backbone[.bottom_up].res<s>.<n>.conv1, 2, 3    extractor/resnet/res<s>/<n>/{reduce, middle, expand}
    backbone[.bottom_up].res<s>.<n>.shortcut       extractor/resnet/res<s>/<n>/shortcut
    roi_heads.res5                                 extractor/resnet/res5                       C4 only
    backbone.fpn_lateral<s>, fpn_output<s>         extractor/pyramid/{lateral, output}/<s - 2>
    proposal_generator.rpn_head.conv               rpn/conv
    ...rpn_head.objectness_logits, anchor_deltas   rpn/{objectness, deltas}
    roi_heads.box_head.fc1, fc2                    box/{fc6, fc7}
    roi_heads.box_predictor.cls_score, bbox_pred   box/{logits, deltas}      the background is first here
    roi_heads.mask_head.mask_fcn<i>                mask/convs/<i - 1>
    roi_heads.mask_head.deconv, predictor          mask/{upsample, logits}
    roi_heads.keypoint_head.conv_fcn<i>            keypoint/convs/<i - 1>
    roi_heads.keypoint_head.score_lowres           keypoint/upsample

Deltas are x, y, w, h there, and y, x, h, w here. The frozen batch normalisation behind each convolution
becomes one affine layer, and the deviations of the colours become part of the first convolution.
"""

import math
import re
from typing import Any

import chainer
import numpy as np
import numpy.typing as npt

from chainer_seg.links.conv_norm import ConvNorm
from chainer_seg.models.mask_rcnn import MaskRCNN
from chainer_seg.models.mask_rcnn.preparation import DETECTRON2_MEAN_BGR
from chainer_seg.published_classes import COCO_NAMES
from converters.class_names import class_names
from converters.detectron_blobs import DELTAS
from converters.resnet_sizes import bottleneck_sizes
from converters.torch_checkpoint import prefix_of, skip_training
from converters.torch_state import State
from converters.trees import named_arrays
from converters.weight_mapping import WeightMapping

_EPS = 1e-5  # of FrozenBatchNorm2d

# Deviations of blue, green and red in the configurations of ResNeXts, whose strides are on the 3x3
# convolutions; all others have 1, and the strides of the first ResNets.
_RESNEXT_STD = (57.375, 57.12, 58.395)

_RPN = 'proposal_generator.rpn_head.'
_BOX, _MASK = 'roi_heads.box_predictor.', 'roi_heads.mask_head.'
_KEYPOINTS = 'roi_heads.keypoint_head.'
_RATIOS = 3  # of anchors
_C4_SIZES = (32, 64, 128, 256, 512)

_ANYWHERE = re.compile(r'(^|\.)(backbone\.bottom_up|proposal_generator|roi_heads)\.')

# Arrays of networks that are not supported, and what they belong to.
_OTHERS = (
    ('roi_heads.box_head.0.', 'a cascade of box heads'),
    ('roi_heads.box_head.conv1.', 'a box head with convolutions'),
    ('sem_seg_head.', 'a semantic head (panoptic segmentation)'),
    ('head.cls_subnet.', 'a RetinaNet'),
    ('backbone.bottom_up.res3.0.conv2_offset.', 'deformable convolutions'),
    ('backbone.res5.', 'a dilated last stage in its backbone (DC5)'))


def recognise(tree: object) -> str | None:
    """The name of the network in a tree; None if this module does not recognise it."""
    return 'Mask R-CNN of Detectron2' if any(map(_ANYWHERE.search, named_arrays(tree))) else None


def build(tree: object, mapping: WeightMapping, config: dict[str, Any]) -> MaskRCNN:
    """The :class:`~chainer_seg.models.mask_rcnn.MaskRCNN` of a file.

    Args:
        tree: As returned by the reader of the format.
        mapping: The :class:`~converters.weight_mapping.WeightMapping` of its arrays.
        config: Arguments of the class that override those found in the file, and ``class_names``.
    """
    prefix = prefix_of(named_arrays(tree), f'{_RPN}conv.weight')
    network = _Network(State(tree, mapping, prefix or ''))
    network.check_kind()
    config = dict(config)
    names = config.pop('class_names', None)
    arguments = {**network.arguments(), **config}
    mapping.assume("Detectron2's published test settings and blue, green and red as the order of colours, "
                   'because the file has no configuration')
    model = mapping.make(MaskRCNN, arguments, 'class_names')
    known = COCO_NAMES[:1] if model.keypoints and model.classes == 1 else COCO_NAMES
    model.class_names = class_names(names, model.classes, mapping, known, "COCO's")
    network.fill(model)
    skip_training(tree, mapping)
    return model


class _Network:
    """The arrays of one network, and how a model is filled with them."""

    def __init__(self, state: State) -> None:
        self._state, self._mapping = state, state.mapping
        self._fpn = 'backbone.fpn_lateral2.weight' in state
        self._resnet = 'backbone.bottom_up.' if self._fpn else 'backbone.'

    def check_kind(self) -> None:
        """Refuses other networks than Mask R-CNN and Faster R-CNN with C4 or FPN."""
        for name in self._state.arrays:
            for start, what in _OTHERS:
                if name.startswith(start):
                    self._mapping.fail(f'it has {what}; only Mask R-CNN and Faster R-CNN with a ResNet and '
                                       f'C4 or FPN are read from Detectron2')
        if f'{self._resnet}stem.conv1.norm.weight' in self._state and (
                f'{self._resnet}stem.conv1.norm.running_mean' not in self._state):
            self._mapping.fail('it has group normalisation, which is read from files of Detectron only')

    def arguments(self) -> dict[str, Any]:
        """The arguments of a MaskRCNN that the shapes determine."""
        state, shape = self._state, self._state.shape
        sizes = bottleneck_sizes(self._mapping, *(shape(f'{self._resnet}{name}.weight', 4) for name in (
            'stem.conv1', 'res2.0.conv2', 'res2.0.conv3')))
        found = {**sizes, 'neck': 'fpn' if self._fpn else 'c4', 'geometry': 'detectron2', 'sampling_ratio': 0,
                 'blocks': [state.count(f'{self._stage(stage)}.{{}}.conv1.weight') for stage in range(2, 6)],
                 'classes': shape(f'{_BOX}cls_score.weight', 2)[0] - 1,
                 'with_masks': f'{_MASK}predictor.weight' in state}
        if found['with_masks']:
            found['mask_channels'] = shape(f'{_MASK}deconv.weight', 4)[1]
        if f'{_KEYPOINTS}score_lowres.weight' in state:
            found['keypoint_channels'], found['keypoints'] = shape(f'{_KEYPOINTS}score_lowres.weight', 4)[:2]
        if 'groups' in sizes:
            found['stride_on'] = '3x3'
            self._mapping.assume('the strides of ResNeXts on the 3x3 convolutions; override with stride_on')
        if self._fpn:
            channels = shape(f'{_RPN}conv.weight', 4)[0]
            hidden, inputs = shape('roi_heads.box_head.fc1.weight', 2)
            found.update(fpn_channels=channels, box_features=hidden, roi_size=math.isqrt(inputs // channels))
        elif shape(f'{_RPN}objectness_logits.weight', 4)[0] == _RATIOS * len(_C4_SIZES):
            found['anchor_sizes'] = _C4_SIZES
        return found

    def fill(self, model: MaskRCNN) -> None:
        """Fills a model; what is known not to be needed is skipped."""
        self._check_anchors(model)
        resnet = model.extractor.resnet
        self._fill_conv_norm(resnet.stem, f'{self._resnet}stem.conv1', self._deviations(model))
        for stage, name in enumerate(resnet.stage_names, start=2):
            for number, block in enumerate(resnet[name]):
                for link, branch in (('reduce', 'conv1'), ('middle', 'conv2'), ('expand', 'conv3'),
                                     *([('shortcut', 'shortcut')] if block.projects else [])):
                    self._fill_conv_norm(block[link], f'{self._stage(stage)}.{number}.{branch}')
        if self._fpn:
            pyramid = model.extractor.pyramid
            for level in range(len(resnet.stage_names)):
                self._fill_layer(pyramid.lateral[level], f'backbone.fpn_lateral{level + 2}')
                self._fill_layer(pyramid.output[level], f'backbone.fpn_output{level + 2}')
        self._fill_heads(model)

    def _fill_heads(self, model: MaskRCNN) -> None:
        self._fill_layer(model.rpn.conv, f'{_RPN}conv')
        self._fill_layer(model.rpn.objectness, f'{_RPN}objectness_logits')
        self._fill_deltas(model.rpn.deltas, f'{_RPN}anchor_deltas', background=False)
        if self._fpn:
            self._fill_layer(model.box.fc6, 'roi_heads.box_head.fc1')
            self._fill_layer(model.box.fc7, 'roi_heads.box_head.fc2')
        for target, array in self._pairs(model.box.logits, f'{_BOX}cls_score'):
            self._put(target, np.roll(self._mapping.use(array), 1, axis=0), array)
        self._fill_deltas(model.box.deltas, f'{_BOX}bbox_pred', background=True)
        if model.with_masks:
            for number, convolution in enumerate(model.mask.convs, start=1):
                self._fill_layer(convolution, f'{_MASK}mask_fcn{number}')
            self._fill_layer(model.mask.upsample, f'{_MASK}deconv')
            for target, array in self._pairs(model.mask.logits, f'{_MASK}predictor'):
                self._put(target, _with_background(self._mapping.use(array)), array)
        if model.keypoints:
            for number, convolution in enumerate(model.keypoint.convs, start=1):
                self._fill_layer(convolution, f'{_KEYPOINTS}conv_fcn{number}')
            self._fill_layer(model.keypoint.upsample, f'{_KEYPOINTS}score_lowres')

    def _fill_layer(self, link: chainer.Link, name: str) -> None:
        self._state.fill_convolution(link, name)

    def _fill_deltas(self, link: chainer.Link, name: str, background: bool) -> None:
        for target, array in self._pairs(link, name):
            values = self._mapping.use(array)
            if len(values) % 4:
                self._mapping.fail(f'{name} has {len(values)} outputs, expected a multiple of 4')
            groups = values.reshape((-1, 4) + values.shape[1:])[:, DELTAS]
            self._put(target, _with_background(groups) if background else groups, array)

    def _fill_conv_norm(self, link: ConvNorm, name: str, deviations: npt.ArrayLike = 1) -> None:
        """Fills a convolution and the affine layer behind it, with what its input is divided by."""
        array = self._state[f'{name}.weight']
        weights = self._mapping.use(array)
        self._put(link.conv.W.array, weights / np.reshape(deviations, (1, -1, 1, 1)), array)
        arrays = [self._state[f'{name}.norm.{key}']
                  for key in ('weight', 'bias', 'running_mean', 'running_var')]
        weight, bias, mean, variance = (self._mapping.use(each).astype(np.float64) for each in arrays)
        scale = weight / np.sqrt(variance + _EPS)
        self._put(link.norm.scale, scale, arrays[0], arrays[3])
        self._put(link.norm.shift, bias - mean * scale, arrays[1], arrays[2])
        if f'{name}.norm.num_batches_tracked' in self._state:
            self._mapping.skip(self._state[f'{name}.norm.num_batches_tracked'], 'counter of training')

    def _pairs(self, link: chainer.Link, name: str) -> list[tuple[np.ndarray, np.ndarray]]:
        return [(link.W.array, self._state[f'{name}.weight']), (link.b.array, self._state[f'{name}.bias'])]

    def _put(self, target: np.ndarray, values: np.ndarray, *arrays: np.ndarray) -> None:
        """Fills a parameter; values may lack axes of length 1, or have others of the same order."""
        if values.size != target.size or len(values) not in (len(target), len(target) // 4):
            self._mapping.fail(f'{self._mapping.name(arrays[0])} has the shape {arrays[0].shape}, which does '
                               f'not fit a parameter of {target.shape}')
        self._mapping.put(target, values.reshape(target.shape), *arrays)

    def _deviations(self, model: MaskRCNN) -> npt.ArrayLike:
        """What the colours are divided by; checks their means, where the file has both."""
        mean, deviations = (self._state.arrays.get(name) for name in ('pixel_mean', 'pixel_std'))
        if mean is not None:
            if not np.allclose(np.ravel(mean), DETECTRON2_MEAN_BGR):
                self._mapping.fail(f'pixel_mean is {np.ravel(mean).tolist()}, expected {DETECTRON2_MEAN_BGR}')
            self._mapping.skip(mean, 'mean of the colours, which is always the same')
        if deviations is not None:
            return np.ravel(self._mapping.use(deviations))
        if model.config.get('groups', 1) == 1:
            return 1
        self._mapping.assume(f"{_RESNEXT_STD} as the deviations of the colours, as in ResNeXts' "
                             f'configurations')
        return _RESNEXT_STD

    def _check_anchors(self, model: MaskRCNN) -> None:
        name = 'proposal_generator.anchor_generator.cell_anchors.{}'
        for level in range(self._state.count(name)):
            array = self._state[name.format(level)]
            wanted = model.cell_anchors[level] + np.array([0, 0, 1, 1], np.float32)
            if array.shape != wanted.shape or not np.allclose(array[:, [1, 0, 3, 2]], wanted, atol=1e-3):
                self._mapping.fail('its anchors have other sizes or ratios than the published ones; give '
                                   '--set anchor_sizes and anchor_ratios')
            self._mapping.skip(array, 'anchors, which are computed')

    def _stage(self, stage: int) -> str:
        return f'roi_heads.res{stage}' if stage == 5 and not self._fpn else f'{self._resnet}res{stage}'


def _with_background(values: np.ndarray) -> np.ndarray:
    """Rows of classes (C, ...) behind one of zeros, which is the background's and never looked at."""
    return np.concatenate([np.zeros_like(values[:1]), values])
