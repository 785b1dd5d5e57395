"""Two images with animals, and what a poor detector finds in them."""

import numpy as np

from chainer_seg.datasets import ExampleList
from tests.synthetic import squares

NAMES = ('cat', 'dog')
IMAGE = np.full((200, 200, 3), 90, np.uint8)


def animals():
    """A cat; a dog and a cat."""
    return ExampleList([
        (IMAGE, squares((0, 0), labels=[0], class_names=NAMES)),
        (IMAGE, squares((80, 80), (150, 0), labels=[1, 0], class_names=NAMES))], NAMES)


def poor_detections():
    """One cat is found, beside a false alarm; the dog is called a cat; the second cat is missed."""
    return [squares((0, 2), (100, 100), labels=[0, 0], scores=[0.9, 0.3], class_names=NAMES),
            squares((80, 80), labels=[0], scores=[0.8], class_names=NAMES)]
