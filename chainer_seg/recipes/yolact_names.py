"""The names in config.py of YOLACT's TensorFlow implementation, as fields of our recipe."""

import math
from collections.abc import Mapping
from typing import Any

from chainer_seg.errors import TrainingError

CONFIG_NAMES = {
    'MIXPRECISION': 'training.mixed_precision',
    'NUM_MAX_PAD': 'samples.max_objects',
    'THRESHOLD_POS': 'matching.positive',
    'THRESHOLD_NEG': 'matching.negative',
    'BACKBONE': 'model.backbone',
    'IMG_SIZE': 'model.image_size',
    'PROTO_OUTPUT_SIZE': 'model.prototype_scale',
    'FPN_CHANNELS': 'model.fpn_channels',
    'NUM_MASK': 'model.prototypes',
    'LOSS_WEIGHT_CLS': 'losses.classes',
    'LOSS_WEIGHT_BOX': 'losses.boxes',
    'LOSS_WEIGHT_MASK': 'losses.masks',
    'LOSS_WEIGHT_SEG': 'losses.semantic',
    'NEG_POS_RATIO': 'losses.negative_ratio',
    'MAX_MASKS_FOR_TRAIN': 'losses.max_masks',
    'TOP_K': 'model.top_k',
    'CONF_THRESHOLD': 'model.score_threshold',
    'NMS_THRESHOLD': 'model.nms_threshold',
    'MAX_NUM_DETECTION': 'model.max_detections',
}

P3_STRIDE = 8  # pixels of the image for one of P3, on which the prototypes are computed


def with_our_values(values: Mapping[str, Any], image_size: int) -> dict[str, Any]:
    """Assignments to fields with the values of config.py as our recipe has them.

    It calls EfficientNet-B0 "efficientNet-B0", and gives the side of the prototypes in pixels.

    Args:
        values: Values by names.
        image_size: The side of the images, if ``values`` do not have it.

    Raises:
        chainer_seg.errors.TrainingError: The side is not that of P3 or a multiple.
    """
    found = dict(values)
    if isinstance(found.get('BACKBONE'), str):
        found['BACKBONE'] = found['BACKBONE'].lower()
    pixels = found.get('PROTO_OUTPUT_SIZE')
    if isinstance(pixels, int):
        size = next((found[name] for name in ('IMG_SIZE', 'image_size', 'model__image_size')
                     if isinstance(found.get(name), int)), image_size)
        side = math.ceil(size / P3_STRIDE)
        if pixels < side or pixels % side:
            raise TrainingError(f'PROTO_OUTPUT_SIZE must be a multiple of {side}, the side of P3 for images '
                                f'of {size} pixels, got {pixels}.')
        found['PROTO_OUTPUT_SIZE'] = pixels // side
    return found
