"""The names under which model files know the classes of models."""

import importlib

# A model file names its class by one of these keys, and nothing else is ever imported for it.
MODEL_HOMES = {
    'ClickSegmenter': 'chainer_seg.models.deeplab',
    'DeepLab': 'chainer_seg.models.deeplab',
    'DeepMask': 'chainer_seg.models.deepmask',
    'MaskRCNN': 'chainer_seg.models.mask_rcnn',
    'ResNetClassifier': 'chainer_seg.models.classifier',
    'RitmDeepLab': 'chainer_seg.models.ritm',
    'RitmHRNet': 'chainer_seg.models.ritm',
    'SharpMask': 'chainer_seg.models.deepmask',
    'Yolact': 'chainer_seg.models.yolact',
    'YolactBackbone': 'chainer_seg.models.yolact',
}


def model_class(name: str) -> type | None:
    """The model class that model files call ``name``; None where there is none."""
    if name not in MODEL_HOMES:
        return None
    return getattr(importlib.import_module(MODEL_HOMES[name]), name)
