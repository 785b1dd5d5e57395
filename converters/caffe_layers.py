"""The convolutions of a Caffe network by name, and how they are copied into links.

The ResNets of Caffe (He et al., github.com/KaimingHe/deep-residual-networks) share a naming scheme; see
:mod:`converters.caffe_names`.
"""

from collections.abc import Mapping
from typing import Any

import chainer
import numpy as np

from chainer_seg.links import ResNet
from chainer_seg.links.batch_norm import EPS
from converters.caffe_graph import Graph
from converters.caffe_names import stages_of
from converters.formats.caffe import Layers
from converters.layer_view import LayerView
from converters.resnet_sizes import count_resnet
from converters.weight_mapping import UPDATES, WeightMapping

BRANCHES = {'branch2a': 'reduce', 'branch2b': 'middle', 'branch2c': 'expand', 'branch1': 'shortcut'}
_CAFFES_EPS = 1e-5  # The default of BatchNorm layers.


def check_size(arguments: dict[str, Any], mapping: WeightMapping) -> None:
    """Refuses shapes that need more weights than the file has, before memory is allocated."""
    available = sum(array.size for array in mapping.arrays())
    if count_resnet(arguments) > available:
        mapping.fail(f'its shapes need {count_resnet(arguments)} weights, but it has {available}')


def fill_resnet(resnet: ResNet, layers: LayerView) -> None:
    """Copies layers into a ResNet with the same blocks."""
    layers.fill_conv_norm(resnet.stem, 'conv1', '_conv1')
    for stage, blocks in zip(resnet.stage_names, layers.stages()):
        for link, name in zip(resnet[stage], blocks):
            for branch, part in BRANCHES.items():
                if part != 'shortcut' or link.projects:
                    layers.fill_conv_norm(link[part], f'{name}_{branch}',
                                          f'{name.removeprefix("res")}_{branch}')


def convolutions_of(layers: Layers) -> list[str]:
    """The names of the convolutions with weights."""
    return [name for name, layer in layers.items() if layer['type'] == 'Convolution' and layer['blobs']]


