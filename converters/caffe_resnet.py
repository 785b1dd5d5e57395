"""The ResNets of Caffe, as classifiers; strides and paddings are read from the layers' parameters."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from chainer_seg.models.classifier import ResNetClassifier
from converters.caffe_deeplab import one_scale
from converters.caffe_graph import Graph, full_scale
from converters.caffe_layers import CaffeLayers, check_size, convolutions_of, fill_resnet
from converters.caffe_names import is_resnet
from converters.deeplab import layer_sizes, stage_settings
from converters.formats import caffe
from converters.formats.caffe import Network
from converters.weight_mapping import WeightMapping


def recognise(tree: Network) -> str | None:
    """The name of the network in a tree; None if this module does not recognise it."""
    layers, _ = full_scale(tree['layers'])
    if not is_resnet(convolutions_of(layers)):
        return None
    return None if Graph(layers).heads()[0] else 'ResNet of Caffe'


def build(tree: Network, mapping: WeightMapping, config: dict[str, Any]) -> ResNetClassifier:
    """The :class:`~chainer_seg.models.classifier.ResNetClassifier` of a file.

    Args:
        tree: As returned by the reader of the format.
        mapping: The :class:`~converters.weight_mapping.WeightMapping` of its arrays.
        config: Arguments of the class that override those found in the file; optionally
            ``definition``, the path of its .prototxt.

    The layer of the logits is the one that reads the mean of the last stage, whatever its name; without
    one, the model has no logits.
    """
    definition = config.pop('definition', None)
    if definition is not None:
        tree = caffe.with_definition(tree, definition)
    layers = CaffeLayers(one_scale(tree['layers'], mapping), mapping)
    _, heads = layers.heads()
    head = one_head(heads, mapping)
    arguments = {**_arguments(layers, head), **config}
    check_size(arguments, mapping)
    model = mapping.make(ResNetClassifier, arguments, 'definition')
    fill_resnet(model.resnet, layers)
    if head is not None:
        layers.fill_logits(model.logits, head)
    if definition is not None:
        for _, array in mapping.left():
            mapping.skip(array, 'layer that the definition omits')
    return model


def one_head(heads: Sequence[str], mapping: WeightMapping) -> str | None:
    """The only layer of logits; None if there is none."""
    if len(heads) > 1:
        mapping.fail(f'its layers {", ".join(heads[:6])} all read the mean of the last stage, expected '
                     f'one, or none; skip the others with --skip')
    return heads[0] if heads else None


def _arguments(layers: CaffeLayers, head: str | None) -> dict[str, Any]:
    stages = layers.stages()
    pooling = layers.pooling('pool1')
    if pooling['kernel_size'] != 3 or pooling['stride'] != 2:
        layers.mapping.fail('its stem does not end with max pooling of size 3 and stride 2')
    return {'n_class': None if head is None else _outputs(layers.array(head, 0)),
            'blocks': [len(blocks) for blocks in stages],
            **layer_sizes(layers), **stage_settings(layers, stages),
            'pooling': 'ceil', 'pool_pad': pooling['pad']}  # Caffe always rounds up.


def _outputs(weights: np.ndarray) -> int:
    """The outputs of a layer of logits: its weights are (O, I), (1, 1, O, I), or those of a
    convolution."""
    return weights.shape[0] if weights.shape[2:] == (1, 1) else weights.shape[-2]
