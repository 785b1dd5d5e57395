"""The modules of Torch's nn, cudnn and inn, and how their weights are copied into the links here."""

import re
import typing
from collections.abc import Iterator, Sequence, Set

import chainer
import numpy as np

from chainer_seg.links import FrozenAffine
from chainer_seg.links.batch_norm import EPS
from converters.formats.torch7_values import Object, Table, Tensor
from converters.weight_mapping import WeightMapping

CONVOLUTIONS = {'cudnn.SpatialConvolution', 'nn.SpatialConvolution', 'nn.SpatialConvolutionMM'}
FIXED_AFFINE = {'inn.ConstAffine', 'nn.SpatialConstDiagonal'}
BATCH_NORM = {'cudnn.SpatialBatchNormalization', 'nn.SpatialBatchNormalization'}
LINEAR = {'nn.Linear'}
MAX_POOLING = {'cudnn.SpatialMaxPooling', 'nn.SpatialMaxPooling'}
RELU = {'cudnn.ReLU', 'nn.ReLU', 'nn.Threshold'}
WEIGHTED = CONVOLUTIONS | FIXED_AFFINE | BATCH_NORM | LINEAR
CONTAINERS = {'nn.Sequential', 'nn.ConcatTable'}

# Modules without weights that the networks of this package have in the same places.
PLAIN = MAX_POOLING | RELU | {
    'nn.Dropout', 'nn.Identity', 'nn.CAddTable', 'nn.View',
    'nn.Reshape', 'nn.Copy', 'nn.SpatialSymmetricPadding', 'nn.SpatialZeroPadding',
    'nn.SpatialAveragePooling', 'cudnn.SpatialAveragePooling', 'nn.SpatialReSamplingEx',
    'nn.SpatialUpSamplingNearest'}

# Fields that play no part in what modules compute at inference.
SKIPPED_FIELDS = {
    **dict.fromkeys(('gradWeight', 'gradBias', 'gradInput', 'gradInputs', 'fgradInput', 'dl_dx',
                     'gradInputGpu', 'gradOutputGpu'), 'gradient of training'),
    'flattenedParams': 'the same weights in one vector',
    **dict.fromkeys(('output', 'indices', 'noise', 'finput', 'buffer', 'buffer2', 'centered', 'std',
                     'normalized', 'save_mean', 'save_std', 'addBuffer', 'weightBuffer', '_input',
                     '_output', '_gradOutput', 'inps', 'inputGpu', 'outputGpu'), 'result of a layer'),
}

# The number of updates that BatchNorm assumes behind the running statistics of a published network.
UPDATES = 300


class Layer(typing.NamedTuple):
    """A module with weights, and the width of the mirrored border around its input in pixels."""

    module: Object
    mirrored: int


def tensors(tree: object) -> dict[str, Tensor]:
    """All tensors of a tree by name, such as ``model.trunk[3].weight``, each once."""
    found: dict[str, Tensor] = {}
    seen, waiting = set(), [('', tree)]
    while waiting:
        name, node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, Tensor):
            found[name if name not in found else f'{name}#{len(found)}'] = node
        elif isinstance(node, Object):
            waiting.append((name, node.fields))
        elif isinstance(node, Table):
            waiting.extend((_child_name(name, key), value)
                           for key, value in reversed(list(node.items())))
    return found


def describe(tree: object) -> str:
    """A short description of a tree, for messages."""
    if isinstance(tree, Table):
        if isinstance(tree.get('model'), Object):
            return describe(tree['model'])
        keys = ', '.join(str(key) for key in list(tree)[:4])
        return f'a table of {len(tree)} ({keys})' if len(tree) else 'an empty table'
    if not isinstance(tree, Object):
        return repr(tree)[:60]
    inside = [getattr(child, 'class_name', repr(child)) for child in children(tree)]
    more = ', ...' if len(inside) > 4 else ''
    return f'{tree.class_name} ({", ".join(inside[:4])}{more})' if inside else tree.class_name


