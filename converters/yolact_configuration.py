"""The configuration of a YOLACT with the original's option names."""

import inspect
from collections.abc import Mapping
from typing import Any

from chainer_seg.models.yolact import Yolact
from converters.configuration import ORIGINAL
from converters.weight_mapping import WeightMapping

# The original's names of settings that are not in the weights, and our names.
_WORDS = {
    'max_size': 'image_size', 'pred_scales_px': 'anchor_scales', 'use_square_anchors': 'square_anchors',
    'nms_conf_thresh': 'anchor_threshold', 'nms_thresh': 'nms_threshold', 'nms_top_k': 'top_k',
    'max_num_detections': 'max_detections'}

# 'backbone' means something else in the original.
_OWN = {*inspect.signature(Yolact).parameters, 'class_names'} - {'backbone'}

# Settings of the original of which only this value, that of all published weights, is supported.
_NEEDED = {
    ('use_pixel_scales',): True, ('preapply_sqrt',): False, ('rescore_bbox',): False,
    ('fpn', 'interpolation_mode'): 'bilinear', ('fpn', 'num_downsample'): 2,
    ('fpn', 'use_conv_downsample'): True, ('fpn', 'relu_downsample_layers'): False,
    ('fpn', 'relu_pred_layers'): True, ('transform', 'channel_order'): 'RGB',
    ('transform', 'subtract_means'): False}


def translate(config: Mapping[str, Any], backbone: str, mapping: WeightMapping) -> dict[str, Any]:
    """Translates a configuration into arguments of :class:`chainer_seg.models.yolact.Yolact`.

    Args:
        config: Settings under these names or those of the original; if two mean the same, the later one
            wins. A whole configuration of the original is under the key
            :data:`converters.configuration.ORIGINAL`.
        backbone: The name of the backbone.
        mapping: The :class:`~converters.weight_mapping.WeightMapping` of the file, for errors.

    Returns:
        A new dict.
    """
    config = dict(config)
    original = config.pop(ORIGINAL, None)
    translated = {} if original is None else _translate_all(original, backbone, mapping)
    for name, value in config.items():
        if name in _MEANINGS:
            name, value = _MEANINGS[name](value, mapping)
        translated[_WORDS.get(name, name)] = value
    return translated


def _translate_all(original: Mapping[str, Any], backbone: str, mapping: WeightMapping) -> dict[str, Any]:
    needed = {**_NEEDED, ('transform', 'normalize'): backbone != 'darknet53',
              ('transform', 'to_float'): backbone == 'darknet53'}
    for keys, value in needed.items():
        found = _find(original, keys, value)
        if found != value:
            mapping.fail(f'its configuration says {".".join(keys)} = {found!r}, expected {value!r}')
    names = _find(original, ('dataset', 'class_names'), None)
    translated = {} if names is None else {'class_names': names}
    for name, value in original.items():
        if name in _MEANINGS:
            name, value = _MEANINGS[name](value, mapping)
            translated[name] = value
        elif name in _WORDS:
            translated[_WORDS[name]] = value
    # Settings added under our names.
    return {**translated, **{name: value for name, value in original.items() if name in _OWN}}


def _find(config: Any, keys: tuple[str, ...], default: Any) -> Any:
    for key in keys:
        if not isinstance(config, dict) or key not in config:
            return default
        config = config[key]
    return config


def _classes(count: object, mapping: WeightMapping) -> tuple[str, int]:
    """The number of classes without the background."""
    if not isinstance(count, int) or count < 2:
        mapping.fail(f'its configuration has num_classes = {count!r}, expected at least 2')
    return 'classes', count - 1


def _ratios(levels: Any, mapping: WeightMapping) -> tuple[str, Any]:
    """The aspect ratios shared by all levels."""
    if not levels or any(level != levels[0] for level in levels) or len(levels[0]) != 1:
        mapping.fail(f'its configuration has aspect ratios that differ between levels, expected the '
                     f'same on all: {levels}')
    return 'anchor_ratios', levels[0][0]


_MEANINGS = {'num_classes': _classes, 'pred_aspect_ratios': _ratios}

WORDS = (*_WORDS, *_MEANINGS)
