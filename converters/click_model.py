"""Click models (arXiv 1603.04042) made of a converted DeepLab with or without inputs for clicks."""

from typing import Any

import numpy as np
from chainer.serializers import DictionarySerializer

from chainer_seg.errors import WeightFileError
from chainer_seg.models.deeplab import ClickSegmenter, DeepLab
from converters.weight_mapping import WeightMapping

COLOURS = 3  # Inputs of a network before those that say where the clicks are.
_CLICK_INPUTS = 2
# Arguments that a DeepLab and a click model have in common.
SHARED = ('blocks', 'width', 'stride_on', 'padding', 'norm', 'pooling', 'pool_pad', 'stem_bias',
          'pyramid', 'seed')


def click_model(network: DeepLab, mapping: WeightMapping, weights: np.ndarray | str | None,
                config: dict[str, Any]) -> ClickSegmenter:
    """The :class:`~chainer_seg.models.deeplab.ClickSegmenter` of a filled DeepLab.

    Args:
        network: A DeepLab with one or two logits, which is changed. Inputs that only the click
            model has get the weights given, or zeros; of two logits, whose softmax is the sigmoid
            of their difference, the difference is taken.
        mapping: The :class:`~converters.weight_mapping.WeightMapping` that knows its arrays.
        weights: An array (width, inputs, 7, 7) for the inputs that ``network`` lacks, the path of
            an .npy file of one, or None for zeros.
        config: Arguments of the class.
    """
    arguments = {name: network.config[name] for name in SHARED}
    has_mask = network.config['in_channels'] > COLOURS + _CLICK_INPUTS
    model = mapping.make(ClickSegmenter, {**arguments, 'mask_input': has_mask, **config},
                         'click', 'click_weights')
    old = _arrays(network)
    stem = network.resnet.stem.conv
    stem.W.array = _widened(stem.W.array, model.net.config['in_channels'], weights, mapping)
    if network.config['n_class'] == 2:
        for branch in network.pyramid.children():
            branch.W.array = branch.W.array[1:] - branch.W.array[:1]
            branch.b.array = branch.b.array[1:] - branch.b.array[:1]
    model.net.copyparams(network)
    new = _arrays(model.net)
    mapping.moved([old[path] for path in new], list(new.values()))
    return model


def _arrays(link):
    """The parameters and running statistics of a link by their paths."""
    serializer = DictionarySerializer()
    serializer.save(link)
    return serializer.target


def _widened(colours, inputs, weights, mapping):
    """The weights of the first convolution with more inputs."""
    width, known, height, length = colours.shape
    if known > inputs:
        mapping.fail(f'its network has {known} inputs, and the click model {inputs}')
    wide = np.zeros((width, inputs, height, length), np.float32)
    wide[:, :known] = colours
    if weights is not None:
        clicks = _read_weights(weights)
        if clicks.shape != wide[:, known:].shape:
            mapping.fail(f'the click_weights have the shape {clicks.shape}, where '
                         f'{wide[:, known:].shape} is needed')
        wide[:, known:] = clicks
    return wide


def _read_weights(weights):
    if not isinstance(weights, str):
        return np.asarray(weights)
    try:
        return np.load(weights, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise WeightFileError(f'The click_weights {weights} cannot be read as .npy: {error}.') from error
