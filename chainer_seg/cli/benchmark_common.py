"""Speed of what all systems share."""

import numpy as np

from chainer_seg.cli.benchmark import Action
from chainer_seg.datasets import ShapesDataset
from chainer_seg.links import ResNet

import chainer  # isort: skip


def drawing(device: chainer.backend.Device, seed: int) -> Action:
    """Twenty synthetic images of 256x256 with their masks."""
    dataset = ShapesDataset(10 ** 6, seed)
    numbers = iter(range(len(dataset)))
    return lambda: [dataset[next(numbers)] for _ in range(20)]


def resnet50(device: chainer.backend.Device, seed: int) -> Action:
    """ResNet-50 to res5 on one image of 550x550."""
    net = ResNet()
    net.to_device(device)
    x = device.send(np.random.default_rng(seed).normal(size=(1, 3, 550, 550)).astype(np.float32))

    def forward() -> None:
        with chainer.using_config('train', False), chainer.no_backprop_mode():
            net(x)
    return forward


BENCHMARKS = {
    '20 synthetic images, 256x256, one process': drawing,
    'ResNet-50, forward, 1 x 550x550': resnet50,
}
