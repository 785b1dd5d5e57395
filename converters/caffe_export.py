"""Exports networks to Caffe: a .caffemodel of layers with weights, and the .prototxt beside it.

The layers have the names of He's ResNets and of DeepLab's files, so that :func:`converters.convert` restores
the same weights, and OpenCV's dnn module can run them.
"""

import os
import pathlib
import string
from collections.abc import Iterator, Sequence
from typing import Any

import chainer_seg  # noqa: F401  before Chainer
import chainer
import numpy as np
from chainer.backends import cuda
from chainer.links.caffe.protobuf3 import caffe_pb2
from google.protobuf import text_format

from chainer_seg.errors import UserError
from chainer_seg.files import atomic_write, write_text
from chainer_seg.links import FrozenAffine, ResNet
from chainer_seg.models.base import Model
from chainer_seg.models.classifier import ResNetClassifier
from chainer_seg.models.deeplab import ClickSegmenter, DeepLab
from converters.caffe_layers import BRANCHES
from converters.formats.caffe_writer import write_layers

_INPUT = 'data'
_HEAD = 'fc1_voc12'
_SIZES = {DeepLab: (321, 321), ClickSegmenter: (321, 321), ResNetClassifier: (224, 224)}
_CHANNELS = ('blue', 'green', 'red', 'positive clicks', 'negative clicks', 'previous mask')
_MOST_LETTERED = 6  # Blocks per stage; larger ResNets number the blocks of the middle stages.


def export(path: str | os.PathLike, model: chainer.Chain,
           size: tuple[int, int] | None = None) -> pathlib.Path:
    """Writes a model as a .caffemodel, and its definition beside it, both atomically.

    Args:
        path: The .caffemodel; the definition gets the suffix .prototxt.
        model: A DeepLab, a ClickSegmenter without a decoder, or a ResNetClassifier.
        size: (height, width) of the input in the definition (default: 321x321, for a classifier 224x224).

    Returns:
        The path of the definition.

    Raises:
        chainer_seg.errors.UserError: Caffe has no equivalent of a part of the model.
        chainer_seg.errors.DiskFullError: There is no room or no permission.
    """
    network = _network_of(model)
    height, width = size or _SIZES[type(model)]
    channels = network.layers[0][1][0].shape[1]
    definition = caffe_pb2.NetParameter(
        name=type(model).__name__, input=[_INPUT], input_dim=[1, channels, height, width],
        layer=[layer for layer, _ in network.layers])
    with atomic_write(path) as temporary:
        write_layers(temporary, definition.name, network.layers)
    beside = pathlib.Path(path).with_suffix('.prototxt')
    write_text(beside, _comment(model, channels) + text_format.MessageToString(definition))
    return beside


def _network_of(model: Model) -> '_Network':
    if type(model) not in _SIZES:
        raise UserError(f'A {type(model).__name__} cannot be exported to Caffe; expected a DeepLab, a '
                        f'ClickSegmenter or a ResNetClassifier.')
    _check(model)
    deeplab = model.net if isinstance(model, ClickSegmenter) else model
    network = _Network()
    bottom = network.resnet(deeplab.resnet)
    if isinstance(model, ResNetClassifier):
        if model.config['n_class'] is not None:
            network.classifier(model.logits, bottom)
    else:
        network.pyramid(deeplab.pyramid, bottom)
    return network


def _check(model: Model) -> None:
    """Refuses what Caffe cannot express."""
    problems = {
        'has a decoder, which Caffe has no layers for': model.config.get('decoder') is not None,
        'has basic blocks, which Caffe\'s ResNets have no names for':
            model.config.get('block') == 'basic',
        'has group normalisation, which Caffe has no layer for': model.config['norm'] == 'group',
        'has a first convolution of size 3 without pooling': model.config.get('stem_size') == 3,
        'rounds the output size of pooling down, but Caffe rounds it up':
            model.config['pooling'] != 'ceil',
        'pads images by mirroring, but Caffe pads with zeros':
            model.config['padding'] == 'symmetric',
        'pads asymmetrically, but Caffe pads symmetrically; convert it again with padding=zero, which is '
        'the same for sides of 8 n + 1 pixels':
            model.config['padding'] == 'same'}
    for problem, found in problems.items():
        if found:
            raise UserError(f'This {type(model).__name__} cannot be exported to Caffe: it {problem}.')


def _comment(model: Model, channels: int) -> str:
    """The comment in the definition that describes its input."""
    lines = [f'Input: {", ".join(_CHANNELS[:channels])}; colours in 0..255 minus their mean.']
    if isinstance(model, ClickSegmenter):
        lines.append(f'Clicks: {model.click_encoding}, scale {model.click_scale}, minus '
                     f'{model.click_mean}. Output: one logit.')
    return ''.join(f'# {line}\n' for line in lines)


