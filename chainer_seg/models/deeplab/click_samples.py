"""Training samples of click segmentation: a crop around an object, with clicks sampled on it."""

from collections.abc import Sequence
from typing import TypeAlias

import cv2
import numpy as np

from chainer_seg.images import resize
from chainer_seg.instances import Instances
from chainer_seg.models.deeplab.click_sampler import sample_clicks
from chainer_seg.models.deeplab.clicks import Click, click_points
from chainer_seg.models.deeplab.preparation import network_image
from chainer_seg.models.deeplab.sampling import ClickSampling, find_sampling

RING = 40  # maximum distance of near negative clicks from the object (the paper's strategy 1), in pixels
MARGIN = 5  # minimum distance of positive clicks from the boundary of an object that is thick enough

# Maximum number of other objects that are clicked on, so that all samples have the same number of rows.
_MAX_OTHERS = 8

# Maximum error of a start mask, which is moved and grown or shrunk, as a fraction of the object's size.
_START_ERROR = 0.25
_MAX_NEIGHBOURS = 3  # maximum number of objects that are merged with another into one


# image, points, simulated_clicks, previous and target; see ClickSamples
ClickSample: TypeAlias = tuple[np.ndarray, np.ndarray, np.int32, np.ndarray, np.ndarray]


class ClickSamples:
    """Turns an image and its objects into a training sample: one object, a crop around it, and clicks.

    Called as ``transform(example, rng)`` by the training iterator.

    Args:
        size: (height, width) of the samples in pixels.
        scale_range: Range of the crop's side over the object's side, sampled uniformly on a logarithmic
            scale.
        max_positive, max_negative: Maximum numbers of clicks; there is always one positive click.
        least_area: Minimum area of an object in pixels of the original image.
        simulated_clicks: Maximum number of clicks that a simulated user adds in :class:`ClickTrainChain`
            (iterative training, arXiv 2102.06583, section 3.2); a sample with simulated clicks begins
            with few others.
        start_masks: Share of the samples with simulated clicks that begin with a wrong mask instead of
            a click, for models with ``mask_input``.
        composites: Share of the samples whose object is merged from neighbouring ones, because the
            objects that users click on mostly have parts that look different.
        sampling: 'paper', 'tensorflow' or a :class:`ClickSampling` for :func:`sample_clicks`, with one
            of its strategies for each sample; None for :func:`draw_clicks`.
        whole_images: Whether the whole image is resized, as in the TensorFlow implementation, instead
            of a crop.

    Returns:
        A tuple, or None for an image without a usable object: ``image`` (3, height, width) float32, as
        of :func:`network_image`; ``points`` (K, 3) float32, as of :func:`click_points`, padded with
        zeros; ``simulated_clicks`` () int32; ``previous`` (height, width) float32, the mask that the
        object starts from, 0 for none; ``target`` (height, width) int32, 1 on the object and 0
        elsewhere.
    """

    def __init__(self, size: tuple[int, int] = (192, 192), scale_range: tuple[float, float] = (1.2, 4.0),
                 max_positive: int = 5, max_negative: int = 5, least_area: float = 100,
                 simulated_clicks: int = 0, start_masks: float = 0.0, composites: float = 0.0,
                 sampling: str | ClickSampling | None = None, whole_images: bool = False) -> None:
        self.size = size
        self.scale_range = scale_range
        self.max_positive, self.max_negative = max_positive, max_negative
        self.least_area = least_area
        self.simulated_clicks, self.start_masks = simulated_clicks, start_masks
        self.composites = composites
        self.sampling = None if sampling is None else find_sampling(sampling)
        self.whole_images = whole_images

    def __call__(self, example: tuple[np.ndarray, Instances],
                 rng: np.random.Generator) -> ClickSample | None:
        image, instances = example
        areas = instances.masks.sum(axis=(1, 2))
        usable = np.flatnonzero(~instances.crowds & (areas >= self.least_area))
        if len(usable) == 0:
            return None
        chosen = [rng.choice(usable)]
        if self.composites and rng.random() < self.composites:
            chosen = _with_neighbours(instances.bboxes, usable, chosen[0], rng)
        bbox = np.concatenate([instances.bboxes[chosen, :2].min(axis=0),
                               instances.bboxes[chosen, 2:].max(axis=0)])
        masks = np.concatenate([instances.masks[chosen].any(axis=0, keepdims=True),
                                instances.masks[self._others(chosen, len(instances), rng)]])
        image, (mask, *others) = self._view(image, masks, bbox, rng)
        if not mask.any():
            return None
        clicks, simulated_clicks, previous = self._begin(mask, others, rng)
        points = np.zeros((self._max_clicks() + self.simulated_clicks, 3), np.float32)
        points[:len(clicks)] = click_points(clicks)
        return (network_image(image), points, np.int32(simulated_clicks), previous,
                mask.astype(np.int32))

    def _others(self, chosen: Sequence[int], count: int, rng: np.random.Generator) -> np.ndarray:
        """The numbers of the other objects that may be clicked."""
        if self.sampling is None or 'others' not in self.sampling.strategies:
            return np.zeros(0, int)
        return rng.permutation(np.delete(np.arange(count), chosen))[:_MAX_OTHERS]

    def _max_clicks(self) -> int:
        if self.sampling is None:
            return self.max_positive + self.max_negative
        return self.sampling.max_clicks(_MAX_OTHERS)

    def _begin(self, mask: np.ndarray, others: Sequence[np.ndarray],
               rng: np.random.Generator) -> tuple[list[Click], int, np.ndarray]:
        """The first clicks, the number of clicks that the simulated user adds, and the start mask."""
        nothing = np.zeros(self.size, np.float32)
        simulated_clicks = int(rng.integers(self.simulated_clicks + 1))
        if simulated_clicks and rng.random() < self.start_masks:
            return [], simulated_clicks, _wrong_mask(mask, rng).astype(np.float32)
        if simulated_clicks:
            return draw_clicks(mask, rng, 1, 0), simulated_clicks, nothing
        if self.sampling is None:
            return draw_clicks(mask, rng, self.max_positive, self.max_negative), 0, nothing
        strategy = rng.choice(self.sampling.strategies)
        return sample_clicks(mask, others, rng, strategy, self.sampling), 0, nothing

    def _view(self, image: np.ndarray, masks: np.ndarray, bbox: np.ndarray,
              rng: np.random.Generator) -> tuple[np.ndarray, list[np.ndarray]]:
        """The image and each of the masks (R, H, W) in the sample's size, mirrored half the time."""
        part = np.s_[:, :] if self.whole_images else self._crop(masks.shape[1:], bbox, rng)
        image = resize(image[part], self.size)
        resized = [resize(mask[part].astype(np.float32), self.size) > 0.5 for mask in masks]
        if rng.random() < 0.5:
            image, resized = image[:, ::-1], [mask[:, ::-1] for mask in resized]
        return image, resized

    def _crop(self, image_size: Sequence[int], bbox: np.ndarray,
                rng: np.random.Generator) -> tuple[slice, slice]:
        """The rows and columns of a crop around the object at a random scale."""
        height, width = image_size
        scale = np.exp(rng.uniform(*np.log(self.scale_range)))
        side = max(bbox[2] - bbox[0], bbox[3] - bbox[1], 16) * scale
        extent = np.minimum(side * np.array(self.size) / max(self.size), (height, width))
        extent = np.maximum(extent, 8).astype(int)
        centre = (bbox[:2] + bbox[2:]) / 2 + rng.uniform(-0.3, 0.3, 2) * extent
        top, left = np.clip(centre - extent / 2, 0,
                            np.maximum((height, width) - extent, 0)).astype(int)
        return np.s_[top:top + extent[0], left:left + extent[1]]


