"""A YOLACT of a few channels and synthetic images for it."""

import chainer
import numpy as np

from chainer_seg.datasets import ShapesDataset
from chainer_seg.models.yolact.augmentation import NO_AUGMENTATION
from chainer_seg.models.yolact.samples import YolactSamples, stack_examples

SMALL = {'classes': 21, 'image_size': 64, 'width': 2, 'blocks': (1, 1, 1, 1), 'fpn_channels': 6,
         'prototypes': 4, 'anchor_scales': ((8,), (16,), (24,), (40,), (60,)),
         'square_anchors': False}


def drawn_batch(model, count, objects=3):
    """A batch of synthetic images as arrays for :class:`YolactTrainChain`."""
    dataset = ShapesDataset(count, seed=4, size=(64, 64), objects=(objects, objects),
                            diameters=(0.3, 0.6), crowd_probability=0)
    samples = YolactSamples(model.image_size, model.normalise, augmentation=NO_AUGMENTATION)
    drawn = [samples(dataset[number], np.random.default_rng(number)) for number in range(count)]
    return stack_examples(drawn, chainer.get_device('@numpy'))


def observe(chain, batch):
    """The loss of a batch and what the chain reports, as numbers."""
    reporter, observation = chainer.Reporter(), {}
    reporter.add_observer('main', chain)
    with reporter, reporter.scope(observation):
        loss = chain(**batch)
    return loss, {name.removeprefix('main/'): float(getattr(value, 'array', value))
                  for name, value in observation.items()}
