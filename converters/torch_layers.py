"""The layers of Torch networks, and how their weights are copied into links."""

from collections.abc import Set

import chainer
import numpy as np

from chainer_seg.links import FrozenAffine
from chainer_seg.links.batch_norm import EPS
from converters.formats.torch7_values import Object, Tensor
from converters.torch_modules import (
    BATCH_NORM,
    CONVOLUTIONS,
    FIXED_AFFINE,
    LINEAR,
    Layer,
    number,
    tensor_of,
)
from converters.weight_mapping import UPDATES, WeightMapping


def fill_linear(link: chainer.Link, layer: Layer, mapping: WeightMapping) -> None:
    """Copies an nn.Linear, or the convolution that the original's inference replaces it by, into a
    convolution."""
    _expect(layer, LINEAR | CONVOLUTIONS, mapping)
    weight = tensor_of(layer.module, 'weight', mapping)
    mapping.fill(link.W.array, weight, _flat_shape(link) if len(weight.shape) == 2 else None)
    mapping.fill(link.b.array, tensor_of(layer.module, 'bias', mapping))


def fill_convolution(link: chainer.Link, layer: Layer, mapping: WeightMapping) -> None:
    """Copies a convolution with a bias into ``link``, a Convolution2D of the same geometry."""
    _fill_weight(link, layer, mapping)
    mapping.fill(link.b.array, tensor_of(layer.module, 'bias', mapping))


def fill_conv_norm(link: chainer.Link, convolution: Layer, norm: Layer, mapping: WeightMapping) -> None:
    """Copies a convolution and the normalisation behind it into a ConvNorm.

    If the link's convolution has no bias, a bias in the file is folded into the normalisation.
    """
    _fill_weight(link.conv, convolution, mapping, mirrored=link.mirrored)
    bias = convolution.module.get('bias')
    if link.conv.b is not None:
        mapping.fill(link.conv.b.array, tensor_of(convolution.module, 'bias', mapping))
        bias = None
    channels = link.conv.W.shape[0]
    if bias is not None and bias.shape != (channels,):
        mapping.fail(f'{mapping.name(bias)} has the shape {bias.shape}, expected {(channels,)}')
    if isinstance(link.norm, FrozenAffine):
        _fill_affine(link.norm, norm, bias, mapping)
    else:
        _fill_batch_norm(link.norm, norm, bias, mapping)


def _fill_weight(link: chainer.Link, layer: Layer, mapping: WeightMapping, mirrored: int = 1) -> None:
    _expect(layer, CONVOLUTIONS, mapping)
    module, weight = layer.module, tensor_of(layer.module, 'weight', mapping)
    geometry = {'kW': link.ksize, 'kH': link.ksize, 'dW': link.stride[1], 'dH': link.stride[0],
                'padW': link.pad[1], 'padH': link.pad[0], 'groups': 1}
    for name, needed in geometry.items():
        found = number(module, name, mapping, default=0 if name.startswith('pad') else 1)
        if found != needed:
            mapping.fail(f'the convolution of {mapping.name(weight)} has {name} = {found}, '
                         f'expected {needed}')
    needed = mirrored if link.ksize > 1 else 0
    if layer.mirrored != needed:
        mapping.fail(f'the convolution of {mapping.name(weight)} has a border of {layer.mirrored} '
                     f'mirrored pixels, expected {needed}')
    # nn.SpatialConvolutionMM keeps its weight as a matrix.
    mapping.fill(link.W.array, weight, _flat_shape(link) if len(weight.shape) == 2 else None)


def _flat_shape(link: chainer.Link) -> tuple[int, ...]:
    outputs = link.W.shape[0]
    return outputs, link.W.size // outputs


def _fill_affine(link: chainer.Link, layer: Layer, bias: Tensor | None, mapping: WeightMapping) -> None:
    """A fixed affine layer, or batch normalisation at inference, as scale and shift."""
    _expect(layer, FIXED_AFFINE | BATCH_NORM, mapping)
    found = layer.module.get
    if layer.module.class_name in BATCH_NORM:
        gamma, beta, mean, variance, eps = _statistics(layer.module, len(link.scale), mapping)
        scale = gamma / np.sqrt(variance + eps)
        shift = beta - mean * scale
        sources: tuple[tuple, tuple] = (
            (found('weight'), _variance(layer.module)), (found('bias'), found('running_mean')))
    else:
        # The oldest files have them as 1xCx1x1.
        scale, shift = (_channels(layer.module, name, len(link.scale), mapping) for name in 'ab')
        sources = (found('a'),), (found('b'),)
    mapping.put(link.scale, scale, *sources[0])
    mapping.put(link.shift, shift + scale * _numbers(bias, mapping), *sources[1], bias)


def _fill_batch_norm(link: chainer.Link, layer: Layer, bias: Tensor | None, mapping: WeightMapping) -> None:
    _expect(layer, BATCH_NORM, mapping)
    found = layer.module.get
    gamma, beta, mean, variance, eps = _statistics(layer.module, link.gamma.size, mapping)
    mapping.put(link.gamma.array, gamma, found('weight'))
    mapping.put(link.beta.array, beta, found('bias'))
    mapping.put(link.avg_mean, mean - _numbers(bias, mapping), found('running_mean'), bias)
    mapping.put(link.avg_var, variance + eps - EPS, _variance(layer.module))
    link.N = UPDATES


def _numbers(bias: Tensor | None, mapping: WeightMapping) -> np.ndarray | float:
    """The values of a convolution's bias, 0 if it has none."""
    return 0 if bias is None else mapping.use(bias)


def _variance(module: Object) -> Tensor | None:
    """The variance tensor of a batch normalisation, in the old or the new form."""
    found = module.get('running_var')
    return module.get('running_std') if found is None else found


def _statistics(module: Object, channels: int,
                mapping: WeightMapping) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, float]:
    """gamma, beta, mean and variance as float64, and eps, of a batch normalisation."""
    affine = module.get('weight') is not None
    gamma = _channels(module, 'weight', channels, mapping) if affine else np.ones(channels)
    beta = _channels(module, 'bias', channels, mapping) if affine else np.zeros(channels)
    mean, eps = _channels(module, 'running_mean', channels, mapping), module.get('eps', EPS)
    if not isinstance(eps, float) or not 0 <= eps < 1:
        mapping.fail(f'the field eps of a {module.class_name} is {eps!r}')
    if module.get('running_var') is None:
        # Until 2015 nn kept 1 / sqrt(variance + eps) under this name.
        variance = _channels(module, 'running_std', channels, mapping) ** -2.0 - eps
    else:
        variance = _channels(module, 'running_var', channels, mapping)
    return gamma, beta, mean, variance, eps


def _channels(module: Object, name: str, channels: int, mapping: WeightMapping) -> np.ndarray:
    """One value for each channel, as float64."""
    tensor = tensor_of(module, name, mapping)
    if tensor.shape not in ((channels,), (1, channels, 1, 1)):
        mapping.fail(f'{mapping.name(tensor)} has the shape {tensor.shape}, expected {(channels,)}')
    return mapping.use(tensor).reshape(-1).astype(np.float64)


def _expect(layer: Layer, classes: Set[str], mapping: WeightMapping) -> None:
    if layer.module.class_name not in classes:
        mapping.fail(f'it has a {layer.module.class_name}, expected one of '
                     f'{", ".join(sorted(classes))}')
