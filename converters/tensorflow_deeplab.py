"""DeepLab-v2 on a ResNet as TensorFlow saves it, and the click model made of it.

The networks are those of github.com/DrSleep/tensorflow-deeplab-resnet, of
github.com/jia2lin3yuan1/deep-interactive, whose first convolution has five inputs, and what
caffe-tensorflow makes of Caffe's files.
"""

from converters import deeplab
from converters.tensorflow_layers import TensorFlowLayers, scopes, skip_training, variables

# The click model sees six times the distance to the nearest click, minus 131 (config_pascal.py there).
_CLICK_SCALE, _CLICK_MEAN = 6.0, 131.0


def recognise(tree):
    """The name of the network in a tree, None where this module does not know it."""
    arrays = variables(tree)
    known = any(deeplab.recognise(TensorFlowLayers(arrays, scope, None).names)
                for scope in scopes(arrays))
    return 'DeepLab of TensorFlow' if known else None


def build(tree, ledger, config):
    """The :class:`~chainer_seg.models.deeplab.DeepLab` or ``ClickSegmenter`` of a file.

    Args:
        tree: What the reader made of the file.
        ledger: The :class:`~converters.ledger.Ledger` of its arrays.
        config: As that of :func:`converters.deeplab.build`; beside it ``scope``, what the names of the
            variables begin with, where there are several networks, and ``norm_eps``, what batch
            normalisation adds to variances, by default what the code with such variables adds.
    """
    config = {'padding': 'same', **config}
    arrays, eps = variables(tree), config.pop('norm_eps', None)
    skip_training(arrays, ledger)
    scope = _scope(arrays, config.pop('scope', None), ledger)
    others = tuple(other for other in scopes(arrays) if not scope.startswith(other))
    for name, array in arrays.items():
        if not name.startswith(scope) or name.startswith(others):
            ledger.skip(array, 'variable of another scope')
    return deeplab.build(TensorFlowLayers(arrays, scope, ledger, eps), config,
                         _CLICK_SCALE, _CLICK_MEAN)


def _scope(arrays, wanted, ledger):
    found = scopes(arrays)
    if wanted is None and ('' in found or len(found) == 1):
        return found[0]
    if wanted is None:
        ledger.fail(f'it has networks in the scopes {", ".join(found)}; name one of them as scope in '
                    f'the configuration')
    scope = f'{str(wanted).rstrip("/")}/'
    if scope not in found:
        ledger.fail(f'it has no network in the scope {wanted!r}, but in {", ".join(found)}')
    return scope
