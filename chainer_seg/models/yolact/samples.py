"""Training samples of YOLACT."""

from collections.abc import Callable, Sequence
from typing import Any

import chainer
import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg.errors import DatasetError
from chainer_seg.instances import Instances
from chainer_seg.models.yolact.augmentation import STANDARD, augment
from chainer_seg.models.yolact.settings import Augmentation

# Minimum side of an object to train on, as a share of the image's side: 4 pixels of 550.
LEAST_SIDE = 4 / 550

# Default maximum number of objects of an image to train on.
MAX_OBJECTS = 100


class YolactSamples:
    """Turns an image and its objects into a training sample.

    Called as ``transform((image, instances), rng)`` by the training iterator.

    Args:
        image_size: Side S of the network's input.
        normalise: Normalises pixels (S, S, 3), red, green, blue, in 0..255 for the network.
        classes: Number of classes; None to accept any label.
        augmentation: The :class:`chainer_seg.models.yolact.augmentation.Augmentation`.
        least_side: Minimum side of an object's box, as a share of the image's side.
        max_objects: Maximum number of objects, of which the largest are kept.

    Returns:
        A dict of ``x`` (3, S, S) float32, the network's input; ``bboxes`` (R, 4) float32 (y_min,
        x_min, y_max, x_max) as fractions of the image; ``labels`` (R,) int32; ``crowds`` (R,)
        bool; and ``masks`` (R, S, S) bool. None if all remaining objects are crowds.

    Raises:
        chainer_seg.errors.DatasetError: An object's label is not among the classes.
    """

    def __init__(self, image_size: int, normalise: Callable[[np.ndarray], np.ndarray],
                 classes: int | None = None, augmentation: Augmentation = STANDARD,
                 least_side: float = LEAST_SIDE, max_objects: int = MAX_OBJECTS) -> None:
        self.image_size, self.normalise, self.classes = image_size, normalise, classes
        self.augmentation = augmentation
        self.least_side, self.max_objects = least_side, max_objects

    def __call__(self, example: tuple[np.ndarray, Instances],
                 rng: np.random.Generator) -> dict[str, np.ndarray] | None:
        self._check_labels(example[1])
        image, instances = augment(*example, rng, self.augmentation)
        size = np.array(image.shape[:2] * 2, np.float32)
        bboxes = instances.bboxes / size
        chosen = self._usable(bboxes, instances)
        if instances.crowds[chosen].all():
            return None
        side = self.image_size
        x = cv2.resize(image.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
        return {'x': np.ascontiguousarray(self.normalise(x).transpose(2, 0, 1)),
                'bboxes': bboxes[chosen], 'labels': instances.labels[chosen],
                'crowds': instances.crowds[chosen],
                'masks': resize_masks(instances.masks[chosen], side)}

    def _check_labels(self, instances: Instances) -> None:
        labels = instances.labels[~instances.crowds]
        if self.classes is not None and len(labels) and not (
                labels.min() >= 0 and labels.max() < self.classes):
            raise DatasetError(f'An object has the label {labels[np.abs(labels).argmax()]}, but the '
                               f'{self.classes} classes have the labels 0 to {self.classes - 1}; '
                               f'number the classes without gaps from 0.')

    def _usable(self, bboxes: np.ndarray, instances: Instances) -> npt.NDArray[np.int64]:
        """The numbers of the objects to train on, in their order."""
        sides = bboxes[:, 2:] - bboxes[:, :2]
        # Cropping may have removed all pixels of a mask.
        usable = np.flatnonzero((sides > self.least_side).all(axis=1)
                                & instances.masks.any(axis=(1, 2)))
        largest = np.argsort(-sides[usable].prod(axis=1), kind='stable')[:self.max_objects]
        return np.sort(usable[largest])


def resize_masks(masks: np.ndarray, side: int) -> np.ndarray:
    """Masks (R, H, W) bool resized to (R, side, side) by OpenCV's bilinear resizing of bytes."""
    resized = np.empty((len(masks), side, side), bool)
    for mask, out in zip(masks, resized):
        out[...] = cv2.resize(mask.view(np.uint8), (side, side), interpolation=cv2.INTER_LINEAR)
    return resized


def stack_examples(samples: Sequence[dict[str, np.ndarray]],
                   device: chainer.backend.Device) -> dict[str, Any]:
    """The samples of a batch on ``device``: ``x`` stacked, all else as lists with one array per image."""
    batch = {name: [device.send(sample[name]) for sample in samples] for name in samples[0]}
    batch['x'] = chainer.backend.get_array_module(batch['x'][0]).stack(batch['x'])
    return batch
