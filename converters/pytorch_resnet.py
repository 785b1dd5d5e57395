"""PyTorch's ResNets as they were trained on ImageNet (torchvision/models/resnet.py), as classifiers.

They expect RGB in 0..1, minus (0.485, 0.456, 0.406) and divided by (0.229, 0.224, 0.225); up to rounding,
this is also what YOLACT's backbones expect.
"""

from typing import Any

from chainer_seg.models.classifier import ResNetClassifier
from converters.resnet_sizes import bottleneck_sizes, out_width_of
from converters.torch_checkpoint import prefix_of, skip_training
from converters.torch_state import State
from converters.trees import named_arrays
from converters.weight_mapping import WeightMapping

_BLOCK = 'layer1.0.conv2.weight'  # Both kinds of blocks have it.
_STEM_SIZE = 7


def recognise(tree: object) -> str | None:
    """The name of the network in a tree; None if this module does not recognise it."""
    return None if _prefix(tree) is None else 'ResNet of PyTorch'


def build(tree: object, mapping: WeightMapping, config: dict[str, Any]) -> ResNetClassifier:
    """The :class:`~chainer_seg.models.classifier.ResNetClassifier` of a file.

    Args:
        tree: As returned by the reader of the format.
        mapping: The :class:`~converters.weight_mapping.WeightMapping` of its arrays.
        config: Arguments of the class that override those found in the file.

    The layer of the logits is the matrix behind the last stage, whatever its name; without one, the model
    has no logits.
    """
    state = State(tree, mapping, _prefix(tree) or '')
    stages = [f'layer{number + 1}' for number in range(state.count('layer{}.0.conv1.weight', first=1))]
    width, _, side, _ = state.shape('conv1.weight', 4)
    if side != _STEM_SIZE:
        mapping.fail(f'its first convolution has a side of {side}, expected {_STEM_SIZE}')
    block = 'bottleneck' if f'{stages[0]}.0.conv3.weight' in state else 'basic'
    sizes = {'width': width} if block == 'basic' else _bottleneck_sizes(state)
    head = _head(state, out_width_of({'block': block, **sizes}) * 2 ** (len(stages) - 1))
    if 'stride_on' not in config and block == 'bottleneck':
        mapping.assume("the strides of PyTorch's own ResNets, on the 3x3 convolutions; override with "
                       'stride_on')
    model = mapping.make(ResNetClassifier, {
        'n_class': None if head is None else state.shape(f'{head}.weight', 2)[0],
        'blocks': [state.count(f'{stage}.{{}}.conv1.weight') for stage in stages],
        **sizes, 'block': block, 'stride_on': '3x3', **config})
    state.fill_resnet(model.resnet, '', stages)
    if head is not None:
        mapping.fill(model.logits.W.array, state[f'{head}.weight'], model.logits.W.shape[:2])
        mapping.fill(model.logits.b.array, state[f'{head}.bias'])
    skip_training(tree, mapping)
    return model


def _bottleneck_sizes(state: State) -> dict[str, Any]:
    """The widths and the groups, also of ResNeXts and wide ResNets."""
    return bottleneck_sizes(state.mapping, *(state.shape(f'{name}.weight', 4) for name in (
        'conv1', 'layer1.0.conv2', 'layer1.0.conv3')))


def _prefix(tree: object) -> str | None:
    """The prefix of the network's names, as in a checkpoint that has other parts; or None."""
    names = named_arrays(tree)
    prefix = prefix_of(names, _BLOCK)
    return prefix if f'{prefix}conv1.weight' in names else None


def _head(state: State, features: int) -> str | None:
    """The name of the linear layer with ``features`` inputs; None if there is none."""
    found = [name.removesuffix('.weight') for name, array in state.arrays.items()
             if name.endswith('.weight') and array.ndim == 2]
    fitting = [name for name in found if state.arrays[f'{name}.weight'].shape[1] == features]
    if len(fitting) != len(found) or len(found) > 1:
        state.mapping.fail(f'behind its stages it has the linear layers {", ".join(found[:4])}, expected '
                           f'at most one, of {features} inputs; skip the others with '
                           f'--skip')
    return found[0] if found else None
