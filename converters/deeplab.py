"""DeepLab-v2 on a ResNet (arXiv 1606.00915), and click models (arXiv 1603.04042), of any framework.

The layers have the names of Caffe's files, which TensorFlow's kept. They are accessed through a
:class:`~converters.layer_view.LayerView`, such as :class:`converters.caffe_layers.CaffeLayers`. If the
format stores strides and dilations they are read, otherwise the published ones are assumed.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import chainer
from chainer import links as L

from chainer_seg.errors import quoted
from chainer_seg.models.deeplab import ClickSegmenter, DeepLab
from chainer_seg.published_classes import PASCAL_NAMES
from converters.caffe_layers import check_size, fill_resnet
from converters.class_names import class_names
from converters.click_model import COLOURS, SHARED, click_model
from converters.layer_view import LayerView, natural_order
from converters.resnet_sizes import bottleneck_sizes
from converters.weight_mapping import WeightMapping

VOC_CLASSES = ('background', *PASCAL_NAMES)

_PUBLISHED_PYRAMID = (6, 12, 18, 24)
_STEM = {'stride': 2, 'dilation': 1, 'pad': 3}
_STEM_POOLING = {'kernel_size': 3, 'stride': 2}
# The published strides and dilations, for files that do not store them.
_STRIDES, _DILATIONS = (1, 2, 1, 1), (1, 1, 2, 4)
_MOST_CLICK_LOGITS = 2  # One for the object, or one for the background and one for the object.


def build(layers: LayerView, config: dict[str, Any], click_scale: float = 1.0,
          click_mean: float = 0.0) -> DeepLab | ClickSegmenter:
    """Builds a DeepLab, or a click model, from the layers of a file.

    Args:
        layers: A view of the layers.
        config: Arguments of :class:`~chainer_seg.models.deeplab.DeepLab` or
            :class:`~chainer_seg.models.deeplab.ClickSegmenter` that override those found in the file.
            Further options: ``class_names``; ``click``, whether to build a click model (default: if the
            network has click inputs); ``click_weights``, the weights of the click inputs if the network
            has none: an array (width, 2 or 3, 7, 7) or the path of an .npy file (default: zeros).
        click_scale, click_mean: The encoding of clicks in click models of this format.

    Returns:
        The model. A click model has one logit: the difference of two logits, because their softmax is
        the sigmoid of the difference; a head with more classes is replaced by zeros, to be trained.
    """
    config = dict(config)
    names, click = config.pop('class_names', None), config.pop('click', None)
    branches = sorted(layers.heads()[0], key=natural_order)
    if not branches:
        layers.mapping.fail('no convolution with weights reads the last stage of its ResNet')
    weights = config.pop('click_weights', None)
    found = _arguments(layers, branches)
    _record_assumptions(layers, found, config, branches)
    known = [name for name in config if name in found or name in SHARED]
    arguments = {**found, **{name: config.pop(name) for name in known}}
    if arguments['pyramid'] is None:
        layers.mapping.fail('the dilations of its head are not in the file; give them as pyramid')
    if click not in (None, True, False):
        layers.mapping.fail(f'the configuration has click = {quoted(click)}, expected true or false')
    if click is None:
        click = arguments['in_channels'] > COLOURS
    if weights is not None and not click:
        layers.mapping.fail('click_weights require a click model; add click=true')
    if click:
        _prepare_click(arguments, layers.mapping)
    check_size(arguments, layers.mapping)
    network = layers.mapping.make(DeepLab, {**arguments, **({} if click else config)},
                                 'class_names', 'click', 'click_weights')
    fill_resnet(network.resnet, layers)
    for child, name in zip(network.pyramid.names, branches):
        _fill_branch(network.pyramid[child], layers, name, click)
    if click:
        encoding = {'click_scale': click_scale, 'click_mean': click_mean}
        return click_model(network, layers.mapping, weights, {**encoding, **config})
    network.class_names = class_names(names, network.config['n_class'], layers.mapping, VOC_CLASSES,
                                      "Pascal VOC's", background='background')
    return network


def _record_assumptions(layers: LayerView, found: dict[str, Any], given: Mapping[str, Any],
                        branches: list[str]) -> None:
    """Records the published settings that are used because neither the file nor ``given`` sets them."""
    names = [] if layers.stages() and _read_stage(layers, layers.stages()[0]) else [
        'strides', 'dilations', 'stride_on']
    if found['pyramid'] is not None and None in map(layers.parameters, branches):
        names.append('pyramid')
    names = [name for name in names if name not in given]
    if names:
        layers.mapping.assume(f'the published {", ".join(names)}, which this format does not store; '
                              f'override with settings of these names')


def _prepare_click(arguments: dict[str, Any], mapping: WeightMapping) -> None:
    """Checks the strides and dilations, and sets the number of logits, for a click model."""
    for name, published in (('strides', _STRIDES), ('dilations', _DILATIONS)):
        if tuple(arguments[name]) != published:
            mapping.fail(f'the {name} of its stages are {arguments[name]}, expected those of a click '
                         f'model, {published}')
    if arguments['n_class'] > _MOST_CLICK_LOGITS:
        arguments['n_class'] = 1


def _arguments(layers: LayerView, branches: list[str]) -> dict[str, Any]:
    """The arguments of DeepLab that can be read from the layers."""
    stages = layers.stages()
    _check_stem(layers)
    inputs = layers.shape(f'{stages[-1][0]}_branch2c')[0]
    for name in branches:
        if layers.shape(name)[:2] != (layers.shape(branches[0])[0], inputs):
            layers.mapping.fail(f'its layer {name} has weights of the shape {layers.shape(name)}, which '
                                f'do not match those of {branches[0]} behind a ResNet of {inputs} channels')
    pooling = layers.pooling('pool1')
    return {'n_class': layers.shape(branches[0])[0], 'in_channels': layers.shape('conv1')[1],
            'blocks': [len(blocks) for blocks in stages],
            **layer_sizes(layers),
            'pool_pad': 1 if pooling is None else pooling['pad'],
            'pyramid': _pyramid(layers, branches), **_stage_arguments(layers, stages)}


def _check_stem(layers: LayerView) -> None:
    for found, needed in ((layers.parameters('conv1'), _STEM),
                          (layers.pooling('pool1'), _STEM_POOLING)):
        if found is not None and any(found[key] != value for key, value in needed.items()):
            layers.mapping.fail(f'its stem has a layer with {found}, expected {needed}')


def _stage_arguments(layers: LayerView, stages: list[list[str]]) -> dict[str, Any]:
    stored = stage_settings(layers, stages)
    return stored or {'strides': _STRIDES, 'dilations': _DILATIONS, 'stride_on': '1x1'}


def layer_sizes(layers: LayerView) -> dict[str, Any]:
    """The widths and the groups of a ResNet."""
    first = layers.stages()[0][0]
    return bottleneck_sizes(layers.mapping, *map(layers.shape, (
        'conv1', f'{first}_branch2b', f'{first}_branch2c')))


def stage_settings(layers: LayerView, stages: Sequence[Sequence[str]]) -> dict[str, Any]:
    """The strides, dilations and stride_on of a ResNet; empty if the format does not store them.

    Args:
        layers: A view of the layers.
        stages: The names of the blocks of each stage.
    """
    stored = [_read_stage(layers, blocks) for blocks in stages]
    if None in stored:
        return {}
    places, strides, dilations = zip(*stored)
    return {'strides': strides, 'dilations': dilations,
            'stride_on': '3x3' if '3x3' in places else '1x1'}


def _read_stage(layers: LayerView, blocks: Sequence[str]) -> tuple[str, int, int] | None:
    """The convolution with the stride of a stage, the stride and the dilation; None if not stored."""
    stored = _stored(layers, [*(f'{name}_branch2a' for name in blocks),
                              *(f'{name}_branch2b' for name in blocks), f'{blocks[0]}_branch1'])
    if stored is None:
        return None
    reduce, middle, shortcut = stored[:len(blocks)], stored[len(blocks):-1], stored[-1]
    strides = [first['stride'] * second['stride'] for first, second in zip(reduce, middle)]
    dilations = sorted({found['dilation'] for found in middle})
    for name, stride in zip(blocks[1:], strides[1:]):
        if stride != 1:
            layers.mapping.fail(f'its block {name} has a stride of {stride}, which only the first block '
                                f'of a stage may have')
    if shortcut['stride'] != strides[0]:
        layers.mapping.fail(f'its block {blocks[0]} has a stride of {strides[0]}, but its '
                            f'shortcut has {shortcut["stride"]}')
    if len(dilations) > 1 or any(found['pad'] != dilations[0] for found in middle):
        layers.mapping.fail(f'its blocks {blocks[0]} to {blocks[-1]} have the dilations {dilations} and '
                            f'the paddings {sorted({found["pad"] for found in middle})}, expected '
                            f'equal values')
    return '3x3' if middle[0]['stride'] > 1 else '1x1', strides[0], dilations[0]


def _stored(layers: LayerView, names: Sequence[str]) -> list[dict[str, int]] | None:
    """The parameters of convolutions; None if the format does not store them."""
    stored = [found for found in map(layers.parameters, names) if found is not None]
    return stored if len(stored) == len(names) else None


def _pyramid(layers: LayerView, branches: list[str]) -> Sequence[int] | None:
    """The dilations of the head; None if they are neither stored nor the published ones."""
    stored = _stored(layers, branches)
    if stored is None:
        return _PUBLISHED_PYRAMID if len(branches) == len(_PUBLISHED_PYRAMID) else None
    for name, found in zip(branches, stored):
        covered = found['dilation'] * (layers.shape(name)[2] // 2)
        if found['stride'] != 1 or found['pad'] != covered:
            layers.mapping.fail(f'its layer {name} has {found}, which changes the size of its input')
    return [found['dilation'] for found in stored]


def _fill_branch(link: chainer.Link, layers: LayerView, name: str, click: bool) -> None:
    """Fills a 3x3 convolution of the head; a 1x1 convolution goes into its centre."""
    outputs, inputs, *size = layers.shape(name)
    if click and outputs > _MOST_CLICK_LOGITS:
        layers.skip(name, f'head of {outputs} classes; a click model has one logit')
        layers.mapping.put(link.W.array, 0)
        layers.mapping.put(link.b.array, 0)
        return
    if size != [1, 1]:
        layers.fill_convolution(link, name)
        return
    small = L.Convolution2D(inputs, outputs, 1)
    layers.fill_convolution(small, name)
    link.W.array[...] = 0
    link.W.array[:, :, 1:2, 1:2] = small.W.array
    link.b.array[...] = small.b.array
    layers.mapping.moved([small.W.array, small.b.array], [link.W.array, link.b.array])
