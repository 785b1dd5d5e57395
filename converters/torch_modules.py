"""The modules of Torch's nn, cudnn and inn: their classes, their order, and the tensors in them."""

import re
import typing
from collections.abc import Iterator, Sequence, Set

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
    inside = [class_name(child) or repr(child) for child in children(tree)]
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


def class_name(value: object) -> str | None:
    """The class of a module; None for any other value."""
    return value.class_name if isinstance(value, Object) else None


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


def tensor_of(module: Object, name: str, mapping: WeightMapping) -> Tensor:
    """A tensor of a module.

    Raises:
        chainer_seg.errors.WeightFileError: There is none, or it repeats the elements of its storage.
    """
    tensor = module.get(name)
    if not isinstance(tensor, Tensor):
        mapping.fail(f'a {module.class_name} has no {name}')
    if tensor.array.size > len(tensor.storage.values if tensor.storage else ()):
        mapping.fail(f'{mapping.name(tensor)} repeats the elements of its storage')
    return tensor


def outputs_of(layer: Layer, mapping: WeightMapping) -> int:
    """The number of outputs of a layer, from the shape of its weight."""
    return (tensor_of(layer.module, 'weight', mapping).shape or (0,))[0]


def check_size(count: int, mapping: WeightMapping) -> None:
    """Refuses shapes that need more weights than the file has numbers, before memory is allocated."""
    storages = {id(tensor.storage): tensor.storage for tensor in mapping.arrays() if tensor.storage}
    available = sum(len(storage.values) for storage in storages.values())
    if count > available:
        mapping.fail(f'its shapes need {count} weights, but it has {available} numbers')


def _child_name(name: str, key: object) -> str:
    if key == 'modules':
        return name
    if isinstance(key, str):
        return f'{name}.{key}' if name else key
    return f'{name}[{key:g}]' if isinstance(key, float) else f'{name}[{key!r}]'
