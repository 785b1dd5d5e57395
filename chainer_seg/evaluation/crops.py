"""How often a classifier names the objects of a data set rightly."""

import chainer
import numpy as np

# Tells the generators of these crops from those of a training run.
_CROPS = 6

_BATCH = 32


def evaluate_crops(model, crops, n=512):
    """The share of crops that a classifier names rightly.

    Args:
        model: A :class:`chainer_seg.models.classifier.ResNetClassifier`.
        crops: The :class:`chainer_seg.models.classifier.ObjectCrops` to draw from.
        n: Number of crops.

    Returns:
        A dict of ``accuracy``.
    """
    right = 0
    with chainer.using_config('train', False), chainer.no_backprop_mode():
        for first in range(0, n, _BATCH):
            numbers = range(first, min(first + _BATCH, n))
            samples = [crops(number, np.random.default_rng((_CROPS, number))) for number in numbers]
            batch = chainer.dataset.concat_examples(samples, model.device)
            right += int((model(batch['x']).array.argmax(axis=1) == batch['label']).sum())
    return {'accuracy': right / n}
