"""Networks other than ResNets from which a YOLACT starts, as PyTorch saves them.

DarkNet-53 has the names of the original YOLACT's file (backbone.py there), the others those of torchvision
(models/mobilenetv2.py and models/efficientnet.py).
"""

import re
from collections.abc import Iterator
from typing import Any

import chainer

from chainer_seg.links.inverted_residual import round_channels
from chainer_seg.models.yolact import YolactBackbone
from converters.torch_checkpoint import prefix_of, skip_training
from converters.torch_state import State
from converters.trees import named_arrays
from converters.weight_mapping import WeightMapping

STEM = '_preconv.0.weight'  # of a DarkNet
_STAGE = 'layers.{}'
_BLOCKS = (1, 2, 8, 8, 4)

# An array that each network has, and its name here.
_KINDS = {STEM: 'darknet53', 'features.2.conv.1.0.weight': 'mobilenetv2',
          'features.2.0.block.1.0.weight': 'efficientnet-b0'}
_TITLES = {'darknet53': 'DarkNet-53', 'mobilenetv2': 'MobileNetV2', 'efficientnet-b0': 'EfficientNet'}
_LAST_CHANNELS = 320  # of both networks of torchvision at a width of 1
_LAST = {'mobilenetv2': 'features.17.conv.2.weight', 'efficientnet-b0': 'features.7.0.block.3.0.weight'}
_WIDTHS = (0.1, 0.25, 0.35, 0.5, 0.75, 1.0, 1.3, 1.4)  # published, and 0.1
_HEAD = re.compile(r'(features\.(18|8)\.[01]|classifier\.\d|fc|linear)\.\w+')


def recognise(tree: object) -> str | None:
    """The name of the network in a tree; None if this module does not recognise it."""
    found = _find(tree)
    return f'{_TITLES[found[0]]} of PyTorch' if found else None


def build(tree: object, mapping: WeightMapping, config: dict[str, Any]) -> YolactBackbone:
    """The :class:`~chainer_seg.models.yolact.YolactBackbone` of a file.

    Args:
        tree: As returned by the reader of the format.
        mapping: The :class:`~converters.weight_mapping.WeightMapping` of its arrays.
        config: Arguments of the class that override those found in the file.

    What classifies images is skipped.
    """
    found = _find(tree)
    assert found is not None  # Recognised.
    kind, prefix = found
    state = State(tree, mapping, prefix)
    sizes = darknet_sizes(state) if kind == 'darknet53' else {'width': _factor(state, _LAST[kind])}
    model = mapping.make(YolactBackbone, {'backbone': kind, **sizes, **config})
    if kind == 'darknet53':
        fill_darknet(model.net, state)
    else:
        _fill_inverted(model.net, state, kind)
    for name, array in state.arrays.items():
        if _HEAD.fullmatch(name):
            mapping.skip(array, 'classifier of ImageNet')
    skip_training(tree, mapping)
    return model


def _find(tree: object) -> tuple[str, str] | None:
    """The kind of a network, and the prefix of its names."""
    names = named_arrays(tree)
    for array, kind in _KINDS.items():
        prefix = prefix_of(names, array)
        if prefix is not None:
            return kind, prefix
    return None


def darknet_sizes(state: State, prefix: str = '') -> dict[str, Any]:
    """The width of a DarkNet, and its blocks if they are not those of DarkNet-53."""
    stage = prefix + _STAGE
    blocks = tuple(state.count(f'{stage.format(number)}.{{}}.conv1.0.weight', first=1)
                   for number in range(state.count(stage + '.0.0.weight')))
    sizes = {'width': state.shape(prefix + STEM, 4)[0]}
    return sizes if blocks == _BLOCKS else {**sizes, 'blocks': blocks}


def fill_darknet(darknet: chainer.Chain, state: State, prefix: str = '') -> None:
    """Copies a DarkNet whose names begin with a prefix."""
    state.fill_conv_norm(darknet.stem, f'{prefix}_preconv.0', f'{prefix}_preconv.1')
    for number, stage in enumerate(darknet.stage_names):
        down, *blocks = darknet[stage]
        name = prefix + _STAGE.format(number)
        state.fill_conv_norm(down, f'{name}.0.0', f'{name}.0.1')
        for index, block in enumerate(blocks, start=1):
            for link, layer in ((block.reduce, 'conv1'), (block.expand, 'conv2')):
                state.fill_conv_norm(link, f'{name}.{index}.{layer}.0', f'{name}.{index}.{layer}.1')


def _factor(state: State, last: str) -> float:
    """The factor of all channels, from those of the last block."""
    found = state.shape(last, 4)[0]
    fitting = [width for width in _WIDTHS if round_channels(_LAST_CHANNELS * width) == found]
    if not fitting:
        state.mapping.fail(f'its last block has {found} channels, which is {_LAST_CHANNELS} times none of '
                           f'the widths {", ".join(map(str, _WIDTHS))}; only these are supported')
    return fitting[0]


def _fill_inverted(net: chainer.Chain, state: State, kind: str) -> None:
    state.fill_conv_norm(net.stem, 'features.0.0', 'features.0.1')
    blocks = [block for name in net.stage_names for block in net[name]]
    names = _mobilenet_blocks(state) if kind == 'mobilenetv2' else _efficientnet_blocks(state)
    for block, name in zip(blocks, names):
        parts = [block.expand] if block.expands else []
        for number, link in enumerate([*parts, block.depthwise]):
            state.fill_conv_norm(link, f'{name}.{number}.0', f'{name}.{number}.1')
        last = len(parts) + 1
        if block.squeezes:
            for link, layer in ((block.excite.squeeze, 'fc1'), (block.excite.restore, 'fc2')):
                weight = state[f'{name}.{last}.{layer}.weight']  # A 1x1 convolution there.
                state.mapping.fill(link.W.array, weight, link.W.shape + (1, 1))
                state.mapping.fill(link.b.array, state[f'{name}.{last}.{layer}.bias'])
            last += 1
        projection = (f'{name}.{last}.0', f'{name}.{last}.1') if kind != 'mobilenetv2' else (
            f'{name}.{last}', f'{name}.{last + 1}')
        state.fill_conv_norm(block.project, *projection)


def _mobilenet_blocks(state: State) -> Iterator[str]:
    count = state.count('features.{}.conv.0.0.weight', first=1)
    return (f'features.{number}.conv' for number in range(1, count + 1))


def _efficientnet_blocks(state: State) -> Iterator[str]:
    for stage in range(1, state.count('features.{}.0.block.0.0.weight', first=1) + 1):
        for number in range(state.count(f'features.{stage}.{{}}.block.0.0.weight')):
            yield f'features.{stage}.{number}.block'
