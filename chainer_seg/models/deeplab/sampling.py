"""Clicks that a user might make, drawn from the ground truth (section 3.2 of arXiv 1603.04042).

An image gives many training pairs: the positive clicks lie in the object, the negative ones follow
one of three strategies. Distances are in pixels of the mask that is given, so a mask that was
resized for the network is sampled at the network's scale.
"""

import dataclasses
import functools
from collections.abc import Sequence

import cv2
import numpy as np

from chainer_seg.errors import UserError
from chainer_seg.models.deeplab.clicks import Click

# Where the negative clicks fall, in the order of the paper's strategies 1, 2 and 3.
STRATEGIES = ('background', 'others', 'outline')


@dataclasses.dataclass(frozen=True)
class ClickSampling:
    """The numbers of click sampling; the defaults are the paper's.

    A count is a pair (least, most), both included, and every number in between is as likely.

    Attributes:
        positives: Clicks on the object.
        background: Negative clicks of strategy 1, anywhere off the object and near it.
        others: Negative clicks of strategy 2, in each other object of the image.
        outline: Negative clicks of strategy 3, spread over the ring around the object. The first
            is random, each next one is the farthest from those that there are.
        d_step: Least distance between two clicks that were drawn in one place; None for
            (s - d_margin) // ratio_factor, s being the shorter side of the place's bounding box,
            as in the TensorFlow implementation.
        ratio_factor: See ``d_step``.
        d_margin: Clicks in an object keep farther than this from what is not part of it.
        d: The ring around the object is so wide.
        outline_margin: Clicks of strategy 3 keep farther than this from both rims of the ring.
        band: Whether positive clicks lie within ``d_margin`` of the object's boundary in place of
            farther than it.
        square: Whether margins and rings are those of square structuring elements, a distance of
            n being reached by a square of 2 n + 1 pixels, in place of Euclidean ones.
        tries: Points drawn at most for one place; those too near to a chosen one are dropped.
        n_pairs: Pairs drawn for an object.
        strategies: The pairs take turns with these.

    Raises:
        chainer_seg.errors.UserError: A number or a strategy makes no sense.
    """

    positives: tuple = (1, 5)
    background: tuple = (0, 10)
    others: tuple = (0, 5)
    outline: int = 10
    d_step: float | None = 40
    ratio_factor: float = 2
    d_margin: float = 5
    d: float = 40
    outline_margin: float = 0
    band: bool = False
    square: bool = False
    tries: int = 100
    n_pairs: int = 15
    strategies: tuple = STRATEGIES

    def __post_init__(self):
        for name, fewest in (('positives', 1), ('background', 0), ('others', 0)):
            least, most = getattr(self, name)
            if not fewest <= least <= most:
                raise UserError(f'{name} must be two numbers of at least {fewest}, the smaller one first, '
                                f'got {least} and {most}.')
        for name, fewest in (('outline', 0), ('d_margin', 0), ('d', 1), ('outline_margin', 0),
                             ('ratio_factor', 1), ('tries', 1), ('n_pairs', 1)):
            if not getattr(self, name) >= fewest:
                raise UserError(f'{name} must be at least {fewest}, got {getattr(self, name)}.')
        if not self.strategies:
            raise UserError(f'A sampling needs a strategy; choose from {", ".join(STRATEGIES)}.')
        for strategy in self.strategies:
            _check_strategy(strategy)

    def most_clicks(self, n_others: int) -> int:
        """The largest number of clicks in a pair where there are so many other objects."""
        negatives = {'background': self.background[1], 'others': n_others * self.others[1],
                     'outline': self.outline}
        return self.positives[1] + max(negatives[strategy] for strategy in self.strategies)


def _check_strategy(strategy):
    if strategy not in STRATEGIES:
        raise UserError(f'Unknown click sampling strategy {strategy!r}; choose from '
                        f'{", ".join(STRATEGIES)}.')


