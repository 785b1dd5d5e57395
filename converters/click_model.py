"""Click models (arXiv 1603.04042) built from a converted DeepLab with or without click inputs."""

import os
from typing import Any

import numpy as np
from chainer.serializers import DictionarySerializer

from chainer_seg.errors import WeightFileError
from chainer_seg.models.deeplab import ClickSegmenter, DeepLab
from converters.weight_mapping import WeightMapping

COLOURS = 3  # Input channels of a network before the click maps.
_CLICK_INPUTS = 2
# Arguments that a DeepLab and a click model have in common.
SHARED = ('blocks', 'width', 'stride_on', 'padding', 'norm', 'pooling', 'pool_pad', 'stem_bias',
          'pyramid', 'seed')


def click_model(network: DeepLab, mapping: WeightMapping, weights: np.ndarray | str | None,
                config: dict[str, Any]) -> ClickSegmenter:
    """The :class:`~chainer_seg.models.deeplab.ClickSegmenter` of a filled DeepLab.

    Args:
        network: A DeepLab with one or two logits; it is modified. Input channels that only the click
            model has get the given weights, or zeros. Two logits are replaced by their difference, because
            their softmax is the sigmoid of the difference.
        mapping: The :class:`~converters.weight_mapping.WeightMapping` of its arrays.
        weights: Weights (width, inputs, 7, 7) of the input channels that ``network`` lacks, the path of an
            .npy file of them, or None for zeros.
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


def _arrays(link: DeepLab) -> dict[str, np.ndarray]:
    """The parameters and running statistics of a link by their paths."""
    serializer = DictionarySerializer()
    serializer.save(link)
    return serializer.target


def _widened(colours: np.ndarray, inputs: int, weights: np.ndarray | str | os.PathLike | None,
             mapping: WeightMapping) -> np.ndarray:
    """The weights of the first convolution, extended to more input channels."""
    width, known, height, length = colours.shape
    if known > inputs:
        mapping.fail(f'its network has {known} input channels, but the click model only {inputs}')
    wide = np.zeros((width, inputs, height, length), np.float32)
    wide[:, :known] = colours
    if weights is not None:
        clicks = _read_weights(weights)
        if clicks.shape != wide[:, known:].shape:
            mapping.fail(f'the click_weights have the shape {clicks.shape}, expected '
                         f'{wide[:, known:].shape}')
        wide[:, known:] = clicks
    return wide


def _read_weights(weights: np.ndarray | str | os.PathLike) -> np.ndarray:
    if not isinstance(weights, str):
        return np.asarray(weights)
    try:
        return np.load(weights, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise WeightFileError(
            f'The click_weights {weights} cannot be read as a .npy file: {error}.') from error
