"""DeepLab-v2 on a ResNet as Caffe saves it, with one scale or with the three scales of training."""

from typing import Any

import chainer
import numpy as np

from converters import deeplab, trees
from converters.caffe_graph import Graph, full_scale, original_of
from converters.caffe_layers import CaffeLayers, convolutions_of
from converters.caffe_names import is_resnet
from converters.formats import caffe
from converters.formats.caffe import Layers, Network
from converters.formats.mapped_file import forget
from converters.weight_mapping import WeightMapping

_VGG = {'conv1_1', 'conv5_3', 'fc6'}


def recognise(tree: Network) -> str | None:
    """The name of the network in a tree; None if this module does not recognise it."""
    layers, _ = full_scale(tree['layers'])
    if not is_resnet(convolutions_of(layers)):
        return None
    return 'DeepLab of Caffe' if Graph(layers).heads()[0] else None


def describe(tree: Network) -> str:
    """A short description of a tree, for messages."""
    names = tree['layers'].keys()
    if names >= _VGG and any(name.startswith('fc8') for name in names):
        return 'a network on VGG-16, such as DeepLab-LargeFOV'
    return trees.describe(tree)


def build(tree: Network, mapping: WeightMapping, config: dict[str, Any]) -> chainer.Chain:
    """The :class:`~chainer_seg.models.deeplab.DeepLab` or ``ClickSegmenter`` of a file.

    Args:
        tree: As returned by the reader of the format.
        mapping: The :class:`~converters.weight_mapping.WeightMapping` of its arrays.
        config: As for :func:`converters.deeplab.build`; optionally ``definition``, the path of the
            network's .prototxt.
    """
    config = dict(config)
    definition = config.pop('definition', None)
    if definition is not None:
        tree = caffe.with_definition(tree, definition)
    model = deeplab.build(CaffeLayers(one_scale(tree['layers'], mapping), mapping), config)
    if definition is not None:
        for _, array in mapping.left():
            mapping.skip(array, 'layer that the definition omits')
    return model


def one_scale(layers: Layers, mapping: WeightMapping) -> Layers:
    """The layers of the full-resolution branch; those of other scales must share their weights."""
    kept, others = full_scale(layers)
    for name, layer in others.items():
        original = layers.get(original_of(name), {'blobs': []})
        if not all(map(np.array_equal, layer['blobs'], original['blobs'])):
            mapping.fail(f'its layer {name} does not share its weights with the layer of the full scale')
        for array in layer['blobs']:
            mapping.skip(array, 'the same weights for the image at another scale')
            forget(array)
    return kept