# The TensorFlow implementation uses strategy 1 alone. Its loops leave the last number of a range out
# and may give no positive click; here there is one, for nothing else says which object is meant.
SAMPLINGS = {
    'paper': ClickSampling(),
    'tensorflow': ClickSampling(
        background=(20, 30), others=(20, 30), outline=30, d_step=None, d_margin=10, d=20,
        outline_margin=10, band=True, square=True, n_pairs=3, strategies=('background',)),
}


def sample_clicks(mask: np.ndarray, others: Sequence[np.ndarray], rng: np.random.Generator,
                  strategy: str = 'background', method: str | ClickSampling = 'paper') -> list[Click]:
    """Draws one set of positive and negative clicks for an object.

    Where there is no room for as many clicks at their distances, there are fewer of them, but one
    positive click is always there. An object or a ring that is too thin for its margin is clicked
    where it is thickest. Without background, or without other objects, the strategies that need
    them give no negative clicks.

    Args:
        mask: (H, W) bool, the object; it must have a pixel.
        others: (R, H, W) bool, the other objects of the image; what they share with ``mask`` does
            not count.
        rng: A ``numpy.random.Generator``.
        strategy: One of :data:`STRATEGIES`.
        method: 'paper', 'tensorflow', or a :class:`ClickSampling`.

    Returns:
        A list of :class:`Click` in the centres of pixels, the positive ones first.

    Raises:
        chainer_seg.errors.UserError: There is no such strategy or method.
    """
    return ClickSampler(mask, others, method).draw(rng, strategy)


def sample_pairs(mask, others, rng, method='paper'):
    """Draws all sets of clicks that one object is trained with.

    Args:
        mask, others, rng, method: As those of :func:`sample_clicks`.

    Returns:
        A list of lists of :class:`Click`: 15, five of each strategy, with 'paper'; 3 with
        'tensorflow'; ``n_pairs`` with a :class:`ClickSampling`.
    """
    sampler = ClickSampler(mask, others, method)
    strategies = sampler.sampling.strategies
    return [sampler.draw(rng, strategies[number % len(strategies)])
            for number in range(sampler.sampling.n_pairs)]


