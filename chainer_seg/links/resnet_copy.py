"""Starting a ResNet from the weights of another one."""

import chainer
import numpy as np
from chainer import backend
from chainer import links as L

from chainer_seg.errors import TrainingError
from chainer_seg.links.conv_norm import ConvNorm, DeformableConvNorm
from chainer_seg.links.frozen_affine import FrozenAffine

# What half precision can say at most.
LARGEST_VARIANCE = float(np.finfo(np.float16).max)


def copy_resnet(source, target):
    """Copies the weights of a ResNet to another one, as far as the other goes, on whatever devices.

    A trunk starts in this way from a network that was trained to classify:
    ``copy_resnet(converted, model.trunk.resnet)``. Skipped are later stages of ``source`` and inputs
    beyond those of ``target``, such as clicks behind the colours; inputs that only ``target`` has
    count for nothing at first, their weights are 0. Deformable convolutions keep their offsets, and
    what has no bias in ``source`` its own. Batch normalisation becomes a fixed scale and shift where
    ``target`` has these; the bias of a convolution that has none in ``target`` goes into the
    normalisation behind it.

    Args:
        source: A :class:`chainer_seg.links.ResNet` of the same width, with at least as many stages.
        target: The :class:`chainer_seg.links.ResNet` that is changed.

    Raises:
        chainer_seg.errors.TrainingError: The two do not have the same shapes.
    """
    if source.block != target.block:
        raise TrainingError(f'The network to start from has {source.block} blocks, but {target.block} '
                            f'blocks are needed; choose a ResNet with these blocks.')
    layers = dict(source.namedlinks())
    for path, layer in target.namedlinks():
        if isinstance(layer, (ConvNorm, DeformableConvNorm)):
            with chainer.using_device(layer.device):
                _copy_layer(path, layers.get(path), layer)


def _copy_layer(path, source, target):
    conv, norm = (_on(getattr(source, name, None), target.device) for name in ('conv', 'norm'))
    _copy_convolution(f'{path}/conv', conv, target.conv)
    bias = getattr(getattr(conv, 'b', None), 'array', None)
    _copy_norm(f'{path}/norm', norm, target.norm,
               0 if bias is None or target.conv.b is not None else bias)


def _on(link, device):
    """The link itself, or a copy of it on another device."""
    if link is None or link.device == device:
        return link
    with chainer.using_device(link.device):
        copy = link.copy('copy')
    return copy.to_device(device)


def _copy_convolution(path, source, target):
    weights = getattr(getattr(source, 'W', None), 'array', None)
    if path == '/stem/conv' and weights is not None:
        weights = _with_inputs(weights, target.W.shape[1])
    _assign(path, target, 'W', weights)
    if target.b is not None and getattr(source, 'b', None) is not None:
        _assign(path, target, 'b', source.b)


def _with_inputs(weights, count):
    """The weights (O, I, k, k) of a convolution for ``count`` inputs: cut off, or zeros behind them."""
    more = max(0, count - weights.shape[1])
    xp = backend.get_array_module(weights)
    return xp.pad(weights[:, :count], ((0, 0), (0, more), (0, 0), (0, 0)), 'constant')


def _copy_norm(path, source, target, bias):
    """Copies a normalisation to whose input ``bias`` is no longer added."""
    if isinstance(target, FrozenAffine):
        scale, shift = _scale_and_shift(source)
        _assign(path, target, 'scale', scale)
        _assign(path, target, 'shift', shift + scale * bias)
        return
    for name in ('gamma', 'beta', 'avg_mean', 'avg_var'):
        _assign(path, target, name, getattr(source, name, None))
    target.avg_mean -= bias
    # A model file in half precision may have lost a variance to infinity.
    target.avg_var[...] = target.avg_var.clip(max=LARGEST_VARIANCE)


def _scale_and_shift(norm):
    """Batch normalisation at its running statistics, or a fixed scale and shift as they are."""
    if isinstance(norm, L.BatchNormalization):
        scale = norm.gamma.array / np.sqrt(norm.avg_var + norm.eps)
        return scale, norm.beta.array - norm.avg_mean * scale
    return norm.scale, norm.shift


def _assign(path, link, name, value):
    value = getattr(value, 'array', value)
    place = getattr(link, name)
    place = getattr(place, 'array', place)
    if value is None or value.shape != place.shape:
        found = 'nothing' if value is None else value.shape
        raise TrainingError(f'The network to start from has {found} for {path}/{name}, but '
                            f'{place.shape} is needed; choose one of the same width and blocks.')
    place[...] = link.device.send(value)
