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
    """Copies a network somewhere in ``source`` to the backbone of a YOLACT.

    Of ResNets, inputs beyond the colours, such as the clicks of a click network, are skipped, and offsets of
    deformable convolutions start at 0.

    Args:
        source: Any model with a network of the class and sizes of the backbone, such as a
            :class:`chainer_seg.models.classifier.ResNetClassifier` for a ResNet, and a
            :class:`chainer_seg.models.yolact.YolactBackbone` or another YOLACT for any backbone.
        model: A :class:`chainer_seg.models.yolact.Yolact`.
        channels: The input of ``source``: ``'rgb'``, red, green and blue over their deviation, as in
            YOLACT (Torch, PyTorch); or ``'bgr'``, blue, green and red in 0..255 minus their mean
            (Caffe, and the shipped click model), for which the first convolution of a ResNet is rewritten.

    Raises:
        chainer_seg.errors.TrainingError: There is no such network, it has other sizes, or ``'bgr'`` is asked
            for with a backbone that is not a ResNet.
    """
    wanted = model.backbone
    name = type(wanted).__name__
    found = next((link for link in source.links() if type(link) is type(wanted)), None)
    if found is None:
        raise TrainingError(f'The {type(source).__name__} has no {name} to start from, but the backbone '
                            f'{model.config["backbone"]} is one; give a model that has a {name}, or choose '
                            f'another backbone.')
    if not isinstance(wanted, ResNet):
        if channels == 'bgr':
            raise TrainingError(f"channels='bgr' is for ResNets, but the backbone is a {name}; choose 'rgb'.")
        _copy_equal(found, wanted)
        return
    copy_resnet(found, wanted)
    if channels == 'bgr':
        with chainer.using_device(wanted.device):
            stem = wanted.stem.conv.W.array
            stem[...] = stem[:, ::-1] * wanted.xp.asarray(RESNET_STD, np.float32)[:, None, None]


def _copy_equal(source: chainer.Link, target: chainer.Link) -> None:
    """Copies all parameters and statistics between networks of the same sizes."""
    given, needed = ({path: parameter.shape for path, parameter in link.namedparams()}
                     for link in (source, target))
    for path in sorted(given.keys() | needed.keys()):
        if given.get(path) != needed.get(path):
            raise TrainingError(
                f'The network to start from has {given.get(path, "nothing")} for {path}, but '
                f'{needed.get(path, "nothing")} is needed; choose one of the same width and blocks.')
    target.copyparams(source)


def _any_fits(source: chainer.Link, target: chainer.Link) -> bool:
    """Whether any convolution has weights of the same shape in both."""
    shapes = {path: weights.shape for path, weights in source.namedparams() if weights.ndim == 4}
    return any(shapes.get(path) == weights.shape for path, weights in target.namedparams())