class ClickSampler:
    """Draws clicks for one object as often as wanted; distances are computed once.

    Args:
        mask, others, method: As those of :func:`sample_clicks`.
    """

    def __init__(self, mask: np.ndarray, others: Sequence[np.ndarray] = (),
                 method: str | ClickSampling = 'paper') -> None:
        self.sampling = find_sampling(method)
        self._mask = np.asarray(mask, dtype=bool)
        self._other_masks = others

    def draw(self, rng: np.random.Generator, strategy: str = 'background') -> list[Click]:
        """A list of :class:`Click`; see :func:`sample_clicks`."""
        negatives = {'background': self._draw_background, 'others': self._draw_others,
                     'outline': self._draw_outline}
        _check_strategy(strategy)
        positives = self._draw_apart(self._inside, self.sampling.positives, rng)
        return [Click(float(y), float(x), positive)
                for points, positive in ((positives, True), (negatives[strategy](rng), False))
                for y, x in points]

    def _draw_background(self, rng):
        return self._draw_apart(self._near, self.sampling.background, rng)

    def _draw_others(self, rng):
        return [point for place in self._in_others
                for point in self._draw_apart(place, self.sampling.others, rng)]

    def _draw_outline(self, rng):
        return spread_points(self._on_outline, self.sampling.outline, rng)

    def _draw_apart(self, points, counts, rng):
        count = rng.integers(counts[0], counts[1], endpoint=True)
        return scattered_points(points, count, self._step(points), self.sampling.tries, rng)

    def _step(self, points):
        if self.sampling.d_step is not None or len(points) == 0:
            return self.sampling.d_step
        side = np.ptp(points, axis=0).min()
        return (side - self.sampling.d_margin) // self.sampling.ratio_factor

    # Each of these is (P, 2) integers, the rows and columns of the pixels that may be clicked.

    @functools.cached_property
    def _inside(self):
        if self.sampling.band:
            depth = self._depth(self._mask)
            band = (depth > 0) & (depth <= self.sampling.d_margin)
            # An object that fills the image has no boundary in it.
            return _pixels(band if band.any() else self._mask)
        return _pixels(self._far_inside(self._mask, self.sampling.d_margin))

    @functools.cached_property
    def _near(self):
        return _pixels(self._ring)

    @functools.cached_property
    def _on_outline(self):
        return _pixels(self._far_inside(self._ring, self.sampling.outline_margin))

    @functools.cached_property
    def _in_others(self):
        return [_pixels(self._far_inside(np.asarray(other, dtype=bool) & ~self._mask,
                                         self.sampling.d_margin))
                for other in self._other_masks]

    @functools.cached_property
    def _ring(self):
        distance = self._depth(~self._mask)
        return (distance > 0) & (distance <= self.sampling.d)

    def _far_inside(self, region, margin):
        """The pixels farther than ``margin`` from the outside, or else the farthest ones."""
        if margin == 0:
            return region
        depth = self._depth(region)
        far = depth > margin
        return far if far.any() else region & (depth == depth.max())

    def _depth(self, region):
        """How far each pixel of (H, W) bool is from the nearest one outside; 0 is outside."""
        metric = (cv2.DIST_C, 3) if self.sampling.square else (cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return cv2.distanceTransform(region.view(np.uint8), *metric)


def find_sampling(method: str | ClickSampling) -> ClickSampling:
    """The :class:`ClickSampling` of a name, or the one that is given.

    Raises:
        chainer_seg.errors.UserError: There is no such name.
    """
    if isinstance(method, ClickSampling):
        return method
    if method not in SAMPLINGS:
        raise UserError(f'Unknown click sampling {method!r}; choose from '
                        f'{", ".join(SAMPLINGS)}, or a ClickSampling.')
    return SAMPLINGS[method]


def scattered_points(points, count, step, tries, rng):
    """Draws points one after the other and keeps those that are far enough from the kept ones.

    Args:
        points: (P, 2) integers to draw from.
        count: How many to keep at most.
        step: Least Euclidean distance between two of them; no point is drawn twice.
        tries: How many to draw at most.
        rng: A ``numpy.random.Generator``.

    Returns:
        A list of at most ``count`` of ``points``; at least one of them if ``count`` is not 0.
    """
    if count == 0 or len(points) == 0:
        return []
    tried = points[rng.integers(len(points), size=tries)]
    free = np.ones(tries, dtype=bool)
    kept = []
    while len(kept) < count and free.any():
        kept.append(tried[free.argmax()])
        free &= _squared_distance(tried, kept[-1]) >= max(step, 1) ** 2
    return kept


def spread_points(points, count, rng):
    """Draws a point at random and then, again and again, the farthest from all that it has.

    Args:
        points: (P, 2) integers to draw from.
        count: How many; all of ``points`` where there are fewer.
        rng: A ``numpy.random.Generator``.

    Returns:
        A list of ``points``, all different.
    """
    if count == 0 or len(points) == 0:
        return []
    chosen = [points[rng.integers(len(points))]]
    nearest = _squared_distance(points, chosen[0])
    while len(chosen) < count and nearest.any():
        chosen.append(points[nearest.argmax()])
        np.minimum(nearest, _squared_distance(points, chosen[-1]), out=nearest)
    return chosen


def _squared_distance(points, point):
    """(P,) integers, exact."""
    rows, columns = (points - point).T
    return rows * rows + columns * columns


def _pixels(region):
    """The rows and columns (P, 2) int64 of the pixels of (H, W) bool."""
    return np.stack(np.divmod(np.flatnonzero(region), region.shape[1]), axis=1)