class _Network:
    """The layers of a network, as pairs of a LayerParameter and its arrays."""

    def __init__(self) -> None:
        self.layers: list[tuple[Any, list[np.ndarray]]] = []

    def add(self, kind: str, name: str, bottoms: list[str], top: str, arrays: Sequence[np.ndarray] = (),
            **parameters: Any) -> str:
        """Adds a layer and returns the name of its output."""
        layer = caffe_pb2.LayerParameter(name=name, type=kind, bottom=bottoms, top=[top], **parameters)
        self.layers.append((layer, list(map(cuda.to_cpu, arrays))))
        return top

    def convolution(self, link: chainer.Link, name: str, bottom: str) -> str:
        arrays = [link.W.array] if link.b is None else [link.W.array, link.b.array]
        outputs, _, size, _ = link.W.shape
        parameters = {'num_output': outputs, 'kernel_size': [size], 'pad': [link.pad[0]],
                      'stride': [link.stride[0]], 'dilation': [link.dilate[0]],
                      'bias_term': link.b is not None}
        if link.groups > 1:
            parameters['group'] = link.groups
        return self.add('Convolution', name, [bottom], name, arrays, convolution_param=parameters)

    def relu(self, name: str, bottom: str) -> str:
        return self.add('ReLU', name, [bottom], bottom)

    def conv_norm(self, link: chainer.Link, name: str, suffix: str, bottom: str) -> str:
        """A convolution and its in-place normalisation."""
        top = self.convolution(link.conv, name, bottom)
        mean, variance, gamma, beta = _statistics(link.norm)
        eps = 0 if isinstance(link.norm, FrozenAffine) else link.norm.eps
        self.add('BatchNorm', f'bn{suffix}', [top], top, [mean, variance, np.ones(1, np.float32)],
                 batch_norm_param={'use_global_stats': True, 'eps': eps})
        return self.add('Scale', f'scale{suffix}', [top], top, [gamma, beta],
                        scale_param={'bias_term': True})

    def resnet(self, resnet: ResNet) -> str:
        """The layers of a ResNet; returns the name of its output."""
        bottom = self.conv_norm(resnet.stem, 'conv1', '_conv1', _INPUT)
        bottom = self.relu('conv1_relu', bottom)
        bottom = self.add('Pooling', 'pool1', [bottom], 'pool1', pooling_param={
            'pool': 'MAX', 'kernel_size': 3, 'stride': 2, 'pad': resnet.pool_pad})
        for names, stage in zip(_block_names(resnet), resnet.stage_names):
            for name, block in zip(names, resnet[stage]):
                bottom = self.block(block, name, bottom)
        return bottom

    def block(self, block: chainer.Link, name: str, bottom: str) -> str:
        def layer(branch: str, source: str) -> str:
            return self.conv_norm(block[BRANCHES[branch]], f'{name}_{branch}',
                                  f'{name.removeprefix("res")}_{branch}', source)
        shortcut = layer('branch1', bottom) if block.projects else bottom
        main = bottom
        for branch in ('branch2a', 'branch2b'):
            main = self.relu(f'{name}_{branch}_relu', layer(branch, main))
        main = layer('branch2c', main)
        return self.relu(f'{name}_relu', self.add('Eltwise', name, [shortcut, main], name))

    def pyramid(self, pyramid: chainer.Link, bottom: str) -> str:
        branches = [pyramid[name] for name in pyramid.names]
        if len(branches) == 1:
            return self.convolution(branches[0], _HEAD, bottom)
        tops = [self.convolution(branch, f'{_HEAD}_c{number}', bottom)
                for number, branch in enumerate(branches)]
        return self.add('Eltwise', _HEAD, tops, _HEAD)

    def classifier(self, logits: chainer.Link, bottom: str) -> str:
        pooled = self.add('Pooling', 'pool5', [bottom], 'pool5',
                          pooling_param={'pool': 'AVE', 'global_pooling': True})
        outputs, features = logits.W.shape[:2]
        return self.add('InnerProduct', 'fc1000', [pooled], 'fc1000',
                        [logits.W.array.reshape(outputs, features), logits.b.array],
                        inner_product_param={'num_output': outputs})


def _statistics(norm: chainer.Link) -> tuple[np.ndarray, ...]:
    """Mean, variance, gamma and beta of a normalisation; 0, 1 and its own for a frozen affine layer."""
    if isinstance(norm, FrozenAffine):
        channels = len(norm.scale)
        return np.zeros(channels, np.float32), np.ones(channels, np.float32), norm.scale, norm.shift
    return norm.avg_mean, norm.avg_var, norm.gamma.array, norm.beta.array


def _block_names(resnet: ResNet) -> Iterator[list[str]]:
    """Caffe's names: letters, in ResNet-101 and larger ones a, b1, b2, ... in the middle stages."""
    counts = [len(resnet[stage]) for stage in resnet.stage_names]
    for number, (stage, count) in enumerate(zip(resnet.stage_names, counts)):
        lettered = max(counts) <= _MOST_LETTERED or number in (0, len(counts) - 1)
        if lettered and count <= len(string.ascii_lowercase):
            yield [stage + letter for letter in string.ascii_lowercase[:count]]
        else:
            yield [f'{stage}a'] + [f'{stage}b{block}' for block in range(1, count)]
