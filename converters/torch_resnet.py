"""The ResNets of fb.resnet.torch, as classifiers and as the trunk of DeepMask.

Supported are bottleneck and basic blocks, networks for ImageNet and for images of 32 pixels, with another
head or without one, and networks wrapped in multi-GPU containers.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import chainer
import numpy as np

from chainer_seg.links import ResNet
from chainer_seg.links.resnet import BasicBlock
from chainer_seg.models.classifier import ResNetClassifier
from converters.formats.torch7_values import Object, Table
from converters.resnet_sizes import count_resnet, out_width_of
from converters.torch_layers import fill_conv_norm, fill_linear
from converters.torch_modules import (
    BATCH_NORM, CONVOLUTIONS, FIXED_AFFINE, MAX_POOLING, RELU, Layer, check_size, children,
    class_name, layers, number, outputs_of, skip_leftovers, tensors, walk)
from converters.weight_mapping import WeightMapping

_KEYS = ('model', 'net', 'network')  # Keys of the network in tables that also contain settings.
_REPLICATED = {'nn.DataParallelTable', 'nn.DataParallel'}
# Modules allowed behind the last stage beside the head: its input, and the softmax.
_TAIL = {'nn.SpatialAveragePooling', 'cudnn.SpatialAveragePooling', 'nn.View', 'nn.Reshape',
         'nn.Squeeze', 'nn.Dropout', 'nn.Identity', 'nn.Copy', 'nn.SoftMax', 'nn.LogSoftMax',
         'cudnn.SoftMax', 'cudnn.LogSoftMax'}
_ORDERS = {'bottleneck': 'cnrcnrcn', 'basic': 'cnrcn'}  # Convolutions, normalisations, ReLUs of a block.


def recognise(tree: object) -> str | None:
    """The name of the network in a tree; None if this module does not recognise it."""
    stages = [module for module in _modules(tree) if is_stage(module)]
    return 'ResNet of fb.resnet.torch' if len(stages) >= 2 else None


def build(tree: object, mapping: WeightMapping, config: dict[str, Any]) -> ResNetClassifier:
    """The :class:`~chainer_seg.models.classifier.ResNetClassifier` of a file.

    Args:
        tree: As returned by the reader of the format.
        mapping: The :class:`~converters.weight_mapping.WeightMapping` of its arrays.
        config: Arguments of the class that override those found in the file.

    A network without a layer behind its stages becomes a model without logits.
    """
    modules = _modules(tree)
    places = [place for place, module in enumerate(modules) if is_stage(module)]
    stages = [modules[place] for place in places]
    if places != list(range(places[0], places[-1] + 1)):
        mapping.fail(f'it has a {modules[places[0] + len(places)].class_name} between its stages')
    stem, head = modules[:places[0]], _head(modules[places[-1] + 1:], mapping)
    arguments = {**resnet_arguments(stem, stages, mapping), **_kind(stem, stages, mapping),
                 'n_class': None if head is None else outputs_of(head, mapping),
                 'stride_on': '3x3', **config}
    features = out_width_of(arguments) * 2 ** (len(stages) - 1)
    check_size(count_resnet(arguments) + features * (arguments['n_class'] or 0), mapping)
    model = mapping.make(ResNetClassifier, arguments)
    fill_resnet(model.resnet, stem, stages, mapping)
    if head is not None:
        fill_linear(model.logits, head, mapping)
    _skip_replicas(_replicas(tree), mapping)
    skip_leftovers(mapping)
    return model


def _walk(tree: object, inside: Callable[[Object], list[Object]]) -> Iterator[Object]:
    """Each module of a file once, in order, with the modules that ``inside`` finds in it."""
    seen, waiting = set(), [tree]
    while waiting:
        module = waiting.pop()
        if isinstance(module, Table):
            waiting += [module[key] for key in _KEYS if isinstance(module.get(key), Object)][:1]
        elif isinstance(module, Object) and id(module) not in seen:
            seen.add(id(module))
            yield module
            waiting += reversed(inside(module))


def _is_flattened(module: Object) -> bool:
    return module.class_name == 'nn.Sequential' and not is_stage(module) and not _is_block(module)


def _modules(tree: object) -> list[Object]:
    """The modules of a network in order; containers around its stages are flattened."""
    def inside(module: Object) -> list[Object]:
        if module.class_name in _REPLICATED:
            return children(module)[:1]
        return children(module) if _is_flattened(module) else []
    return [module for module in _walk(tree, inside)
            if module.class_name not in _REPLICATED and not _is_flattened(module)]


def _replicas(tree: object) -> list[list[Object]]:
    """For each multi-GPU container, the list of its replicas."""
    return [children(module) for module in _walk(tree, children) if module.class_name in _REPLICATED]


def _skip_replicas(replicas: list[list[Object]], mapping: WeightMapping) -> None:
    """Skips the replicas of other GPUs, except weights that differ from those of the first."""
    for first, *others in replicas:
        known = tensors(first)
        for other in others:
            for name, tensor in tensors(other).items():
                if known.get(name) is tensor:
                    continue
                if name in known and np.array_equal(known[name].array, tensor.array):
                    mapping.skip(tensor, 'the same weights for another GPU')
                elif name.rpartition('.')[2].startswith('running_'):
                    mapping.skip(tensor, 'statistics of another GPU')


def _head(modules: list[Object], mapping: WeightMapping) -> Layer | None:
    """The layer of the logits; None if there is none behind the stages."""
    found = layers(modules, mapping, _TAIL)
    if len(found) > 1:
        names = ', '.join(layer.module.class_name for layer in found)
        mapping.fail(f'it has {len(found)} layers with weights behind its stages ({names}), expected one '
                     f'layer of logits, or none')
    return found[0] if found else None


def _kind(stem: list[Object], stages: list[Object], mapping: WeightMapping) -> dict[str, Any]:
    """The kinds of blocks, shortcuts and stem, by the first convolutions of the branches."""
    convolution, _ = _stem_layers(stem, mapping)
    blocks = [[_shortcut_kind(block) for block in _blocks(stage)] for stage in stages]
    order = _order(_branches(_blocks(stages[0])[0], mapping)[0], mapping)
    block = 'basic' if order == _ORDERS['basic'] else 'bottleneck'
    return {'block': block, 'shortcut': _shortcut(blocks, block),
            'stem_size': number(convolution.module, 'kW', mapping)}


def _shortcut(stages: list[list[str | None]], block: str) -> str:
    """The type of shortcuts in a network, from the kinds of each block of each stage."""
    found = {kind for stage in stages for kind in stage}
    if any('B' in stage[1:] for stage in stages) or block == 'basic' and found == {'B'}:
        return 'C'
    return 'A' if 'A' in found else 'B'


def _shortcut_kind(block: Object) -> str | None:
    """'A' for subsampling with zero padding, 'B' for a projection, None for the identity."""
    branches = children(children(block)[0])
    inside = children(branches[1]) if len(branches) == 2 else []
    names = {class_name(module) for module in inside}
    return 'A' if 'nn.Concat' in names else 'B' if names & CONVOLUTIONS else None


def is_stage(module: object) -> bool:
    """Whether a module is a sequence of residual blocks."""
    return bool(_blocks(module))


def resnet_arguments(stem: Sequence[Object], stages: Sequence[Object],
                     mapping: WeightMapping) -> dict[str, Any]:
    """The number of blocks, the width and the norm of a ResNet, from its modules."""
    convolution, norm = _stem_layers(stem, mapping)
    _check_pooling(stem, mapping)
    return {'blocks': [len(_blocks(stage)) for stage in stages],
            'width': outputs_of(convolution, mapping),
            'norm': 'batch' if norm.module.class_name in BATCH_NORM else 'affine'}


def fill_resnet(resnet: ResNet, stem: Sequence[Object], stages: Sequence[Object],
                mapping: WeightMapping) -> None:
    """Copies the modules of a ResNet into a :class:`chainer_seg.links.ResNet` of the same blocks."""
    convolution, norm = _stem_layers(stem, mapping)
    fill_conv_norm(resnet.stem, convolution, norm, mapping)
    for name, stage in zip(resnet.stage_names, stages):
        for link, block in zip(resnet[name], _blocks(stage)):
            _fill_block(link, block, mapping)


def _fill_block(link: chainer.Link, block: Object, mapping: WeightMapping) -> None:
    main, shortcut = _branches(block, mapping)
    basic, order = isinstance(link, BasicBlock), _order(main, mapping)
    needed = _ORDERS['basic' if basic else 'bottleneck']
    if order != needed:
        mapping.fail(f'a residual block has {order.count("c")} convolutions, expected '
                     f'{needed.count("c")}')
    places = (link.first, link.second) if basic else (link.reduce, link.middle, link.expand)
    found = layers([main], mapping)
    for place, convolution, norm in zip(places, found[::2], found[1::2]):
        fill_conv_norm(place, convolution, norm, mapping)
    if basic and not link.projects and (link.stride != 1 or link.new_channels):
        _check_subsampling(shortcut, link, mapping)
        return
    found = layers([shortcut], mapping)
    if len(found) != 2 * link.projects:
        mapping.fail(f'a residual block has a shortcut with {len(found) // 2} convolutions, expected '
                     f'{int(link.projects)}')
    if link.projects:
        fill_conv_norm(link.shortcut, found[0], found[1], mapping)


def _branches(block: Object, mapping: WeightMapping) -> list[Object]:
    """The convolutions and the shortcut of a block, whose sum goes through a ReLU."""
    modules = children(block)
    branches = children(modules[0])
    names = [class_name(module) or repr(module) for module in modules[1:]]
    if len(branches) != 2 or names[:1] != ['nn.CAddTable'] or len(names) != 2 or names[1] not in RELU:
        mapping.fail(f'a residual block has {len(branches)} branches and then {", ".join(names)}, expected '
                     f'2 branches, nn.CAddTable and a ReLU; networks with normalisation in '
                     f'front of convolutions cannot be converted')
    return branches


def _order(main: Object, mapping: WeightMapping) -> str:
    """The convolutions (c), normalisations (n) and ReLUs (r) of a branch in order, one of the known."""
    kinds = [(CONVOLUTIONS, 'c'), (BATCH_NORM | FIXED_AFFINE, 'n'), (RELU, 'r')]
    order = ''.join(letter for module in walk([main], mapping) for classes, letter in kinds
                    if module.class_name in classes)
    if order not in _ORDERS.values():
        mapping.fail(f'a residual block has {order.count("c")} convolutions, {order.count("n")} '
                     f'normalisations and {order.count("r")} ReLUs in the order {order}, expected '
                     f'{" or ".join(_ORDERS.values())}')
    return order


def _check_subsampling(shortcut: Object, link: chainer.Link, mapping: WeightMapping) -> None:
    """Refuses a shortcut that is not every n-th pixel beside as many zeros (option A there)."""
    inside = children(shortcut)
    names = [class_name(module) for module in inside]
    parts = children(inside[1]) if len(inside) == 2 else []
    kinds = [class_name(module) for module in parts]
    pooled = [name.partition('.')[2] if name else name for name in names]
    if pooled != ['SpatialAveragePooling', 'Concat'] or kinds != ['nn.Identity', 'nn.MulConstant']:
        mapping.fail('a residual block that changes the shape has a shortcut without a convolution that '
                     'is not every n-th pixel beside zeros')
    fields = [number(inside[0], name, mapping) for name in ('kW', 'kH', 'dW', 'dH')]
    fields += [number(inside[1], 'dimension', mapping), number(parts[1], 'constant_scalar', mapping)]
    if fields != [1, 1, link.stride, link.stride, 2, 0]:
        mapping.fail(f'the shortcut of a residual block has the sizes, strides, dimension and factor '
                     f'{fields}, expected {[1, 1, link.stride, link.stride, 2, 0]}')


def _check_pooling(stem: Sequence[Object], mapping: WeightMapping) -> None:
    found = [module for module in stem if module.class_name in MAX_POOLING]
    convolution, _ = _stem_layers(stem, mapping)
    if number(convolution.module, 'kW', mapping) == 3 and not found:  # For images of 32 pixels.
        return
    fields = [(number(module, 'kW', mapping), number(module, 'dW', mapping),
               number(module, 'padW', mapping, default=0), module.get('ceil_mode', False))
              for module in found]
    if fields != [(3, 2, 1, False)]:
        mapping.fail('its stem does not end with one max pooling of size 3, stride 2, padding 1 and '
                     'sides rounded down')


def _stem_layers(stem: Sequence[Object], mapping: WeightMapping) -> list[Layer]:
    found = layers(stem, mapping)
    if len(found) != 2:
        mapping.fail(f'its stem has {len(found)} layers with weights, expected 2')
    return found


def _blocks(stage: object) -> list[Object]:
    """The residual blocks of a stage; none where the module is no stage."""
    if not isinstance(stage, Object) or stage.class_name != 'nn.Sequential':
        return []
    blocks = children(stage)
    return blocks if all(map(_is_block, blocks)) else []


def _is_block(module: Object) -> bool:
    if not isinstance(module, Object) or module.class_name != 'nn.Sequential':
        return False
    first = children(module)[:1]
    return bool(first) and isinstance(first[0], Object) and first[0].class_name == 'nn.ConcatTable'
