"""A Detectron configuration (core/config.py there) as arguments of MaskRCNN."""

import re
from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

from chainer_seg.models.mask_rcnn.augmented import MAX_SIDE
from chainer_seg.models.mask_rcnn.decode import DELTA_WEIGHTS
from chainer_seg.models.mask_rcnn.extractors import CANONICAL_LEVEL
from chainer_seg.models.mask_rcnn.mask_pasting import MASK_THRESHOLD
from chainer_seg.models.mask_rcnn.preparation import MEAN_BGR
from chainer_seg.models.mask_rcnn.suppression import SOFT_METHODS
from converters.weight_mapping import WeightMapping

_DEPTHS = {'50': [3, 4, 6, 3], '101': [3, 4, 23, 3], '152': [3, 8, 36, 3]}

# Arguments that are numbers in the configuration.
_NUMBERS = {
    'max_side': 'TEST.MAX_SIZE', 'score_threshold': 'TEST.SCORE_THRESH', 'nms_threshold': 'TEST.NMS',
    'max_detections': 'TEST.DETECTIONS_PER_IM', 'proposals_before_nms': 'TEST.RPN_PRE_NMS_TOP_N',
    'proposals': 'TEST.RPN_POST_NMS_TOP_N', 'proposal_nms_threshold': 'TEST.RPN_NMS_THRESH',
    'roi_size': 'FAST_RCNN.ROI_XFORM_RESOLUTION',
    'sampling_ratio': 'FAST_RCNN.ROI_XFORM_SAMPLING_RATIO'}

_POOLING = {'RoIAlign': 'align', 'RoIPoolF': 'pool'}

# Settings of which this package supports only one value; unset settings have this value.
_NEEDED = {
    'MODEL.CLS_AGNOSTIC_BBOX_REG': False, 'MODEL.BBOX_REG_WEIGHTS': DELTA_WEIGHTS,
    'RESNETS.RES5_DILATION': 1, 'RPN.STRIDE': 16, 'PIXEL_MEANS': MEAN_BGR,
    'FPN.EXTRA_CONV_LEVELS': False}
_NEEDED_WITH_FPN = {'FPN.RPN_MIN_LEVEL': 2, 'FPN.RPN_MAX_LEVEL': 6, 'FPN.ROI_MIN_LEVEL': 2,
                    'FPN.ROI_MAX_LEVEL': 5, 'FPN.MULTILEVEL_RPN': True, 'FPN.MULTILEVEL_ROIS': True}
_NEEDED_WITH_MASKS = {'MRCNN.CLS_SPECIFIC_MASK': True, 'MRCNN.USE_FC_OUTPUT': False,
                      'MRCNN.THRESH_BINARIZE': MASK_THRESHOLD}
_NEEDED_WITH_KEYPOINTS = {'KRCNN.UP_SCALE': 2, 'KRCNN.USE_DECONV': False,
                          'KRCNN.USE_DECONV_OUTPUT': True, 'KRCNN.INFERENCE_MIN_SIZE': 0}
# As it uses them in test-time augmentation.
_NEEDED_WITH_VIEWS = {
    'TEST.BBOX_AUG.SCORE_HEUR': 'UNION', 'TEST.BBOX_AUG.COORD_HEUR': 'UNION',
    'TEST.BBOX_AUG.MAX_SIZE': MAX_SIDE, 'TEST.BBOX_AUG.SCALE_SIZE_DEP': False,
    'TEST.BBOX_AUG.ASPECT_RATIOS': ()}
_VOTE_THRESHOLD = 0.8  # Detectron's default


def arguments(cfg: dict[str, Any] | None, found: dict[str, Any], mapping: WeightMapping) -> dict[str, Any]:
    """Arguments of a MaskRCNN.

    Args:
        cfg: The configuration as nested dicts, or None, which gives no arguments.
        found: The arguments that the blobs determine; the configuration must agree with them.
        mapping: The :class:`~converters.weight_mapping.WeightMapping` of the file, for errors.
    """
    if cfg is None:
        return {}
    settings = _Settings(cfg, mapping)
    pooling = _pooling(settings)
    _check(settings, found)
    given = {name: settings.number(key) for name, key in _NUMBERS.items()}
    given.update(min_side=settings.first_number('TEST.SCALE', 'TEST.SCALES'), pooling=pooling)
    given.update(_fpn_arguments(settings, found) if found['neck'] == 'fpn' else _c4_arguments(settings))
    if found['norm'] == 'group' or found.get('group_heads'):
        given['norm_groups'] = settings.number('GROUP_NORM.NUM_GROUPS')
    given.update(_suppression_arguments(settings), **_view_arguments(settings))
    if settings.get('RESNETS.STRIDE_1X1') is False:
        given['stride_on'] = '3x3'
    return {name: value for name, value in given.items() if value is not None}


def _c4_arguments(settings: '_Settings') -> dict[str, Any]:
    return {'anchor_sizes': settings.numbers('RPN.SIZES'),
            'anchor_ratios': settings.numbers('RPN.ASPECT_RATIOS')}


def _fpn_arguments(settings: '_Settings', found: dict[str, Any]) -> dict[str, Any]:
    start = settings.number('FPN.RPN_ANCHOR_START_SIZE')
    section = 'KRCNN' if found['keypoints'] else 'MRCNN'
    return {'anchor_sizes': None if start is None else [start * 2 ** i for i in range(5)],
            'anchor_ratios': settings.numbers('FPN.RPN_ASPECT_RATIOS'),
            'canonical_size': _canonical_size(settings.number('FPN.ROI_CANONICAL_SCALE'),
                                              settings.number('FPN.ROI_CANONICAL_LEVEL')),
            'mask_roi_size': settings.number(f'{section}.ROI_XFORM_RESOLUTION')}


