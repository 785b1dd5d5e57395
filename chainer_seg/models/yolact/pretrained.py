"""Starting a YOLACT from weights that were trained for something else."""

import numpy as np

from chainer_seg.errors import TrainingError
from chainer_seg.links import ResNet
from chainer_seg.model_file import copy_matching
from chainer_seg.models.yolact.backbones import RESNET_STD

# What the pixels are that a ResNet was trained on: over their deviation, or in 0..255 in Caffe's order.
CHANNEL_ORDERS = ('rgb', 'bgr')


def start_backbone(source, model, channels='rgb'):
    """Copies what fits from a ResNet somewhere in ``source`` to the backbone of a YOLACT.

    Args:
        source: Any model with a :class:`chainer_seg.links.ResNet`, such as a
            :class:`chainer_seg.models.classifier.ResNetClassifier`.
        model: A :class:`chainer_seg.models.yolact.Yolact` with a ResNet.
        channels: What ``source`` was trained on: ``'rgb'``, red, green and blue over their deviation,
            as YOLACT (Torch, PyTorch); or ``'bgr'``, blue, green and red in 0..255 less their mean
            (Caffe, and the classifiers that scripts/train.py trains). For the latter the first
            convolution is rewritten.

    Returns:
        The number of arrays that were copied.

    Raises:
        chainer_seg.errors.TrainingError: There is no ResNet to copy from or to, or nothing fits.
    """
    found, wanted = (next((link for link in chain.links() if isinstance(link, ResNet)), None)
                     for chain in (source, model))
    if found is None or wanted is None:
        lacking = source if found is None else model
        raise TrainingError(f'The {type(lacking).__name__} holds no ResNet; the backbone can start '
                            f'only from one ResNet to another.')
    copied = copy_matching(found, wanted)
    if not copied:
        raise TrainingError(f'Nothing in the ResNet of the {type(source).__name__} has the shapes of '
                            f'the backbone; set model.width and model.blocks to its sizes.')
    _copy_stem(found.stem.conv.W.array, wanted.stem.conv.W.array, channels)
    return copied


def _copy_stem(weights, target, channels):
    """Copies the first convolution; what a click network is told beside the picture is left out."""
    weights = weights[:, :3]
    if weights.shape != target.shape:
        return
    if channels == 'bgr':
        weights = weights[:, ::-1] * np.float32(RESNET_STD)[:, None, None]
    target[...] = weights
