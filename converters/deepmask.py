"""DeepMask and SharpMask as the Torch implementation saves them (table in models/deepmask/model.py).

All sizes are read from the weights; the settings saved beside them are not needed.
"""

import math
from typing import Any

import chainer

from chainer_seg.models.deepmask import DeepMask, SharpMask
from chainer_seg.models.deepmask.model import STEPS
from chainer_seg.models.deepmask.trunk import STRIDE
from converters.formats.torch7_values import Object, Table
from converters.resnet_sizes import count_resnet
from converters.torch_layers import fill_convolution, fill_linear
from converters.torch_modules import (
    Layer, check_size, children, layers, number, outputs_of, skip_leftovers, walk)
from converters.torch_resnet import fill_resnet, is_stage, resnet_arguments
from converters.weight_mapping import WeightMapping

NETWORKS = {'nn.DeepMask': DeepMask, 'nn.SharpMask': SharpMask}


def recognise(tree: object) -> str | None:
    """The name of the network in a tree; None if this module does not recognise it."""
    network = _network(tree)
    return network.class_name if network is not None else None


def build(tree: object, mapping: WeightMapping, config: dict[str, Any]) -> DeepMask | SharpMask:
    """The :class:`~chainer_seg.models.deepmask.DeepMask` or ``SharpMask`` of a file.

    Args:
        tree: As returned by the reader of the format.
        mapping: The :class:`~converters.weight_mapping.WeightMapping` of its arrays.
        config: Arguments of the class that override those found in the file.
    """
    network = _network(tree)
    assert network is not None  # recognise() has found it.
    trunk = _Trunk(network, mapping)
    score = _branch(network, 'scoreBranch', 2, mapping)
    arguments = {**trunk.arguments, 'hidden': outputs_of(score[0], mapping),
                 'dropout': _dropout(network, mapping)}
    if network.class_name == 'nn.SharpMask':
        return _sharpmask(network, trunk, score, arguments, config, mapping)
    mask, = _branch(network, 'maskBranch', 1, mapping)
    arguments.update(mask_size=_side(mask, mapping), target_size=_target_size(network, mapping))
    arguments.update(config)
    check_size(_count(arguments), mapping)
    model = mapping.make(DeepMask, arguments)
    trunk.fill(model, mapping)
    _fill_heads(model, score, mask, mapping)
    skip_leftovers(mapping)
    return model


class _Trunk:
    """The parts of a trunk in a file, and the model arguments that they determine."""

    def __init__(self, network: Object, mapping: WeightMapping) -> None:
        modules = children(_field(network, 'trunk', mapping))
        self.stages = [module for module in modules if is_stage(module)]
        if len(self.stages) != 3:
            mapping.fail(f'its trunk has {len(self.stages)} stages of residual blocks, expected 3')
        self.stem = modules[:modules.index(self.stages[0])]
        rest = modules[modules.index(self.stages[-1]) + 1:]
        self.rest = layers(rest, mapping)
        if len(self.rest) != 2:
            mapping.fail(f'its trunk ends with {len(self.rest)} layers with weights, expected 2')
        self.arguments = {
            **resnet_arguments(self.stem, self.stages, mapping),
            'patch_size': STRIDE * number(network, 'fSz', mapping),
            'bottleneck': outputs_of(self.rest[0], mapping), 'features': outputs_of(self.rest[1], mapping)}

    def fill(self, model: DeepMask | SharpMask, mapping: WeightMapping) -> None:
        fill_resnet(model.trunk.resnet, self.stem, self.stages, mapping)
        bottleneck, features = self.rest
        fill_convolution(model.trunk.bottleneck, bottleneck, mapping)
        fill_linear(model.trunk.features, features, mapping)


def _sharpmask(network: Object, trunk: _Trunk, score: list[Layer], arguments: dict[str, Any],
               config: dict[str, Any], mapping: WeightMapping) -> SharpMask:
    coarse, = _items(network, 'netvs', 0, 1, mapping)
    horizontal = {k: _items(network, 'neths', k, 3, mapping) for k in range(1, STEPS + 1)}
    vertical = {k: _items(network, 'netvs', k, 2, mapping) for k in range(1, STEPS + 1)}
    logit = _last_layer(network, mapping)
    mask = _branch(network, 'maskBranchDM', 1, mapping)[0] if network.get('maskBranchDM') else None
    window = arguments['patch_size'] // STRIDE
    arguments.update(
        mask_size=_side(mask, mapping) if mask else None,
        mask_channels=outputs_of(coarse, mapping) // max(window, 1) ** 2,
        skip_channels=outputs_of(horizontal[1][0], mapping))
    arguments.update(config)
    check_size(_count(arguments), mapping)
    model = mapping.make(SharpMask, arguments)
    trunk.fill(model, mapping)
    _fill_heads(model, score, mask, mapping)
    fill_linear(model.refine.coarse, coarse, mapping)
    for k in range(1, STEPS + 1):
        _fill_all(model.refine[f'horizontal{k}'], horizontal[k], mapping)
        _fill_all(model.refine[f'vertical{k}'], vertical[k], mapping)
    fill_convolution(model.refine.logit, logit, mapping)
    skip_leftovers(mapping)
    return model


