"""PyTorch's ResNets as they were trained on ImageNet (torchvision/models/resnet.py), as classifiers.

They expect red, green and blue in 0..1 less (0.485, 0.456, 0.406) and over (0.229, 0.224, 0.225), which
but for rounding is what YOLACT's backbones expect.
"""

from chainer_seg.models.classifier import ResNetClassifier
from converters.torch_state import State
from converters.trees import named_arrays

_FIRST = 'layer1.0.conv3.weight'  # Smaller ResNets, whose blocks have two convolutions, lack it.


def recognise(tree):
    """The name of the network in a tree, None where this module does not know it."""
    return None if _prefix(tree) is None else 'ResNet of PyTorch'


def build(tree, ledger, config):
    """The :class:`~chainer_seg.models.classifier.ResNetClassifier` of a file.

    Args:
        tree: What the reader made of the file.
        ledger: The :class:`~converters.ledger.Ledger` of its arrays.
        config: Arguments of the class that replace those found in the file.
    """
    state = State(tree, ledger, _prefix(tree))
    stages = [f'layer{number + 1}' for number in range(state.count('layer{}.0.conv1.weight', first=1))]
    if 'stride_on' not in config:
        ledger.assume("the strides of PyTorch's own ResNets, on the 3x3 convolutions; stride_on says "
                      'others')
    model = ledger.make(ResNetClassifier, {
        'n_class': state.shape('fc.weight', 2)[0],
        'blocks': [state.count(f'{stage}.{{}}.conv1.weight') for stage in stages],
        'width': state.shape('conv1.weight', 4)[0], 'stride_on': '3x3', **config})
    state.fill_resnet(model.resnet, '', stages)
    ledger.fill(model.logits.W.array, state['fc.weight'], model.logits.W.shape[:2])
    ledger.fill(model.logits.b.array, state['fc.bias'])
    return model


def _prefix(tree):
    """What stands before the names of the network, as where it is one part of a checkpoint; or None."""
    names = named_arrays(tree)
    found = next((name for name in names if name.endswith(_FIRST)), None)
    prefix = None if found is None else found.removesuffix(_FIRST)
    return prefix if f'{prefix}fc.weight' in names else None
