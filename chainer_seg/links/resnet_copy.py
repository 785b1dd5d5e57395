"""Initialises a ResNet with the weights of another one."""

from typing import Any

import chainer
import numpy as np
from chainer import backend

from chainer_seg.arrays import Array, ArrayOrVariable
from chainer_seg.errors import TrainingError
from chainer_seg.functions.arguments import as_array
from chainer_seg.links.conv_norm import ConvNorm, DeformableConvNorm
from chainer_seg.links.frozen_affine import FrozenAffine
from chainer_seg.links.group_norm import GroupNorm
from chainer_seg.links.resnet import ResNet

# The largest finite number in half precision.
LARGEST_VARIANCE = float(np.finfo(np.float16).max)


def copy_resnet(source: ResNet, target: ResNet) -> None:
    """Copies the weights of a ResNet to those parts of another one that it has in common with it.

    A trunk starts in this way from a network that was trained to classify:
    ``copy_resnet(converted, model.trunk.resnet)``. Later stages of ``source`` are skipped, and so are
    input channels beyond those of ``target``. Additional input channels of ``target``, such as click
    maps after the colours, get weights of 0. Deformable convolutions keep their offsets, and biases
    that ``source`` lacks keep their values. Batch normalisation becomes a fixed scale and shift where
    ``target`` has one; the bias of a convolution that has none in ``target`` is added to the
    normalisation after it. The networks may be on different devices.

    Args:
        source: A ResNet of the same width, with at least as many stages.
        target: The ResNet that is changed.

    Raises:
        chainer_seg.errors.TrainingError: The shapes of the two networks differ.
    """
    if source.block != target.block:
        raise TrainingError(f'The network to start from has {source.block} blocks, but {target.block} '
                            f'blocks are needed; choose a ResNet with these blocks.')
    layers = dict(source.namedlinks())
    for path, layer in target.namedlinks():
        if isinstance(layer, (ConvNorm, DeformableConvNorm)):
            with chainer.using_device(layer.device):
                _copy_layer(path, layers.get(path), layer)


def _copy_layer(path: str, source: chainer.Link | None, target: ConvNorm | DeformableConvNorm) -> None:
    if not isinstance(source, (ConvNorm, DeformableConvNorm)):
        raise _mismatch(f'{path}/conv/W', None, target.conv.W.shape)
    conv, norm = (_on(link, target.device) for link in (source.conv, source.norm))
    weights = conv.W.array
    if path == '/stem':
        weights = _with_inputs(weights, target.conv.W.shape[1])
    _assign(f'{path}/conv/W', weights, target.conv.W)
    bias = 0 if conv.b is None else conv.b.array
    if target.conv.b is not None and conv.b is not None:
        _assign(f'{path}/conv/b', conv.b, target.conv.b)
        bias = 0
    _copy_norm(f'{path}/norm', norm, target.norm, bias)


def _on(link: Any, device: chainer.backend.Device) -> Any:
    """The link itself, or a copy of it on another device."""
    if link.device == device:
        return link
    with chainer.using_device(link.device):
        copy = link.copy('copy')
    return copy.to_device(device)


def _with_inputs(weights: Array, count: int) -> Array:
    """The weights (O, I, k, k) of a convolution for ``count`` inputs: cut off, or with zeros appended."""
    more = max(0, count - weights.shape[1])
    xp = backend.get_array_module(weights)
    return xp.pad(weights[:, :count], ((0, 0), (0, more), (0, 0), (0, 0)), 'constant')


def _copy_norm(path: str, source: Any, target: Any, bias: Array | float) -> None:
    """Copies a normalisation to whose input ``bias`` is no longer added."""
    if isinstance(source, GroupNorm) != isinstance(target, GroupNorm):
        raise TrainingError('Only one of the network to start from and the network to train has group '
                            'normalisation; choose one with the same kind of normalisation.')
    if isinstance(target, GroupNorm):
        for name in ('gamma', 'beta'):
            _assign(f'{path}/{name}', getattr(source, name), getattr(target, name))
        return
    if isinstance(target, FrozenAffine):
        scale, shift = _scale_and_shift(source)
        _assign(f'{path}/scale', scale, target.scale)
        _assign(f'{path}/shift', shift + scale * bias, target.shift)
        return
    if isinstance(source, FrozenAffine):
        raise _mismatch(f'{path}/gamma', None, target.gamma.shape)
    for name in ('gamma', 'beta', 'avg_mean', 'avg_var'):
        _assign(f'{path}/{name}', getattr(source, name), getattr(target, name))
    target.avg_mean -= bias
    # In a model file of half precision, a large variance may have become infinite.
    target.avg_var[...] = target.avg_var.clip(max=LARGEST_VARIANCE)


def _scale_and_shift(norm: Any) -> tuple[Array, Array]:
    """Batch normalisation with its running statistics, or a fixed scale and shift, as a pair of arrays."""
    if isinstance(norm, FrozenAffine):
        return norm.scale, norm.shift
    scale = norm.gamma.array / np.sqrt(norm.avg_var + norm.eps)
    return scale, norm.beta.array - norm.avg_mean * scale


def _assign(path: str, source: ArrayOrVariable, target: ArrayOrVariable) -> None:
    if source.shape != target.shape:
        raise _mismatch(path, source.shape, target.shape)
    as_array(target)[...] = as_array(source)


def _mismatch(path: str, found: tuple[int, ...] | None, needed: tuple[int, ...]) -> TrainingError:
    return TrainingError(f'The network to start from has {found or "nothing"} for {path}, but {needed} '
                         f'is needed; choose one of the same width and blocks.')
