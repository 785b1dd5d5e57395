"""Clicks that a user might make, sampled from the ground truth (section 3.2 of arXiv 1603.04042).

Each image gives many training pairs: the positive clicks lie in the object, and the negative ones follow
one of three strategies. Distances are in pixels of the mask, so a mask that was resized for the network
is sampled at the network's scale.
"""

import functools
from collections.abc import Sequence

import cv2
import numpy as np

from chainer_seg.models.deeplab.clicks import Click
from chainer_seg.models.deeplab.sampling import ClickSampling, check_strategy, find_sampling


def sample_clicks(mask: np.ndarray, others: Sequence[np.ndarray], rng: np.random.Generator,
                  strategy: str = 'background', method: str | ClickSampling = 'paper') -> list[Click]:
    """Samples one set of positive and negative clicks for an object.

    If there is no room for that many clicks at their distances, there are fewer of them, but there is
    always a positive click. An object or a ring that is too thin for its margin is clicked where it is
    thickest. Without background, or without other objects, the strategies that need them give no
    negative clicks.

    Args:
        mask: (H, W) bool, the object; it must have a pixel.
        others: (R, H, W) bool, the other objects of the image; their overlap with ``mask`` is ignored.
        rng: The source of all randomness.
        strategy: One of :data:`chainer_seg.models.deeplab.sampling.STRATEGIES`.
        method: 'paper', 'tensorflow', or a :class:`ClickSampling`.

    Returns:
        Clicks at the centres of pixels, the positive ones first.

    Raises:
        chainer_seg.errors.UserError: The strategy or the method is unknown.
    """
    return ClickSampler(mask, others, method).draw(rng, strategy)


def sample_pairs(mask: np.ndarray, others: Sequence[np.ndarray], rng: np.random.Generator,
                 method: str | ClickSampling = 'paper') -> list[list[Click]]:
    """Samples all sets of clicks that one object is trained with.

    Args:
        mask, others, rng, method: As those of :func:`sample_clicks`.

    Returns:
        Sets of clicks: 15, five of each strategy, with 'paper'; 3 with 'tensorflow'; ``n_pairs`` with a
        :class:`ClickSampling`.
    """
    sampler = ClickSampler(mask, others, method)
    strategies = sampler.sampling.strategies
    return [sampler.draw(rng, strategies[number % len(strategies)])
            for number in range(sampler.sampling.n_pairs)]