def skip_leftovers(mapping: WeightMapping) -> None:
    """Skips buffers that training and evaluation left in the modules."""
    for name, array in mapping.left():
        field = re.sub(r'(\[[^]]*\])+$', '', name).rpartition('.')[2]
        if field in SKIPPED_FIELDS:
            mapping.skip(array, SKIPPED_FIELDS[field])


def number(module: Object, name: str, mapping: WeightMapping, default: float | None = None) -> int:
    """An integer field.

    Raises:
        chainer_seg.errors.WeightFileError: It is missing or not an integer.
    """
    value = module.get(name, default)
    if not isinstance(value, (int, float)) or not -2 ** 31 < value < 2 ** 31 or value != int(value):
        mapping.fail(f'the field {name} of a {module.class_name} is {value!r}, expected a whole number')
    return int(value)


def children(module: Object) -> list:
    """The modules inside a container, in order."""
    modules = module.get('modules')
    return modules.sequence() if isinstance(modules, Table) else []


def walk(modules: Sequence, mapping: WeightMapping) -> Iterator[Object]:
    """All modules of a list and the modules inside them, in order.

    Raises:
        chainer_seg.errors.WeightFileError: A container occurs twice, perhaps inside itself.
    """
    seen, waiting = set(), list(reversed(modules))
    while waiting:
        module = waiting.pop()
        if not isinstance(module, Object):
            mapping.fail(f'it has {module!r}, expected a layer of the network')
        yield module
        if children(module):
            if id(module) in seen:
                mapping.fail(f'the same {module.class_name} occurs in two places')
            seen.add(id(module))
            waiting.extend(reversed(children(module)))


def layers(modules: Sequence, mapping: WeightMapping, plain: Set[str] = PLAIN) -> list[Layer]:
    """The layers with weights among modules and inside them, in order.

    Args:
        modules: The modules.
        mapping: The mapping of the file, for errors.
        plain: Classes of modules without weights that are allowed in between.

    Raises:
        chainer_seg.errors.WeightFileError: There is a module of a class that no network of this
            package has.
    """
    found, mirrored = [], 0
    for module in walk(modules, mapping):
        name = module.class_name
        if name in WEIGHTED:
            found.append(Layer(module, mirrored))
        elif name not in plain | CONTAINERS:
            mapping.fail(f'it has a {name}, which is not supported in this network')
        mirrored = number(module, 'pad_l', mapping) if name == 'nn.SpatialSymmetricPadding' else 0
    return found


def outputs_of(layer: Layer, mapping: WeightMapping) -> int:
    """The number of outputs of a layer, from the shape of its weight."""
    return (_tensor(layer.module, 'weight', mapping).shape or (0,))[0]


def check_size(count: int, mapping: WeightMapping) -> None:
    """Refuses shapes that need more weights than the file has numbers, before memory is allocated."""
    storages = {id(tensor.storage): tensor.storage for tensor in mapping.arrays() if tensor.storage}
    available = sum(len(storage.values) for storage in storages.values())
    if count > available:
        mapping.fail(f'its shapes need {count} weights, but it has {available} numbers')


def fill_linear(link: chainer.Link, layer: Layer, mapping: WeightMapping) -> None:
    """Copies an nn.Linear, or the convolution that the original's inference replaces it by, into a
    convolution."""
    _expect(layer, LINEAR | CONVOLUTIONS, mapping)
    weight = _tensor(layer.module, 'weight', mapping)
    mapping.fill(link.W.array, weight, _flat_shape(link) if len(weight.shape) == 2 else None)
    mapping.fill(link.b.array, _tensor(layer.module, 'bias', mapping))


def fill_convolution(link: chainer.Link, layer: Layer, mapping: WeightMapping) -> None:
    """Copies a convolution with a bias into ``link``, a Convolution2D of the same geometry."""
    _fill_weight(link, layer, mapping)
    mapping.fill(link.b.array, _tensor(layer.module, 'bias', mapping))


