"""The configuration of a YOLACT in the words of the original."""

# The original's names of what the weights do not tell, and those here.
_WORDS = {
    'max_size': 'image_size', 'pred_scales_px': 'anchor_scales', 'use_square_anchors': 'square_anchors',
    'nms_conf_thresh': 'anchor_threshold', 'nms_thresh': 'nms_threshold', 'nms_top_k': 'top_k',
    'max_num_detections': 'max_detections'}

# What the original can be set to and this implementation, like all published weights, is not.
_NEEDED = {
    ('use_pixel_scales',): True, ('preapply_sqrt',): False, ('rescore_bbox',): False,
    ('fpn', 'interpolation_mode'): 'bilinear', ('fpn', 'num_downsample'): 2,
    ('fpn', 'use_conv_downsample'): True, ('fpn', 'relu_downsample_layers'): False,
    ('fpn', 'relu_pred_layers'): True, ('transform', 'channel_order'): 'RGB',
    ('transform', 'subtract_means'): False}


def translate(config, backbone, ledger):
    """A configuration in the words of :class:`chainer_seg.models.yolact.Yolact`.

    Args:
        config: A mapping in these words already, or in those of the original, where it has
            ``max_size``.
        backbone: The name of the backbone.
        ledger: The :class:`~converters.ledger.Ledger` of the file, for errors.

    Returns:
        A new dict.
    """
    if 'max_size' not in config:
        return dict(config)
    needed = {**_NEEDED, ('transform', 'normalize'): backbone != 'darknet53',
              ('transform', 'to_float'): backbone == 'darknet53'}
    for keys, value in needed.items():
        found = _find(config, keys, value)
        if found != value:
            ledger.fail(f'its configuration says {".".join(keys)} = {found!r} where {value!r} is needed')
    translated = {ours: config[theirs] for theirs, ours in _WORDS.items() if theirs in config}
    if 'num_classes' in config:
        translated['classes'] = config['num_classes'] - 1
    class_names = _find(config, ('dataset', 'class_names'), None)
    if class_names is not None:
        translated['class_names'] = class_names
    if 'pred_aspect_ratios' in config:
        translated['anchor_ratios'] = _ratios(config['pred_aspect_ratios'], ledger)
    return translated


def _find(config, keys, default):
    for key in keys:
        if not isinstance(config, dict) or key not in config:
            return default
        config = config[key]
    return config


def _ratios(levels, ledger):
    """The aspect ratios that all levels have in common."""
    if not levels or any(level != levels[0] for level in levels) or len(levels[0]) != 1:
        ledger.fail(f'its configuration has other aspect ratios on some levels than on others: {levels}')
    return levels[0][0]
