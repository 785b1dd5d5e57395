"""Speed of semantic segmentation: DeepLab's network, and the dense CRF of all classes behind it."""

import numpy as np

from chainer_seg.cli.benchmark import Action, Prepare
from chainer_seg.datasets import ShapesDataset
from chainer_seg.images import resize
from chainer_seg.models.deeplab import DeepLab
from chainer_seg.models.deeplab.dense_crf import PRESETS, semantic_crf

import chainer  # isort: skip

SIZE = (375, 500)  # of most photographs in PASCAL VOC
CLASSES = 21


def forward(device: chainer.backend.Device, seed: int) -> Action:
    """The published network on one image of the size of the authors' test."""
    model = DeepLab(seed=seed)
    model.to_device(device)
    x = np.random.default_rng(seed).normal(size=(1, 3, 513, 513)).astype(np.float32)
    x = device.send(x)

    def run() -> None:
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            model.forward(x)
    return run


def refinement(preset: str, likely: int) -> Prepare:
    """The CRF on a synthetic image, where ``likely`` of the classes have a high probability anywhere."""
    def prepare(device: chainer.backend.Device, seed: int) -> Action:
        image = ShapesDataset(1, seed, SIZE)[0][0]
        logits = np.random.default_rng(seed).normal(0, 2, (CLASSES, 12, 16)).astype(np.float32)
        logits[likely:] -= 20
        powers = np.exp(np.stack([resize(plane, SIZE) for plane in logits]))
        probabilities = powers / powers.sum(axis=0)
        return lambda: semantic_crf(image, probabilities, preset=preset)
    return prepare


BENCHMARKS = {
    'DeepLab: ResNet-101, forward, 1 x 513x513': forward,
    **{f'DeepLab: dense CRF, {preset}, {likely} classes, 500x375': refinement(preset, likely)
       for preset in PRESETS for likely in (CLASSES, 5)},
}
