"""The convolutions of a TensorFlow network by name, and how they are copied into links.

Variables have names such as ``res3b1_branch2a/weights`` and ``bn3b1_branch2a/moving_mean``: a layer of Caffe
(kaffe, github.com/ethereon/caffe-tensorflow) and its variable. Strides and dilations are not in the file.
"""

import re
from collections.abc import Collection, Mapping
from typing import Any

import chainer
import numpy as np

from chainer_seg.links.batch_norm import EPS
from converters.caffe_names import is_trunk, stages_of
from converters.layer_view import natural_order
from converters.weight_mapping import UPDATES, WeightMapping

_WEIGHTS, _BIASES = 'weights', 'biases'
_FIRST, _BLOCK = 'conv1/weights', 'res2a_branch2a/weights'  # In every ResNet.

# Names of a normalisation's variables (scale, shift, mean, variance), and the epsilon of the code that
# uses them: slim's batch_norm in DeepLab-ResNet and in the click model, and kaffe's own layer.
_NORMS = ((('gamma', 'beta', 'moving_mean', 'moving_variance'), 1e-3),
          (('scale', 'offset', 'mean', 'variance'), 1e-5))

_SLOT = re.compile(r'(Momentum|Adam|AdamW?|AMSGrad|RMSProp|Adagrad|Adadelta|Ftrl|LARS|'
                   r'ExponentialMovingAverage)(_\d+)?')
_COUNTER = re.compile(r'(.*/)?(global_step|beta[12]_power|learning_rate)(_\d+)?')