def fill_conv_norm(link: chainer.Link, convolution: Layer, norm: Layer, mapping: WeightMapping) -> None:
    """Copies a convolution and the normalisation behind it into a ConvNorm.

    If the link's convolution has no bias, a bias in the file is folded into the normalisation.
    """
    _fill_weight(link.conv, convolution, mapping, mirrored=link.mirrored)
    bias = convolution.module.get('bias')
    if link.conv.b is not None:
        mapping.fill(link.conv.b.array, _tensor(convolution.module, 'bias', mapping))
        bias = None
    channels = link.conv.W.shape[0]
    if bias is not None and bias.shape != (channels,):
        mapping.fail(f'{mapping.name(bias)} has the shape {bias.shape}, expected {(channels,)}')
    if isinstance(link.norm, FrozenAffine):
        _fill_affine(link.norm, norm, bias, mapping)
    else:
        _fill_batch_norm(link.norm, norm, bias, mapping)


def _fill_weight(link, layer, mapping, mirrored=1):
    _expect(layer, CONVOLUTIONS, mapping)
    module, weight = layer.module, _tensor(layer.module, 'weight', mapping)
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


def _flat_shape(link):
    outputs = link.W.shape[0]
    return outputs, link.W.size // outputs


def _fill_affine(link, layer, bias, mapping):
    """A fixed affine layer, or batch normalisation at inference, as scale and shift."""
    _expect(layer, FIXED_AFFINE | BATCH_NORM, mapping)
    found = layer.module.get
    if layer.module.class_name in BATCH_NORM:
        gamma, beta, mean, variance, eps = _statistics(layer.module, len(link.scale), mapping)
        scale = gamma / np.sqrt(variance + eps)
        shift = beta - mean * scale
        sources = ((found('weight'), _variance(layer.module)), (found('bias'), found('running_mean')))
    else:
        # The oldest files have them as 1xCx1x1.
        scale, shift = (_channels(layer.module, name, len(link.scale), mapping) for name in 'ab')
        sources = (found('a'),), (found('b'),)
    mapping.put(link.scale, scale, *sources[0])
    mapping.put(link.shift, shift + scale * _numbers(bias, mapping), *sources[1], bias)


def _fill_batch_norm(link, layer, bias, mapping):
    _expect(layer, BATCH_NORM, mapping)
    found = layer.module.get
    gamma, beta, mean, variance, eps = _statistics(layer.module, link.gamma.size, mapping)
    mapping.put(link.gamma.array, gamma, found('weight'))
    mapping.put(link.beta.array, beta, found('bias'))
    mapping.put(link.avg_mean, mean - _numbers(bias, mapping), found('running_mean'), bias)
    mapping.put(link.avg_var, variance + eps - EPS, _variance(layer.module))
    link.N = UPDATES


def _numbers(bias, mapping):
    """The values of a convolution's bias, 0 if it has none."""
    return 0 if bias is None else mapping.use(bias)


def _variance(module):
    """The variance tensor of a batch normalisation, in the old or the new form."""
    found = module.get('running_var')
    return module.get('running_std') if found is None else found


def _statistics(module, channels, mapping):
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


def _channels(module, name, channels, mapping):
    """One value for each channel, as float64."""
    tensor = _tensor(module, name, mapping)
    if tensor.shape not in ((channels,), (1, channels, 1, 1)):
        mapping.fail(f'{mapping.name(tensor)} has the shape {tensor.shape}, expected {(channels,)}')
    return mapping.use(tensor).reshape(-1).astype(np.float64)


def _tensor(module, name, mapping):
    tensor = module.get(name)
    if not isinstance(tensor, Tensor):
        mapping.fail(f'a {module.class_name} has no {name}')
    if tensor.array.size > len(tensor.storage.values if tensor.storage else ()):
        mapping.fail(f'{mapping.name(tensor)} repeats the elements of its storage')
    return tensor


def _expect(layer, classes, mapping):
    if layer.module.class_name not in classes:
        mapping.fail(f'it has a {layer.module.class_name}, expected one of '
                     f'{", ".join(sorted(classes))}')


def _child_name(name, key):
    if key == 'modules':
        return name
    if isinstance(key, str):
        return f'{name}.{key}' if name else key
    return f'{name}[{key:g}]' if isinstance(key, float) else f'{name}[{key!r}]'
