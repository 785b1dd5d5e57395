"""DeepLab-v2 on a ResNet as TensorFlow saves it, and the click model built on it.

The networks are those of github.com/DrSleep/tensorflow-deeplab-resnet, of
github.com/jia2lin3yuan1/deep-interactive, whose first convolution has five inputs, and
the output of caffe-tensorflow for Caffe's files.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from chainer_seg.models.classifier import ResNetClassifier
from chainer_seg.models.deeplab import ClickSegmenter, DeepLab
from converters import deeplab
from converters.caffe_layers import check_size, fill_resnet
from converters.caffe_resnet import one_head
from converters.tensorflow_layers import (
    TensorFlowLayers, heads_of, in_scope, scopes, skip_numbers, skip_training, variables)
from converters.weight_mapping import WeightMapping

# The input of the click model is six times the distance to the nearest click, minus 131
# (config_pascal.py there).
_CLICK_SCALE, _CLICK_MEAN = 6.0, 131.0


def recognise(tree: Mapping[str, Any]) -> str | None:
    """The name of the network in a tree; None if this module does not recognise it."""
    arrays = variables(tree)
    found = scopes(arrays)
    if any(heads_of(in_scope(arrays, scope))[0] for scope in found):
        return 'DeepLab of TensorFlow'
    return 'ResNet of TensorFlow' if found else None


def build(tree: Mapping[str, Any], mapping: WeightMapping,
          config: dict[str, Any]) -> DeepLab | ClickSegmenter | ResNetClassifier:
    """The :class:`~chainer_seg.models.deeplab.DeepLab` or ``ClickSegmenter`` of a file.

    A ResNet without a DeepLab head becomes a :class:`~chainer_seg.models.classifier.ResNetClassifier`, with
    logits if the file has them.

    Args:
        tree: As returned by the reader of the format.
        mapping: The :class:`~converters.weight_mapping.WeightMapping` of its arrays.
        config: As for :func:`converters.deeplab.build`; also ``scope``, the prefix of the variables if
            there are several networks, and ``norm_eps``, the epsilon of batch normalisation (default:
            that of the code that uses such variables).
    """
    config = {'padding': 'same', **config}
    arrays, eps = variables(tree), config.pop('norm_eps', None)
    skip_training(arrays, mapping)
    scope = _scope(arrays, config.pop('scope', None), mapping)
    others = tuple(other for other in scopes(arrays) if not scope.startswith(other))
    for name, array in arrays.items():
        if not name.startswith(scope) or name.startswith(others):
            mapping.skip(array, 'variable of another scope')
    layers = TensorFlowLayers(arrays, scope, mapping, eps)
    maps, means = layers.heads()
    model = (deeplab.build(layers, config, _CLICK_SCALE, _CLICK_MEAN) if maps else
             _build_resnet(layers, one_head(means, mapping), config))
    skip_numbers(mapping)
    return model


def _build_resnet(layers: TensorFlowLayers, head: str | None, config: dict[str, Any]) -> ResNetClassifier:
    """A ResNet with the strides of the paper, which TensorFlow files do not store."""
    stages = layers.stages()
    arguments = {'n_class': None if head is None else layers.outputs(head),
                 'blocks': [len(blocks) for blocks in stages],
                 **deeplab.layer_sizes(layers), 'in_channels': layers.shape('conv1')[1],
                 **config}
    check_size(arguments, layers.mapping)
    model = ResNetClassifier(**arguments)
    fill_resnet(model.resnet, layers)
    if head is not None:
        layers.fill_logits(model.logits, head)
    return model


def _scope(arrays: Mapping[str, np.ndarray], wanted: str | None, mapping: WeightMapping) -> str:
    found = scopes(arrays)
    if wanted is None and ('' in found or len(found) == 1):
        return found[0]
    if wanted is None:
        mapping.fail(f'it has networks in the scopes {", ".join(found)}; give one of them as scope in '
                     f'the configuration')
    scope = f'{str(wanted).rstrip("/")}/'
    if scope not in found:
        mapping.fail(f'it has no network in the scope {wanted!r}; its scopes are {", ".join(found)}')
    return scope