class ClickSampler:
    """Samples clicks for one object repeatedly; distances are computed once.

    Args:
        mask, others, method: As those of :func:`sample_clicks`.
    """

    def __init__(self, mask: np.ndarray, others: Sequence[np.ndarray] = (),
                 method: str | ClickSampling = 'paper') -> None:
        self.sampling = find_sampling(method)
        self._mask = np.asarray(mask, dtype=bool)
        self._other_masks = others

    def draw(self, rng: np.random.Generator, strategy: str = 'background') -> list[Click]:
        """One set of clicks; see :func:`sample_clicks`."""
        negatives = {'background': self._draw_background, 'others': self._draw_others,
                     'outline': self._draw_outline}
        check_strategy(strategy)
        positives = self._draw_apart(self._inside, self.sampling.positives, rng)
        return [Click(float(y), float(x), positive)
                for points, positive in ((positives, True), (negatives[strategy](rng), False))
                for y, x in points]

    def _draw_background(self, rng: np.random.Generator) -> list[np.ndarray]:
        return self._draw_apart(self._near, self.sampling.background, rng)

    def _draw_others(self, rng: np.random.Generator) -> list[np.ndarray]:
        return [point for place in self._in_others
                for point in self._draw_apart(place, self.sampling.others, rng)]

    def _draw_outline(self, rng: np.random.Generator) -> list[np.ndarray]:
        return spread_points(self._on_outline, self.sampling.outline, rng)

    def _draw_apart(self, points: np.ndarray, counts: tuple[int, int],
                    rng: np.random.Generator) -> list[np.ndarray]:
        count = int(rng.integers(counts[0], counts[1], endpoint=True))
        return scattered_points(points, count, self._step(points), self.sampling.tries, rng)

    def _step(self, points: np.ndarray) -> float:
        if self.sampling.d_step is not None:
            return self.sampling.d_step
        if len(points) == 0:
            return 0
        side = np.ptp(points, axis=0).min()
        return (side - self.sampling.d_margin) // self.sampling.ratio_factor

    # Each of these is (P, 2) int64, the rows and columns of the pixels that may be clicked.

    @functools.cached_property
    def _inside(self) -> np.ndarray:
        if self.sampling.band:
            depth = self._depth(self._mask)
            band = (depth > 0) & (depth <= self.sampling.d_margin)
            # An object that fills the image has no boundary in it.
            return _pixels(band if band.any() else self._mask)
        return _pixels(self._far_inside(self._mask, self.sampling.d_margin))

    @functools.cached_property
    def _near(self) -> np.ndarray:
        return _pixels(self._ring)

    @functools.cached_property
    def _on_outline(self) -> np.ndarray:
        return _pixels(self._far_inside(self._ring, self.sampling.outline_margin))

    @functools.cached_property
    def _in_others(self) -> list[np.ndarray]:
        return [_pixels(self._far_inside(np.asarray(other, dtype=bool) & ~self._mask,
                                         self.sampling.d_margin))
                for other in self._other_masks]

    @functools.cached_property
    def _ring(self) -> np.ndarray:
        distance = self._depth(~self._mask)
        return (distance > 0) & (distance <= self.sampling.d)

    def _far_inside(self, region: np.ndarray, margin: float) -> np.ndarray:
        """The pixels farther than ``margin`` from the outside; if there are none, the farthest ones."""
        if margin == 0:
            return region
        depth = self._depth(region)
        far = depth > margin
        return far if far.any() else region & (depth == depth.max())

    def _depth(self, region: np.ndarray) -> np.ndarray:
        """The distance of each pixel of (H, W) bool to the nearest one outside; 0 outside."""
        metric = (cv2.DIST_C, 3) if self.sampling.square else (cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return cv2.distanceTransform(region.view(np.uint8), *metric)


def scattered_points(points: np.ndarray, count: int, step: float, tries: int,
                     rng: np.random.Generator) -> list[np.ndarray]:
    """Draws points one after the other and keeps those that are far enough from the kept ones.

    Args:
        points: (P, 2) int64 to draw from.
        count: Maximum number of points to keep.
        step: Minimum Euclidean distance between two kept points; no point is kept twice.
        tries: Maximum number of points to draw.
        rng: The source of all randomness.

    Returns:
        At most ``count`` of ``points``; at least one if ``count`` is not 0 and there is a point.
    """
    if count == 0 or len(points) == 0:
        return []
    tried = points[rng.integers(len(points), size=tries)]
    free = np.ones(tries, dtype=bool)
    kept: list[np.ndarray] = []
    while len(kept) < count and free.any():
        kept.append(tried[free.argmax()])
        free &= _squared_distance(tried, kept[-1]) >= max(step, 1) ** 2
    return kept


def spread_points(points: np.ndarray, count: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Draws a point at random, and then repeatedly the one farthest from all that were chosen.

    Args:
        points: (P, 2) int64 to draw from.
        count: Number of points; all of ``points`` if there are fewer.
        rng: The source of all randomness.

    Returns:
        Different ones of ``points``.
    """
    if count == 0 or len(points) == 0:
        return []
    chosen = [points[rng.integers(len(points))]]
    nearest = _squared_distance(points, chosen[0])
    while len(chosen) < count and nearest.any():
        chosen.append(points[nearest.argmax()])
        np.minimum(nearest, _squared_distance(points, chosen[-1]), out=nearest)
    return chosen


def _squared_distance(points: np.ndarray, point: np.ndarray) -> np.ndarray:
    """(P,) integers, exact."""
    rows, columns = (points - point).T
    return rows * rows + columns * columns


def _pixels(region: np.ndarray) -> np.ndarray:
    """The rows and columns (P, 2) int64 of the pixels of (H, W) bool."""
    return np.stack(np.divmod(np.flatnonzero(region), region.shape[1]), axis=1)