class CaffeLayers:
    """The layers of a file, a :class:`~converters.layer_view.LayerView`.

    Args:
        layers: The layers by name, as returned by :func:`converters.formats.caffe.read`.
        mapping: The :class:`~converters.weight_mapping.WeightMapping` of their arrays.
    """

    def __init__(self, layers: Layers, mapping: WeightMapping) -> None:
        self.layers, self.mapping = layers, mapping

    def stages(self) -> list[list[str]]:
        """For each stage the names of its blocks, such as res2a, res2b, res2c."""
        stages = stages_of(self.layers)
        if list(stages) != list(range(2, 2 + len(stages))):
            self.mapping.fail(f'its stages are {list(stages)}')
        return list(stages.values())

    def heads(self) -> tuple[list[str], list[str]]:
        """Names of the convolutions behind the last stage, and of the layers of logits behind its mean.

        Refuses sums of residual blocks and of heads whose terms are weighted differently.
        """
        graph = Graph(self.layers)
        maps, means = graph.heads()
        for name, layer in graph.sums(maps).items():
            parameters = layer.get('eltwise_param', {})
            if parameters.get('operation', 'SUM') != 'SUM' or set(parameters.get('coeff', ())) - {1}:
                self.mapping.fail(f'its layer {name} must be a plain sum, but has {parameters}')
        if not graph.are_summed(maps):
            self.mapping.fail(f'its layers {", ".join(maps[:6])} read the last stage, but no layer '
                              f'sums all of them; skip those of other heads with --skip')
        return maps, means

    def array(self, name: str, number: int) -> np.ndarray:
        """A blob of a layer."""
        blobs = self._layer(name)['blobs']
        if number >= len(blobs):
            self.mapping.fail(f'its layer {name} has {len(blobs)} blobs, expected {number + 1}')
        return blobs[number]

    def shape(self, name: str) -> tuple[int, int, int, int]:
        """Outputs, inputs, height and width of a convolution."""
        shape = self.array(name, 0).shape
        if len(shape) != 4:
            self.mapping.fail(f'its layer {name} has weights of the shape {shape}, expected the 4 '
                              f'axes of a convolution')
        return shape

    def has_bias(self, name: str) -> bool:
        """Whether a convolution has a bias."""
        return len(self._layer(name)['blobs']) > 1

    def skip(self, name: str, reason: str) -> None:
        """Records that a convolution is not needed."""
        for array in self._layer(name)['blobs']:
            self.mapping.skip(array, reason)

    def parameters(self, name: str) -> dict[str, int]:
        """``stride``, ``dilation`` and ``pad`` of a convolution, the same in both directions."""
        found = self._layer(name).get('convolution_param')
        if not found:
            self.mapping.fail(f'the parameters of its layer {name} are not in the file; give the '
                              f'.prototxt of the network as configuration')
        return {'stride': self._one(name, found, 'stride', 1),
                'dilation': self._one(name, found, 'dilation', 1),
                'pad': self._one(name, found, 'pad', 0)}

    def pooling(self, name: str) -> dict[str, int]:
        """``kernel_size``, ``stride`` and ``pad`` of a pooling layer; 0 if not set."""
        found = self._layer(name).get('pooling_param', {})
        return {key: found.get(key, 0) for key in ('kernel_size', 'stride', 'pad')}

    def fill_convolution(self, link: chainer.Link, name: str) -> None:
        """Copies a convolution into a Convolution2D, with its bias if the link has one."""
        self.mapping.fill(link.W.array, self.array(name, 0))
        if link.b is not None:
            self._put(link.b.array, self._channels(name, 1, len(link.b)), (name, 1))

    def fill_conv_norm(self, link: chainer.Link, convolution: str, suffix: str) -> None:
        """Copies a convolution, its BatchNorm and its Scale layer into a ConvNorm.

        A bias of the convolution is subtracted from the mean of the BatchNorm.
        """
        self.mapping.fill(link.conv.W.array, self.array(convolution, 0))
        channels = len(link.norm.gamma)
        bias = self._channels(convolution, 1, channels) if self.has_bias(convolution) else 0
        mean, variance = (self._channels(f'bn{suffix}', number, channels) for number in (0, 1))
        factor, = self._channels(f'bn{suffix}', 2, 1)
        scale = 1 / factor if factor else 0
        eps = self.layers[f'bn{suffix}'].get('batch_norm_param', {}).get('eps', _CAFFES_EPS)
        norm = link.norm
        for target, number in ((norm.gamma.array, 0), (norm.beta.array, 1)):
            values = self._channels(f'scale{suffix}', number, channels)
            self._put(target, values, (f'scale{suffix}', number))
        self._put(norm.avg_mean, mean * scale - bias, (f'bn{suffix}', 0), (f'bn{suffix}', 2),
                  *[(convolution, 1)] * self.has_bias(convolution))
        self._put(norm.avg_var, variance * scale + eps - EPS, (f'bn{suffix}', 1), (f'bn{suffix}', 2))
        norm.N = UPDATES

    def fill_logits(self, link: chainer.Link, name: str) -> None:
        """Copies an InnerProduct layer, or a convolution of size 1, into a convolution of size 1."""
        weight, bias = self.array(name, 0), self.array(name, 1)
        outputs, features = link.W.shape[:2]
        for target, array, shape in ((link.W, weight, (outputs, features)), (link.b, bias, (outputs,))):
            old = (1,) * (4 - len(shape)) + shape
            known = (old, target.shape) if array.ndim == 4 else (shape,)  # Perhaps a convolution.
            self.mapping.fill(target.array, array, array.shape if array.shape in known else shape)

    def _layer(self, name: str) -> dict[str, Any]:
        if name not in self.layers:
            self.mapping.fail(f'it has no layer {name}')
        return self.layers[name]

    def _put(self, target: np.ndarray, values: np.ndarray, *places: tuple[str, int]) -> None:
        """Writes values that come from blobs, each given as the name of its layer and its number."""
        self.mapping.put(target, values, *(self.layers[name]['blobs'][number] for name, number in places))

    def _one(self, name: str, found: Mapping[str, Any], key: str, default: int) -> int:
        values = {found[side] for side in (f'{key}_h', f'{key}_w') if side in found}
        values = values or set(found.get(key, ())) or {default}
        if len(values) > 1:
            self.mapping.fail(f'its layer {name} has the {key} {sorted(values)}, expected the same in '
                              f'both directions')
        return values.pop()

    def _channels(self, name: str, number: int, channels: int) -> np.ndarray:
        """One value per channel, as float64."""
        array = self.array(name, number)
        if array.shape not in ((channels,), (1, 1, 1, channels)):
            self.mapping.fail(f'{self.mapping.name(array)} has the shape {array.shape}, expected '
                              f'{(channels,)}')
        return self.mapping.use(array).reshape(-1).astype(np.float64)