def _count(arguments: dict[str, Any]) -> int:
    """The number of weights of a network, without building it and without its small convolutions."""
    window = arguments['patch_size'] // STRIDE
    bottleneck, features = arguments['bottleneck'], arguments['features']
    channels = arguments.get('mask_channels', 0)
    outputs = (arguments['hidden'] + (arguments['mask_size'] or 0) ** 2 + channels * window ** 2)
    widest = arguments['width'] * STRIDE
    return (count_resnet(arguments) + widest * bottleneck + bottleneck * window ** 2 * features
            + features * outputs + widest * 9 * arguments.get('skip_channels', 0))


def _fill_heads(model: DeepMask | SharpMask, score: list[Layer], mask: Layer | None,
                mapping: WeightMapping) -> None:
    hidden, logit = score
    fill_linear(model.score.hidden, hidden, mapping)
    fill_linear(model.score.logit, logit, mapping)
    if mask is not None:
        fill_linear(model.mask, mask, mapping)


def _fill_all(chain: chainer.Link, found: list[Layer], mapping: WeightMapping) -> None:
    for name, layer in zip(chain.names, found):
        fill_convolution(chain[name], layer, mapping)


def _network(tree: object) -> Object | None:
    """The network in a file, saved in a table with its settings or alone."""
    network = tree.get('model') if isinstance(tree, Table) else tree
    if isinstance(network, Object) and network.class_name in NETWORKS:
        return network
    return None


def _field(network: Object, name: str, mapping: WeightMapping) -> Object:
    module = network.get(name)
    if not isinstance(module, Object):
        mapping.fail(f'its {network.class_name} has no {name}')
    return module


def _branch(network: Object, name: str, count: int, mapping: WeightMapping) -> list[Layer]:
    return _counted(layers([_field(network, name, mapping)], mapping), count, name, mapping)


def _items(network: Object, name: str, number: int, count: int, mapping: WeightMapping) -> list[Layer]:
    """The layers of one of the nets of the refinement."""
    table = network.get(name)
    module = table.get(number) if isinstance(table, Table) else None
    if not isinstance(module, Object):
        mapping.fail(f'its {network.class_name} has no {name}[{number}]')
    return _counted(layers([module], mapping), count, f'{name}[{number}]', mapping)


def _last_layer(network: Object, mapping: WeightMapping) -> Layer:
    """The convolution behind the last step; the nets of the step itself are in neths and netvs."""
    table = network.get('refs')
    module = table.get(STEPS) if isinstance(table, Table) else None
    if not isinstance(module, Object):
        mapping.fail(f'its {network.class_name} has no refs[{STEPS}]')
    return _counted(layers(children(module)[1:], mapping), 1, f'refs[{STEPS}]', mapping)[0]


def _counted(found: list[Layer], count: int, name: str, mapping: WeightMapping) -> list[Layer]:
    if len(found) != count:
        mapping.fail(f'its {name} has {len(found)} layers with weights, expected {count}')
    return found


def _side(mask: Layer, mapping: WeightMapping) -> int:
    """The side of the square masks that a layer predicts."""
    outputs = outputs_of(mask, mapping)
    side = math.isqrt(outputs)
    if side * side != outputs:
        mapping.fail(f'its masks have {outputs} pixels, expected a square number')
    return side


def _target_size(network: Object, mapping: WeightMapping) -> int:
    """The side to which masks are upsampled for the loss; the side of the mask if they are not."""
    for module in walk([network['maskBranch']], mapping):
        if module.class_name == 'nn.SpatialReSamplingEx':
            return number(module, 'owidth', mapping)
    return _side(_branch(network, 'maskBranch', 1, mapping)[0], mapping)


def _dropout(network: Object, mapping: WeightMapping) -> float:
    for module in walk([network['scoreBranch']], mapping):
        if module.class_name == 'nn.Dropout':
            share = module.get('p')
            if not isinstance(share, float) or not 0 <= share < 1:
                mapping.fail(f'the field p of an nn.Dropout is {share!r}, expected a number from 0 to 1')
            return share
    return 0.0
