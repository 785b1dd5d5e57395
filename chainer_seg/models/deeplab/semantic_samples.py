"""Training samples of DeepLab: random scale, mirror and crop (arXiv 1606.00915, section 4)."""

import numpy as np

from chainer_seg.images import resize
from chainer_seg.label_images import VOID
from chainer_seg.models.deeplab.preparation import network_image


class SemanticSamples:
    """Turns an image and the labels of its pixels into a training sample.

    Called as ``transform(example, rng)`` by the training iterator. The part of the crop outside the
    image is filled with the mean colour and is void.

    Args:
        crop: (height, width) of the samples in pixels; 321x321 is published.
        scale_range: Range of the random resize factor; 0.5 to 1.5 in the TensorFlow implementation.
        mirror: Probability of mirroring a sample.

    Returns:
        A tuple: ``image`` (3, height, width) float32, as of :func:`network_image`, and ``labels``
        (height, width) int32, -1 for void.
    """

    def __init__(self, crop: tuple[int, int] = (321, 321), scale_range: tuple[float, float] = (0.5, 1.5),
                 mirror: float = 0.5) -> None:
        self.crop = crop
        self.scale_range = scale_range
        self.mirror = mirror

    def __call__(self, example: tuple[np.ndarray, np.ndarray],
                 rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        image, labels = example
        scale = rng.uniform(*self.scale_range)
        size = max(1, int(labels.shape[0] * scale)), max(1, int(labels.shape[1] * scale))
        image, labels = resize(image, size), resize_labels(labels, size)
        if rng.random() < self.mirror:
            image, labels = image[:, ::-1], labels[:, ::-1]
        part = tuple(_random_slice(side, wanted, rng) for side, wanted in zip(size, self.crop))
        return (_padded(network_image(image[part]), self.crop, 0),
                _padded(labels[part], self.crop, VOID))


def resize_labels(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Labels (H, W) resized to (h, w) by nearest-neighbour interpolation."""
    rows, columns = (((np.arange(wanted) + 0.5) * length / wanted).astype(int)
                     for wanted, length in zip(size, labels.shape))
    return labels[rows[:, None], columns]


def _random_slice(side: int, wanted: int, rng: np.random.Generator) -> slice:
    """A random slice of ``wanted`` pixels of a side of an image; all of a shorter side."""
    start = int(rng.integers(max(side - wanted, 0) + 1))
    return slice(start, min(start + wanted, side))


def _padded(array: np.ndarray, size: tuple[int, int], value: float) -> np.ndarray:
    """An array (..., h, w) padded with ``value`` at the bottom and right to (..., *size)."""
    padding = [(0, wanted - length) for wanted, length in zip(size, array.shape[-2:])]
    return np.pad(array, [(0, 0)] * (array.ndim - 2) + padding, constant_values=value)