def draw_clicks(mask: np.ndarray, rng: np.random.Generator, max_positive: int = 5,
                max_negative: int = 5) -> list[Click]:
    """Draws clicks that a user might make for the object ``mask`` (H, W) bool.

    Positive clicks lie anywhere in the object, away from its boundary if it is thick enough. Negative
    ones lie off the object, half of the time within :data:`RING` pixels of it.

    Returns:
        1 to ``max_positive`` positive and 0 to ``max_negative`` negative clicks.
    """
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    inside = depth >= min(MARGIN, depth.max())
    outside = ~mask
    if rng.random() < 0.5 and outside.any():
        away = cv2.distanceTransform(outside.astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        outside &= away <= RING
    # Few clicks are most common, because every user starts with them.
    positives = 1 + rng.binomial(max_positive - 1, rng.uniform(0, 1))
    negatives = rng.binomial(max_negative, rng.uniform(0, 1)) if rng.random() < 0.7 else 0
    return _random_clicks(inside, positives, True, rng) + _random_clicks(outside, negatives, False, rng)


def _random_clicks(where: np.ndarray, count: int, positive: bool, rng: np.random.Generator) -> list[Click]:
    candidates = np.flatnonzero(where)
    if len(candidates) == 0 or count == 0:
        return []
    rows, columns = np.divmod(rng.choice(candidates, count), where.shape[1])
    return [Click(float(y), float(x), positive) for y, x in zip(rows, columns)]


def _with_neighbours(bboxes: np.ndarray, usable: np.ndarray, chosen: int,
                     rng: np.random.Generator) -> list[int]:
    """``chosen`` and some of the ``usable`` objects whose boxes touch its box."""
    top_left = np.maximum(bboxes[usable, :2], bboxes[chosen, :2])
    bottom_right = np.minimum(bboxes[usable, 2:], bboxes[chosen, 2:])
    touching = usable[(top_left <= bottom_right).all(axis=1) & (usable != chosen)]
    count = min(len(touching), int(rng.integers(1, _MAX_NEIGHBOURS + 1)))
    return [chosen, *rng.choice(touching, count, replace=False)]


def _wrong_mask(mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The mask (H, W) bool moved, and grown or shrunk, like a careless annotation."""
    reach = _START_ERROR * np.sqrt(mask.sum())
    shift = rng.uniform(-reach, reach, 2)
    transform = np.array([[1, 0, shift[1]], [0, 1, shift[0]]], np.float32)
    moved = cv2.warpAffine(mask.astype(np.uint8), transform,
                           mask.shape[::-1])
    side = 1 + 2 * int(rng.uniform(0, reach / 2))
    change = cv2.dilate if rng.random() < 0.5 else cv2.erode
    return change(moved, np.ones((side, side), np.uint8)) > 0
