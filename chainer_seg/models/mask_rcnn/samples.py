"""Training samples of Mask R-CNN: resized and randomly mirrored images with their ground truth."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import chainer
import numpy as np
import numpy.typing as npt

from chainer_seg.datasets.keypoints import PERSON_MIRROR
from chainer_seg.datasets.base import as_dataset
from chainer_seg.datasets.segmentations import drawable_polygons
from chainer_seg.instances import Instances
from chainer_seg.models.mask_rcnn.mask_targets import ObjectMasks
from chainer_seg.models.mask_rcnn.preparation import InputSize, shown_image, stack

# Objects whose box is not wider and higher than this (in pixels of the image) are not trained on, as in
# Detectron, which requires inclusive maxima to be larger than the minima.
LEAST_SIDE = 1


@dataclasses.dataclass
class Truth:
    """The ground truth of one training image: G objects, none of them a crowd.

    Attributes:
        size: The :class:`~chainer_seg.models.mask_rcnn.preparation.InputSize` of the image, without padding.
        boxes: (G, 4) float32 with inclusive maxima, in pixels of the input.
        labels: (G,) int32 from 0.
        masks: The :class:`~chainer_seg.models.mask_rcnn.mask_targets.ObjectMasks`.
        keypoints: (G, K, 3) float32 (y, x, visibility) in pixels of the image, or None.
        crowds: (C, 4) float32, the boxes of crowds, as ``boxes``.
        seed: Seed of the generator that samples anchors and regions.
    """

    size: InputSize
    boxes: np.ndarray
    labels: np.ndarray
    masks: ObjectMasks
    keypoints: np.ndarray | None
    crowds: np.ndarray
    seed: int


class PolygonDataset:
    """A data set whose examples include the polygons of their objects, if its file has them.

    Args:
        dataset: A :class:`chainer_seg.datasets.Dataset`, or what ``as_dataset`` turns into one.

    ``[i]`` is a tuple of the image, its Instances, and for each object a list of polygons
    (x0, y0, x1, y1, ...) or None.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset = as_dataset(dataset)
        self.class_names = dataset.class_names
        self.ids = dataset.ids
        self._annotations = dataset.annotations

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[np.ndarray, Instances, list[Any]]:
        image, instances = self.dataset[index]
        if self._annotations is None:
            return image, instances, [None] * len(instances)
        return image, instances, [
            drawable_polygons(annotation.get('segmentation'), image.shape[:2])
            for annotation in self._annotations[index]]


class DetectionSamples:
    """Turns an image into a training sample.

    Called as ``transform(example, rng)`` by the training iterator, with examples of a
    :class:`PolygonDataset`. An image without objects is skipped.

    Args:
        min_sides: Shorter side in pixels; sampled per image if several are given.
        max_side: Maximum longer side in pixels, which takes precedence.
        flip: Share of the images that are mirrored.
        mirror: The number of each keypoint in a mirrored image; images with another number of
            keypoints are not mirrored.
        half_open: As that of the model.

    Returns:
        ``(image, truth)``: (3, h, w) float32, BGR minus its mean, and its :class:`Truth`; None for an
        image without objects.
    """

    def __init__(self, min_sides: Sequence[int] = (800,), max_side: int = 1333, flip: float = 0.5,
                 mirror: Sequence[int] = PERSON_MIRROR, half_open: bool = False) -> None:
        self.min_sides, self.max_side = tuple(min_sides), max_side
        self.flip, self.mirror, self.half_open = flip, np.array(mirror), half_open

    def __call__(self, example: tuple[np.ndarray, Instances, Sequence[Any]],
                 rng: np.random.Generator) -> tuple[npt.NDArray[np.float32], Truth] | None:
        image, instances, polygons = example
        min_side = rng.choice(self.min_sides)
        keypoints = instances.keypoints
        mirrored = rng.random() < self.flip and (
            keypoints is None or keypoints.shape[1] == len(self.mirror))
        seed = int(rng.integers(2 ** 63))
        boxes = _inclusive(instances.bboxes, image.shape[:2])
        sides = boxes[:, 2:] - boxes[:, :2] + 1
        objects = np.flatnonzero(~instances.crowds & (sides > LEAST_SIDE).all(axis=1))
        if not len(objects):
            return None
        masks = ObjectMasks.collect(instances.masks[objects], [polygons[int(number)] for number in objects])
        if keypoints is not None:
            keypoints = keypoints[objects]
        if mirrored:
            width = image.shape[1]
            image, masks = image[:, ::-1], masks.flip(width)
            boxes[:, [1, 3]] = width - 1 - boxes[:, [3, 1]]
            keypoints = self._flip_keypoints(keypoints, width)
        x, size = shown_image(image, min_side, self.max_side, self.half_open)
        return x, Truth(size, size.to_input(boxes[objects]), instances.labels[objects], masks, keypoints,
                        size.to_input(boxes[instances.crowds]), seed)

    def _flip_keypoints(self, keypoints: np.ndarray | None, width: int) -> np.ndarray | None:
        if keypoints is None:
            return None
        flipped = keypoints[:, self.mirror].copy()
        flipped[:, :, 1] = width - 1 - flipped[:, :, 1]
        return flipped


def batch_samples(samples: Sequence[tuple[np.ndarray, Truth]], device: chainer.backend.Device,
                  multiple: int = 1) -> dict[str, Any]:
    """Stacks samples of :class:`DetectionSamples` into a batch.

    Args:
        samples: A list of ``(image, truth)``.
        device: A Chainer device.
        multiple: The sides of the input are padded to multiples of this.

    Returns:
        A dict of ``x`` (B, 3, H, W) float32 on the device and ``truths``, a list.
    """
    images, truths = zip(*samples)
    return {'x': device.send(stack(images, multiple)), 'truths': list(truths)}


def _inclusive(bboxes: np.ndarray, size: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Half-open boxes as boxes with inclusive maxima, clipped to the image."""
    limits = np.array([size[0], size[1]] * 2, np.float32)
    return np.clip(bboxes, 0, limits) - np.array([0, 0, 1, 1], np.float32)