def _suppression_arguments(settings: '_Settings') -> dict[str, Any]:
    given: dict[str, Any] = {}
    if settings.get('TEST.SOFT_NMS.ENABLED'):
        method = settings.get('TEST.SOFT_NMS.METHOD') or 'linear'
        if method not in SOFT_METHODS:
            settings.require({'TEST.SOFT_NMS.METHOD': ' or '.join(SOFT_METHODS)})
        given.update(soft_nms=method, soft_nms_sigma=settings.number('TEST.SOFT_NMS.SIGMA'))
    if settings.get('TEST.BBOX_VOTE.ENABLED'):
        settings.require({'TEST.BBOX_VOTE.SCORING_METHOD': 'ID'})
        threshold = settings.number('TEST.BBOX_VOTE.VOTE_TH')
        given['vote_threshold'] = _VOTE_THRESHOLD if threshold is None else threshold
    return given


def _view_arguments(settings: '_Settings') -> dict[str, Any]:
    """Those of test-time augmentation, which here mirrors the image at every scale or at none."""
    if not settings.get('TEST.BBOX_AUG.ENABLED'):
        return {}
    settings.require(_NEEDED_WITH_VIEWS)
    flip, scales = bool(settings.get('TEST.BBOX_AUG.H_FLIP')), settings.get('TEST.BBOX_AUG.SCALES')
    if not scales:
        return {'flip': flip}
    if bool(settings.get('TEST.BBOX_AUG.SCALE_H_FLIP')) != flip:
        settings.mapping.fail('its configuration mirrors the image at some scales only: '
                              'TEST.BBOX_AUG.H_FLIP and SCALE_H_FLIP must be equal')
    return {'flip': flip, 'scales': settings.numbers('TEST.BBOX_AUG.SCALES')}


def _canonical_size(size: float | None, level: int | None) -> float | None:
    """The size of a region that is assigned to the level that is fixed here."""
    if size is None or level is None:
        return size
    return size * 2 ** (CANONICAL_LEVEL - level)


class _Settings:
    """A configuration, read by names such as TEST.SCALE; unset settings are None."""

    def __init__(self, cfg: dict[str, Any], mapping: WeightMapping) -> None:
        self.cfg = cfg
        self.mapping = mapping

    def get(self, name: str) -> Any:
        value: Any = self.cfg
        for key in name.split('.'):
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def number(self, name: str) -> Any:
        return self._checked(name, self.get(name))

    def numbers(self, name: str) -> list[float] | None:
        values = self.get(name)
        if values is None:
            return None
        if not isinstance(values, (list, tuple)) or not values:
            self._refuse(name, values, 'a list of numbers')
        return [self._checked(name, value) for value in values]

    def first_number(self, name: str, older_name: str) -> Any:
        """A number that older versions of Detectron stored as a list of one."""
        value = self.number(name)
        if value is not None:
            return value
        numbers = self.numbers(older_name)
        return numbers[0] if numbers else None

    def require(self, needed: Mapping[str, Any]) -> None:
        """Refuses the file if a setting differs from the required one."""
        for name, value in needed.items():
            given = self.get(name)
            if given is not None and not _same(given, value):
                self._refuse(name, given, value)

    def _checked(self, name: str, value: Any) -> Any:
        if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))
                                  or not 0 <= value < np.inf):
            self._refuse(name, value, 'a number of at least 0')
        return value

    def _refuse(self, name: str, given: object, needed: object) -> NoReturn:
        self.mapping.fail(f'its configuration has {name} = {given!r}, expected {needed}')


def _check(settings: '_Settings', found: dict[str, Any]) -> None:
    settings.require(_NEEDED)
    settings.require({'FPN.FPN_ON': found['neck'] == 'fpn', 'MODEL.MASK_ON': found['with_masks'],
                      'MODEL.KEYPOINTS_ON': found['keypoints'] > 0,
                      'MODEL.NUM_CLASSES': found['classes'] + 1,
                      'RESNETS.NUM_GROUPS': found.get('groups', 1)})
    if found['neck'] == 'fpn':
        settings.require({**_NEEDED_WITH_FPN, 'FPN.USE_GN': found.get('group_heads', False)})
    if found['norm'] == 'group' or found.get('group_heads'):
        settings.require({'GROUP_NORM.DIM_PER_GP': -1})
    sampling = {'ROI_XFORM_METHOD': settings.get('FAST_RCNN.ROI_XFORM_METHOD'),
                'ROI_XFORM_SAMPLING_RATIO': settings.get('FAST_RCNN.ROI_XFORM_SAMPLING_RATIO')}
    # The settings of a missing head are ignored.
    for head, section, needed in ((found['with_masks'], 'MRCNN', _NEEDED_WITH_MASKS),
                                  (found['keypoints'], 'KRCNN', _NEEDED_WITH_KEYPOINTS)):
        if head:
            settings.require(needed)
            settings.require({f'{section}.{name}': value for name, value in sampling.items()})
    depth = re.search(r'ResNet(50|101|152)_', str(settings.get('MODEL.CONV_BODY')))
    if depth and _DEPTHS[depth[1]] != found['blocks']:
        settings.require({'MODEL.CONV_BODY': f'a ResNet of {found["blocks"]} blocks'})


def _pooling(settings: '_Settings') -> str | None:
    name = 'FAST_RCNN.ROI_XFORM_METHOD'
    method = settings.get(name)
    if method is not None and method not in _POOLING:
        settings.require({name: ' or '.join(_POOLING)})
    return _POOLING.get(method)


def _same(given: Any, needed: Any) -> bool:
    if isinstance(needed, tuple):
        return np.size(given) == len(needed) and np.allclose(np.ravel(given), needed)
    return given == needed
