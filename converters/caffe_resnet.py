"""The ResNets of Caffe (He et al., github.com/KaimingHe/deep-residual-networks), as classifiers.

Their layers are known by their names: ``res3b_branch2a`` (``res3b1_...`` in ResNet-101) with
``bn3b_branch2a`` and ``scale3b_branch2a``. What a layer does is read from its parameters.
"""

import re

import numpy as np

from chainer_seg.links.batch_norm import EPS
from chainer_seg.models.classifier import ResNetClassifier
from converters.formats import caffe
from converters.torch_modules import UPDATES
from converters.torch_resnet import count_resnet

_FIRST = re.compile(r'(res(\d)\w*)_branch2a')
_BRANCHES = {'branch2a': 'reduce', 'branch2b': 'middle', 'branch2c': 'expand', 'branch1': 'shortcut'}
_CAFFES_EPS = 1e-5  # Of BatchNorm layers that do not tell.


def recognise(tree):
    """The name of the network in a tree, None where this module does not know it."""
    layers = tree['layers']
    known = {'conv1', 'bn_conv1', 'res2a_branch2a', 'fc1000'} <= layers.keys()
    return 'ResNet of Caffe' if known and layers['conv1']['blobs'] else None


def build(tree, ledger, config):
    """The :class:`~chainer_seg.models.classifier.ResNetClassifier` of a file.

    Args:
        tree: What the reader made of the file.
        ledger: The :class:`~converters.ledger.Ledger` of its arrays.
        config: Arguments of the class that replace those found in the file, and perhaps
            ``definition``, the path of its .prototxt.
    """
    definition = config.pop('definition', None)
    if definition is not None:
        tree = caffe.with_definition(tree, definition)
    net = _Net(tree['layers'], ledger)
    arguments = {**_arguments(net), **config}
    available = sum(array.size for array in ledger.arrays())
    if count_resnet(arguments) > available:
        ledger.fail(f'its shapes ask for {count_resnet(arguments)} weights, but it has {available}')
    model = ResNetClassifier(**arguments)
    net.fill(model.resnet.stem, 'conv1', '_conv1')
    for stage, blocks in zip(model.resnet.stage_names, net.stages()):
        for link, name in zip(model.resnet[stage], blocks):
            for branch, part in _BRANCHES.items():
                if part != 'shortcut' or link.projects:
                    net.fill(link[part], f'{name}_{branch}', f'{name.removeprefix("res")}_{branch}')
    net.fill_logits(model.logits, 'fc1000')
    if definition is not None:
        for _, array in ledger.left():
            ledger.skip(array, 'layer that the definition leaves out')
    return model


def _arguments(net):
    stages = net.stages()
    strides, places = [], []
    for blocks in stages:
        parameters = [net.parameters(f'{blocks[0]}_{branch}') for branch in ('branch2a', 'branch2b')]
        first, second = (_only(found.get('stride', [1])) for found in parameters)
        strides.append(first * second)
        places.append('3x3' if second > 1 else '1x1')
        if any(_only(found.get('dilation', [1])) != 1 for found in parameters):
            net.ledger.fail(f'its block {blocks[0]} is dilated, as that of no classifier is')
    if strides != [1] + [2] * (len(stages) - 1):
        net.ledger.fail(f'the strides of its stages are {strides}, which is no ResNet')
    pooling = net.layers.get('pool1', {}).get('pooling_param', {})
    if pooling.get('kernel_size') != 3 or pooling.get('stride') != 2:
        net.ledger.fail('its stem does not end with max pooling of size 3 and stride 2')
    return {'n_class': net.array('fc1000', 0).shape[-2], 'blocks': [len(blocks) for blocks in stages],
            'width': net.array(f'{stages[0][0]}_branch2a', 0).shape[0],
            'stem_width': net.array('conv1', 0).shape[0],
            'stride_on': '3x3' if '3x3' in places else '1x1',
            'pooling': 'ceil', 'pool_pad': pooling.get('pad', 0)}  # Caffe always rounds up.


def _only(values):
    return values[0] if len(set(values)) == 1 else None


class _Net:
    """The layers of a file, and how links are filled with them."""

    def __init__(self, layers, ledger):
        self.layers, self.ledger = layers, ledger

    def stages(self):
        """For each stage the names of its blocks, such as res2a, res2b, res2c."""
        stages = {}
        for name in self.layers:
            match = _FIRST.fullmatch(name)
            if match:
                stages.setdefault(int(match[2]), []).append(match[1])
        if sorted(stages) != list(range(2, 2 + len(stages))):
            self.ledger.fail(f'its stages are {sorted(stages)}')
        return [stages[number] for number in sorted(stages)]

    def array(self, name, number):
        """A blob of a layer."""
        blobs = self.layers.get(name, {}).get('blobs', [])
        if number >= len(blobs):
            self.ledger.fail(f'its layer {name} has {len(blobs)} blobs where {number + 1} are needed')
        return blobs[number]

    def parameters(self, name):
        """The parameters of a convolution."""
        found = self.layers.get(name, {}).get('convolution_param')
        if not found:
            self.ledger.fail(f'its layer {name} does not tell its parameters; give the .prototxt of the '
                             f'network as configuration')
        return found

    def fill(self, link, convolution, suffix):
        """Copies a convolution, its BatchNorm and its Scale layer into a ConvNorm.

        The bias of a convolution in front of a BatchNorm is subtracted from the mean.
        """
        self.ledger.fill(link.conv.W.array, self.array(convolution, 0))
        channels = len(link.norm.gamma)
        has_bias = len(self.layers[convolution]['blobs']) > 1
        bias = self._channels(convolution, 1, channels) if has_bias else 0
        mean, variance = (self._channels(f'bn{suffix}', number, channels) for number in (0, 1))
        factor, = self._channels(f'bn{suffix}', 2, 1)
        scale = 1 / factor if factor else 0
        eps = self.layers[f'bn{suffix}'].get('batch_norm_param', {}).get('eps', _CAFFES_EPS)
        norm = link.norm
        self.ledger.put(norm.gamma.array, self._channels(f'scale{suffix}', 0, channels))
        self.ledger.put(norm.beta.array, self._channels(f'scale{suffix}', 1, channels))
        norm.avg_mean[...] = mean * scale - bias
        norm.avg_var[...] = variance * scale + eps - EPS
        norm.N = UPDATES

    def fill_logits(self, link, name):
        """Copies an InnerProduct layer into a convolution of size 1."""
        weight, bias = self.array(name, 0), self.array(name, 1)
        outputs, features = link.W.shape[:2]
        for target, array, shape in ((link.W, weight, (outputs, features)), (link.b, bias, (outputs,))):
            old = (1,) * (4 - len(shape)) + shape
            self.ledger.fill(target.array, array, old if array.ndim == 4 else shape)

    def _channels(self, name, number, channels):
        """One value for each channel, as float64."""
        array = self.array(name, number)
        if array.shape not in ((channels,), (1, 1, 1, channels)):
            self.ledger.fail(f'{self.ledger.name(array)} has the shape {array.shape} where '
                             f'{(channels,)} is needed')
        return self.ledger.use(array).reshape(-1).astype(np.float64)
