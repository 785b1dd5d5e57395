"""YOLACT (arXiv 1904.02689) and YOLACT++ (arXiv 1912.06218): real-time instance segmentation.

:class:`chainer_seg.recipes.YolactRecipe` trains one.
"""

from chainer_seg import lazy

_NAMES = {
    'Augmentation': 'settings', 'LossWeights': 'settings', 'Thresholds': 'settings',
    'Backbone': 'backbones', 'register_backbone': 'backbones',
    'Yolact': 'model', 'YolactBackbone': 'backbone_model', 'YolactSamples': 'samples',
    'stack_examples': 'samples', 'augment': 'augmentation', 'YolactTrainChain': 'train_chain',
    'start_backbone': 'pretrained', 'start_from': 'pretrained'}

__all__ = sorted(_NAMES)
__getattr__, __dir__ = lazy.names(__name__, _NAMES)
