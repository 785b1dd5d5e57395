"""DeepLab-v2 on a ResNet as Caffe saves it, with one scale or the three of its training."""

import re

import numpy as np

from converters import deeplab, trees
from converters.caffe_layers import CaffeLayers
from converters.formats import caffe
from converters.formats.mapped_file import forget

# The layers that see the image at 0.75 or 0.5 of its size: res5a_branch1_res075, fc1_voc12_res05_c0.
_OTHER_SCALE = re.compile(r'_res0\d+(?=_|$)')
_VGG = {'conv1_1', 'conv5_3', 'fc6'}


def recognise(tree):
    """The name of the network in a tree, None where this module does not know it."""
    names = CaffeLayers(tree['layers'], None).names
    return 'DeepLab of Caffe' if deeplab.recognise(names) else None


def describe(tree):
    """What a tree holds, in few words, for messages."""
    names = tree['layers'].keys()
    if names >= _VGG and any(name.startswith('fc8') for name in names):
        return 'a network on VGG-16, such as DeepLab-LargeFOV'
    return trees.describe(tree)


def build(tree, ledger, config):
    """The :class:`~chainer_seg.models.deeplab.DeepLab` or ``ClickSegmenter`` of a file.

    Args:
        tree: What the reader made of the file.
        ledger: The :class:`~converters.ledger.Ledger` of its arrays.
        config: As that of :func:`converters.deeplab.build`, and perhaps ``definition``, the path of
            the network's .prototxt.
    """
    config = dict(config)
    definition = config.pop('definition', None)
    if definition is not None:
        tree = caffe.with_definition(tree, definition)
    layers = _one_scale(tree['layers'], ledger)
    _check_sums(layers, ledger)
    model = deeplab.build(CaffeLayers(layers, ledger), config)
    if definition is not None:
        for _, array in ledger.left():
            ledger.skip(array, 'layer that the definition leaves out')
    return model


def _one_scale(layers, ledger):
    """The layers that see the image at its own size; the others must have their weights."""
    for name, layer in layers.items():
        if not _OTHER_SCALE.search(name):
            continue
        original = layers.get(_OTHER_SCALE.sub('', name), {'blobs': []})
        if not all(map(np.array_equal, layer['blobs'], original['blobs'])):
            ledger.fail(f'its layer {name} has other weights than that of the full scale')
        for array in layer['blobs']:
            ledger.skip(array, 'the same weights for the image at another scale')
            forget(array)
    return {name: layer for name, layer in layers.items() if not _OTHER_SCALE.search(name)}


def _check_sums(layers, ledger):
    """Refuses residual blocks and heads whose branches are not simply added."""
    branches = {name for name in layers if deeplab.is_branch(name)}
    for name, layer in layers.items():
        if layer['type'] != 'Eltwise':
            continue
        parameters = layer.get('eltwise_param', {})
        plain = parameters.get('operation', 'SUM') == 'SUM' and set(parameters.get('coeff', ())) <= {1}
        if not plain and (name.startswith('res') or branches >= set(layer['bottom'])):
            ledger.fail(f'its layer {name} is no plain sum, but has {parameters}')
