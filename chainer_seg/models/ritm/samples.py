"""Training samples of RITM (section 4.1 of arXiv 2102.06583 and its code): crops, objects and clicks."""

import dataclasses
from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np

from chainer_seg.images import resize
from chainer_seg.instances import Instances

# image, points, draws and target; see RitmSamples
RitmSample: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

_ERODED = 0.9  # Share of the samples whose positive clicks keep away from the boundary
_EROSION = 3  # pixels
_LEAST_LEFT = 10  # an object that would keep no more pixels than this is not eroded
_OUTLINE = 0.1  # Width of the outline, in square roots of the object's area.
# Where a negative click lies: anywhere off the object, on another object, in the outline.
_NEGATIVES = (0.1, 0.4, 0.5)
_THRESHOLD = 0.49  # What is more probable counts as found by the simulated user.
_PHOTOMETRIC = 0.75  # Share of the samples whose contrast and brightness, and whose colours, are changed.


@dataclasses.dataclass(frozen=True)
class RitmSamples:
    """Turns an image and its objects into a training sample: a crop, an object in it, and clicks.

    Called as ``transform(example, rng)`` by the training iterator.

    Attributes:
        size: (height, width) of the crop in pixels; smaller images are padded with black.
        scale: Range of the factor that images are resized by.
        max_clicks: Maximum numbers of positive and of negative clicks; there is always one positive click.
        decay: Probability of one more click, relative to that of as many as there are.
        simulated_clicks: Maximum number of clicks that a simulated user adds in :class:`RitmTrainChain`.
        merged: Share of the samples whose object is two objects.
        least_area: Minimum area of an object in the crop, in pixels.
        brightness, contrast: Ranges of the changes of both, as shares of white and of the contrast.
        color_shift: Maximum shift of a colour, of 255.

    Returns:
        A tuple, or None if the crop has no object: ``image`` (3, height, width) float32 RGB in 0..1;
        ``points`` (K, 3) float32, y, x and sign, padded with zeros; ``draws`` (simulated_clicks,)
        float32, a random number in 0..1 for each click of the simulated user and -1 for none; ``target``
        (height, width) int32, 1 on the object and 0 elsewhere.
    """

    size: tuple[int, int] = (320, 480)
    scale: tuple[float, float] = (0.75, 1.4)
    max_clicks: int = 24
    decay: float = 0.8
    simulated_clicks: int = 3
    merged: float = 0.15
    least_area: float = 1000
    brightness: tuple[float, float] = (-0.25, 0.25)
    contrast: tuple[float, float] = (-0.15, 0.4)
    color_shift: float = 10

    def __call__(self, example: tuple[np.ndarray, Instances], rng: np.random.Generator) -> RitmSample | None:
        image, instances = example
        image, masks = self._crop(image, instances.masks, rng)
        usable = np.flatnonzero(~instances.crowds & (masks.sum(axis=(1, 2)) >= self.least_area))
        if len(usable) == 0:
            return None
        count = 2 if len(usable) > 1 and rng.random() < self.merged else 1
        chosen = rng.choice(usable, count, replace=False)
        others = np.logical_or.reduce(np.delete(masks, chosen, axis=0))
        points = np.zeros((2 * self.max_clicks + self.simulated_clicks, 3), np.float32)
        clicks = self.clicks(masks[chosen], others, rng)
        points[:len(clicks)] = clicks
        draws = rng.random(self.simulated_clicks, np.float32)
        draws[rng.integers(self.simulated_clicks + 1):] = -1
        image = self._recolored(image.astype(np.float32), rng) / 255
        target = masks[chosen].any(axis=0).astype(np.int32)
        return np.ascontiguousarray(image.transpose(2, 0, 1)), points, draws, target

    def clicks(self, masks: np.ndarray, others: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Random clicks.

        Args:
            masks: (1 or 2, H, W) bool, the objects that are the target; each gets a click.
            others: (H, W) bool, the other objects.
            rng: The source of randomness.

        Returns:
            (K, 3) float32 of y, x and sign, the positive ones first.
        """
        inside = [_eroded(mask) if rng.random() < _ERODED else mask for mask in masks]
        count = 1 + _geometric(self.max_clicks, self.decay, rng)
        positives = [_pixel(mask, rng) for mask in inside][:count]
        union = np.logical_or.reduce(inside)
        positives += [_pixel(union, rng) for _ in range(count - len(positives))]
        target = np.logical_or.reduce(masks)
        places = (~target, others & ~target, _outline(target))
        chosen = rng.choice(len(places), _geometric(self.max_clicks + 1, self.decay, rng), p=_NEGATIVES)
        negatives = [_pixel(places[place], rng) for place in chosen if places[place].any()]
        rows = [(*point, 1) for point in positives] + [(*point, -1) for point in negatives]
        return np.array(rows, np.float32).reshape(-1, 3)

    def _crop(self, image: np.ndarray, masks: np.ndarray, rng: np.random.Generator
              ) -> tuple[np.ndarray, np.ndarray]:
        """A part of the image and of the masks, resized by a random factor, half of the time mirrored."""
        factor = rng.uniform(*self.scale)
        height, width = (max(1, round(side * factor)) for side in image.shape[:2])
        rows, columns = (_window(side, wanted, rng) for side, wanted in zip((height, width), self.size))
        mirrored = rng.random() < 0.5

        def part(array: np.ndarray) -> np.ndarray:
            array = resize(array, (height, width))
            result = np.zeros((*self.size, *array.shape[2:]), array.dtype)
            result[rows[1], columns[1]] = array[rows[0], columns[0]]
            return result[:, ::-1] if mirrored else result
        parts = [part(mask.astype(np.float32)) > 0.5 for mask in masks]
        return part(image), np.array(parts, bool).reshape(-1, *self.size)

    def _recolored(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if rng.random() < _PHOTOMETRIC:
            image = image * (1 + rng.uniform(*self.contrast)) + 255 * rng.uniform(*self.brightness)
            image = np.clip(image, 0, 255)
        if rng.random() < _PHOTOMETRIC:
            image = np.clip(image + rng.uniform(-self.color_shift, self.color_shift, 3), 0, 255)
        return image.astype(np.float32)


def error_click(probability: np.ndarray, truth: np.ndarray, draw: float) -> tuple[int, int, int] | None:
    """The simulated user's click of the training: a random pixel deep in the larger error.

    Args:
        probability: (H, W) float32, the result so far.
        truth: (H, W) bool, the object.
        draw: In 0..1; decides which pixel.

    Returns:
        y, x and sign, -1 also where both errors are equally deep; None where there is no error.
    """
    depths = [_depth(wrong) for wrong in (truth & (probability < _THRESHOLD),
                                          ~truth & (probability > _THRESHOLD))]
    deepest = max(depth.max() for depth in depths)
    positive = depths[0].max() > depths[1].max()
    candidates = np.argwhere(depths[0 if positive else 1] > deepest / 2)
    if len(candidates) == 0:
        return None
    y, x = candidates[min(int(draw * len(candidates)), len(candidates) - 1)].tolist()
    return y, x, 1 if positive else -1


def _depth(wrong: np.ndarray) -> np.ndarray:
    """The distance to what is right, or to the edge of the image."""
    padded = np.pad(wrong.astype(np.uint8), 1)
    return cv2.distanceTransform(padded, cv2.DIST_L2, 5)[1:-1, 1:-1]


def _geometric(count: int, decay: float, rng: np.random.Generator) -> int:
    """A number from 0 to count - 1, each decay times as likely as the one before."""
    weights = decay ** np.arange(count)
    return int(rng.choice(count, p=weights / weights.sum()))


def _pixel(mask: np.ndarray, rng: np.random.Generator) -> Sequence[int]:
    return np.argwhere(mask)[rng.integers(int(mask.sum()))].tolist()


def _eroded(mask: np.ndarray) -> np.ndarray:
    eroded = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=_EROSION) > 0
    return eroded if eroded.sum() > _LEAST_LEFT else mask


def _outline(mask: np.ndarray) -> np.ndarray:
    steps = int(np.ceil(_OUTLINE * np.sqrt(mask.sum())))
    grown = cv2.dilate(mask.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=steps)
    return (grown > 0) & ~mask


def _window(side: int, wanted: int, rng: np.random.Generator) -> tuple[slice, slice]:
    """Which part of ``side`` pixels is shown, and where in ``wanted``; padding is on both sides alike."""
    if side >= wanted:
        first = int(rng.integers(side - wanted + 1))
        return slice(first, first + wanted), slice(0, wanted)
    first = (wanted - side) // 2
    return slice(0, side), slice(first, first + side)
