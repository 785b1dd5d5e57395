"""Speed of click segmentation."""

import itertools

import numpy as np

from chainer_seg.cli.benchmark import Action
from chainer_seg.datasets import ShapesDataset
from chainer_seg.model_file import load_model
from chainer_seg.models.deeplab import Click, ClickSamples, ClickTrainChain

import chainer  # isort: skip


def one_click(device: chainer.backend.Device, seed: int) -> Action:
    """One click on a photograph-sized image with the shipped model."""
    model = load_model('click')
    model.to_device(device)
    image = np.random.default_rng(seed).integers(0, 256, (480, 640, 3), np.uint8)
    session = model.session(image)

    def click() -> None:
        session.reset()
        session.add(Click(240, 320))
    return click


def training_step(device: chainer.backend.Device, seed: int) -> Action:
    """One update of the shipped click model with 8 samples of 192x192."""
    chain = ClickTrainChain(load_model('click'))
    chain.to_device(device)
    optimizer = chainer.optimizers.Adam().setup(chain)
    dataset, transform = ShapesDataset(100, seed), ClickSamples((192, 192))
    found = (transform(dataset[number], np.random.default_rng(seed)) for number in range(len(dataset)))
    samples = itertools.islice(filter(None, found), 8)
    batch = [device.send(np.stack(arrays)) for arrays in zip(*samples)]
    return lambda: optimizer.update(chain, *batch)


BENCHMARKS = {
    'click model: one click on a 640x480 photograph': one_click,
    'click model: update with 8 samples of 192x192': training_step,
}
