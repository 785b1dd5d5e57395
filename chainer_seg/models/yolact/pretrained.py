"""Initialising a YOLACT from weights of other classes, or of another network."""

import chainer
import numpy as np

from chainer_seg.errors import TrainingError
from chainer_seg.links import ResNet, copy_resnet
from chainer_seg.models.class_transfer import start_by_names
from chainer_seg.models.yolact.backbones import RESNET_STD
from chainer_seg.models.yolact.model import Yolact


def start_from(source: Yolact, model: Yolact) -> list[str]:
    """Copies the parameters that fit from one YOLACT to another, which may have other classes.

    Rows of a class are copied to the class of the same name, those of the background to the background.
    Classes that ``source`` does not have keep their initial weights.

    Args:
        source: The model to copy from.
        model: The model to initialise.

    Returns:
        The names of the classes that both have.

    Raises:
        chainer_seg.errors.TrainingError: No parameter fits.
    """
    if not _any_fits(source, model):
        raise TrainingError('No parameter of the YOLACT to start from has the shape of the new one; set '
                            'the [model] of the recipe to its sizes.')
    return start_by_names(source, model).shared


def start_backbone(source: chainer.Link, model: Yolact, channels: str = 'rgb') -> None:
    """Copies a ResNet somewhere in ``source`` to the backbone of a YOLACT.

    Inputs beyond the colours, such as the clicks of a click network, are skipped; offsets of
    deformable convolutions start at 0.

    Args:
        source: Any model with a :class:`chainer_seg.links.ResNet` of the same width and blocks, such
            as a :class:`chainer_seg.models.classifier.ResNetClassifier`.
        model: A :class:`chainer_seg.models.yolact.Yolact` with a ResNet.
        channels: The input of ``source``: ``'rgb'``, red, green and blue over their deviation, as in
            YOLACT (Torch, PyTorch); or ``'bgr'``, blue, green and red in 0..255 minus their mean
            (Caffe, and the shipped click model), for which the first convolution is rewritten.

    Raises:
        chainer_seg.errors.TrainingError: There is no ResNet to copy from or to, or it has other sizes.
    """
    found, wanted = (next((link for link in chain.links() if isinstance(link, ResNet)), None)
                     for chain in (source, model))
    if found is None or wanted is None:
        lacking = source if found is None else model
        raise TrainingError(f'The {type(lacking).__name__} has no ResNet; only a ResNet backbone can '
                            f'start from another ResNet.')
    copy_resnet(found, wanted)
    if channels == 'bgr':
        with chainer.using_device(wanted.device):
            stem = wanted.stem.conv.W.array
            stem[...] = stem[:, ::-1] * wanted.xp.asarray(RESNET_STD, np.float32)[:, None, None]


def _any_fits(source: chainer.Link, target: chainer.Link) -> bool:
    """Whether any convolution has weights of the same shape in both."""
    shapes = {path: weights.shape for path, weights in source.namedparams() if weights.ndim == 4}
    return any(shapes.get(path) == weights.shape for path, weights in target.namedparams())