def variables(tree: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The variables of a tree by name: of a checkpoint, or of the dicts of kaffe's layers."""
    found = {}
    for name, value in tree.items():
        if isinstance(value, np.ndarray):
            found[name] = value
        elif isinstance(value, dict):
            found |= {f'{name}/{key}': array for key, array in value.items()
                      if isinstance(array, np.ndarray)}
    return found


def scopes(names: Collection[str]) -> list[str]:
    """The scopes of the ResNets in a file: '' for none, 'net/', ..."""
    found = (name.removesuffix(_FIRST) for name in names if name.endswith(_FIRST))
    return sorted(scope for scope in found if scope + _BLOCK in names and scope[-1:] in ('', '/'))


def in_scope(arrays: Mapping[str, np.ndarray], scope: str) -> dict[str, np.ndarray]:
    """The variables whose names begin with a scope, by their names without it."""
    return {name.removeprefix(scope): array for name, array in arrays.items() if name.startswith(scope)}


def heads_of(arrays: Mapping[str, np.ndarray]) -> tuple[list[str], list[str]]:
    """Names of the convolutions behind the last stage, and of the layers of logits behind its mean.

    A TensorFlow file does not store what a layer reads; a layer's number of inputs shows it.
    """
    convolutions = _convolutions_of(arrays)
    stages = stages_of(convolutions)
    block = f'{stages[max(stages)][0]}_branch2c' if stages else None
    if block not in convolutions:
        return [], []
    features = arrays[f'{block}/{_WEIGHTS}'].shape[3]
    found = [(name.removesuffix(f'/{_WEIGHTS}'), array.ndim) for name, array in arrays.items()
             if name.endswith(f'/{_WEIGHTS}') and array.ndim in (2, 4) and array.shape[-2] == features]
    found = [(name, ndim) for name, ndim in found if not is_trunk(name)]
    found = [each for each in found if '/' not in each[0]] or found  # Others may be other networks.
    return [name for name, ndim in found if ndim == 4], [name for name, ndim in found if ndim == 2]


def _convolutions_of(arrays: Mapping[str, np.ndarray]) -> list[str]:
    return [name.removesuffix(f'/{_WEIGHTS}') for name, array in arrays.items()
            if name.endswith(f'/{_WEIGHTS}') and array.ndim == 4]


class TensorFlowLayers:
    """The layers of a file, a :class:`~converters.layer_view.LayerView`.

    Args:
        arrays: The variables by name.
        scope: The prefix of the network's variables; others are ignored.
        mapping: The :class:`~converters.weight_mapping.WeightMapping` of the arrays.
        eps: The epsilon of batch normalisation (default: that of the code that uses such names).
    """

    def __init__(self, arrays: Mapping[str, np.ndarray], scope: str, mapping: WeightMapping,
                 eps: float | None = None) -> None:
        self.arrays = in_scope(arrays, scope)
        self.mapping, self.eps = mapping, eps
        self.names = _convolutions_of(self.arrays)

    def stages(self) -> list[list[str]]:
        """For each stage the names of its blocks, such as res2a, res2b1, res2b2."""
        stages = stages_of(sorted(self.names, key=natural_order))
        if list(stages) != list(range(2, 2 + len(stages))):
            self.mapping.fail(f'its stages are {list(stages)}')
        return list(stages.values())

    def heads(self) -> tuple[list[str], list[str]]:
        """Names of the convolutions behind the last stage, and of the layers of logits behind its mean.

        As :func:`heads_of`.
        """
        return heads_of(self.arrays)

    def outputs(self, name: str) -> int:
        """The number of outputs of a fully connected layer."""
        return self.arrays[f'{name}/{_WEIGHTS}'].shape[1]

    def fill_logits(self, link: chainer.Link, name: str) -> None:
        """Copies a fully connected layer into a convolution of size 1."""
        array = self.arrays[f'{name}/{_WEIGHTS}']
        if array.shape != link.W.shape[1::-1]:
            self.mapping.fail(f'{self.mapping.name(array)} has the shape {array.shape}, expected '
                              f'{link.W.shape[1::-1]}')
        self.mapping.put(link.W.array, self.mapping.use(array).T[:, :, None, None], array)
        self._put(link.b.array, f'{name}/{_BIASES}')

    def shape(self, name: str) -> tuple[int, int, int, int]:
        """Outputs, inputs, height and width of a convolution."""
        height, width, inputs, outputs = self._weights(name).shape
        return outputs, inputs, height, width

    def has_bias(self, name: str) -> bool:
        """Whether a convolution has a bias."""
        return f'{name}/{_BIASES}' in self.arrays

    def parameters(self, name: str) -> None:
        """None: TensorFlow files do not store the stride, dilation and padding of a convolution."""
        return None

    def pooling(self, name: str) -> None:
        """None, as for :meth:`parameters`."""
        return None

    def skip(self, name: str, reason: str) -> None:
        """Records that a convolution is not needed."""
        for kind in (_WEIGHTS, _BIASES):
            if f'{name}/{kind}' in self.arrays:
                self.mapping.skip(self.arrays[f'{name}/{kind}'], reason)

    def fill_convolution(self, link: chainer.Link, name: str) -> None:
        """Copies a convolution into a Convolution2D, with its bias if the link has one."""
        array = self._weights(name)
        if self.shape(name) != link.W.shape:
            self.mapping.fail(f'{self.mapping.name(array)} has the shape {array.shape}, expected '
                              f'{tuple(link.W.shape[axis] for axis in (2, 3, 1, 0))}')
        self.mapping.put(link.W.array, self.mapping.use(array).transpose(3, 2, 0, 1), array)
        if link.b is not None:
            self._put(link.b.array, f'{name}/{_BIASES}')

    def fill_conv_norm(self, link: chainer.Link, convolution: str, suffix: str) -> None:
        """Copies a convolution and its batch normalisation into a ConvNorm.

        A bias of the convolution is subtracted from the mean.
        """
        self.fill_convolution(link.conv, convolution)
        norm, name = link.norm, f'bn{suffix}'
        (scale, shift, mean, variance), eps = self._names_of_norm(name)
        for target, key, default in ((norm.gamma, scale, 1), (norm.beta, shift, 0)):
            if key in self.arrays:
                self._put(target.array, key)
            else:
                self.mapping.put(target.array, default)
        self._put(norm.avg_mean, mean)
        self._put(norm.avg_var, variance, eps - EPS)
        if link.conv.b is None and self.has_bias(convolution):
            self._put_mean(norm, mean, f'{convolution}/{_BIASES}')
        norm.N = UPDATES

    def _names_of_norm(self, name: str) -> tuple[list[str], float]:
        """The names of a normalisation's four variables, and its epsilon."""
        for keys, eps in _NORMS:
            names = [f'{name}/{key}' for key in keys]
            if names[2] in self.arrays:
                return names, eps if self.eps is None else self.eps
        return self.mapping.fail(f'it has no mean for {name}')

    def _put(self, target: np.ndarray, name: str, offset: float = 0) -> None:
        """Copies one value per channel, plus an offset."""
        array = self._channels(name, len(target))
        values = self.mapping.use(array).reshape(-1)
        self.mapping.put(target, values + offset if offset else values, array)

    def _put_mean(self, norm: chainer.Link, mean: str, bias: str) -> None:
        arrays = [self._channels(name, len(norm.avg_mean)) for name in (mean, bias)]
        values = [self.mapping.use(array).reshape(-1).astype(np.float64) for array in arrays]
        self.mapping.put(norm.avg_mean, values[0] - values[1], *arrays)

    def _weights(self, name: str) -> np.ndarray:
        if name not in self.names:
            self.mapping.fail(f'it has no convolution {name}')
        return self.arrays[f'{name}/{_WEIGHTS}']

    def _channels(self, name: str, channels: int) -> np.ndarray:
        """An array with one value for each channel; kaffe keeps some of Caffe's (1, 1, 1, C)."""
        if name not in self.arrays:
            self.mapping.fail(f'it has no {name}')
        array = self.arrays[name]
        if not array.size == channels == max(array.shape, default=1):
            self.mapping.fail(f'{self.mapping.name(array)} has the shape {array.shape}, expected '
                              f'{(channels,)}')
        return array


def skip_training(arrays: Mapping[str, np.ndarray], mapping: WeightMapping) -> None:
    """Skips variables of training, such as ``conv1/weights/Momentum``."""
    names = arrays.keys()
    for name, array in arrays.items():
        if _COUNTER.fullmatch(name) and array.size == 1:
            mapping.skip(array, 'counter of training')
            continue
        owner, _, slot = name.rpartition('/')
        if _SLOT.fullmatch(slot) and any(owner[at:] in names for at in _begins(owner)):
            average = slot.startswith('Exp')
            mapping.skip(array, 'moving average of training' if average else "optimizer's state")


def skip_numbers(mapping: WeightMapping) -> None:
    """Skips scalars that belong to no layer of the network."""
    layers = {name.rpartition('/')[0] for name in mapping.used}
    for name, array in mapping.left():
        home = name.rpartition('/')[0]
        if array.size == 1 and (not home or not any(
                layer == home or layer.startswith(f'{home}/') for layer in layers)):
            mapping.skip(array, 'scalar outside the layers of the network')


def _begins(name: str) -> list[int]:
    """The positions where the parts of a name begin; optimizers may prepend their own scope."""
    return [0, *(match.end() for match in re.finditer('/', name))]
