"""Training samples of DeepLab: random scale, mirror and crop (arXiv 1606.00915, section 4)."""

import numpy as np

from chainer_seg.images import resize
from chainer_seg.label_images import VOID
from chainer_seg.models.deeplab.preparation import network_image


class SemanticSamples:
    """Makes a training sample of an image and the labels of its pixels.

    Called as ``transform(example, rng)`` by the training iterator. What of the crop lies beside the
    image is filled with the mean of all pixels and is void.

    Args:
        crop: (height, width) of the samples in pixels; 321x321 is published.
        scale_range: Images are scaled by a number drawn from this range; 0.5 to 1.5 in the TensorFlow
            implementation.
        mirror: The share of samples that are mirrored.

    Returns:
        A tuple: ``image`` (3, height, width) float32 as :func:`network_image` gives it, and ``labels``
        (height, width) int32, -1 for void.
    """

    def __init__(self, crop=(321, 321), scale_range=(0.5, 1.5), mirror=0.5):
        self.crop = tuple(crop)
        self.scale_range = tuple(scale_range)
        self.mirror = mirror

    def __call__(self, example, rng):
        image, labels = example
        scale = rng.uniform(*self.scale_range)
        size = tuple(max(1, int(side * scale)) for side in labels.shape)
        image, labels = resize(image, size), resize_labels(labels, size)
        if rng.random() < self.mirror:
            image, labels = image[:, ::-1], labels[:, ::-1]
        window = tuple(_window(side, wanted, rng) for side, wanted in zip(size, self.crop))
        return (_filled(network_image(image[window]), self.crop, 0),
                _filled(labels[window], self.crop, VOID))


def resize_labels(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Labels (H, W) in another size (h, w): those of the nearest pixels."""
    rows, columns = (((np.arange(wanted) + 0.5) * length / wanted).astype(int)
                     for wanted, length in zip(size, labels.shape))
    return labels[rows[:, None], columns]


def _window(side, wanted, rng):
    """Where a crop lies on one side of an image, as a slice that is shorter where the image is."""
    start = int(rng.integers(max(side - wanted, 0) + 1))
    return slice(start, min(start + wanted, side))


def _filled(array, size, value):
    """An array (..., h, w) with ``value`` below and to the right of it, up to (..., *size)."""
    padding = [(0, wanted - length) for wanted, length in zip(size, array.shape[-2:])]
    return np.pad(array, [(0, 0)] * (array.ndim - 2) + padding, constant_values=value)
