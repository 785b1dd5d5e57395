"""Clicks that are sampled once and kept as precomputed maps of distances, from which models are trained.

The TensorFlow implementation of arXiv 1603.04042 does so; the files are those of
:mod:`chainer_seg.datasets.click_files`.
"""

import typing
from collections.abc import Collection, Iterator, Sequence

import cv2
import numpy as np

from chainer_seg.models.deeplab.click_sampler import ClickSampler
from chainer_seg.models.deeplab.clicks import LARGEST_DISTANCE, Click, pixel_of
from chainer_seg.models.deeplab.sampling import ClickSampling

if typing.TYPE_CHECKING:
    from chainer_seg.instances import Instances  # which loads Chainer

MAP_SCALE = 6.0  # the TensorFlow implementation's ENERGY_SCALE

LEAST_AREA = 100  # default minimum area of an object in pixels


def maps_of_clicks(clicks: Sequence[Click], size: Sequence[int], scale: float = MAP_SCALE) -> np.ndarray:
    """The precomputed maps of clicks.

    Args:
        clicks: The clicks, which are rounded to pixels.
        size: (H, W) in pixels.
        scale: Distances are multiplied by this, and truncated to 255.

    Returns:
        (2, H, W) uint8, the positive map and the negative one: :func:`click_maps` rounded down.
    """
    away = np.ones((2, *size), np.uint8)
    for click in clicks:
        away[(0 if click.positive else 1, *pixel_of(click))] = 0
    # OpenCV does not define the distance to an empty set.
    return np.stack([_distances(each, scale) if not each.all() else np.full(size, 255, np.uint8)
                     for each in away])


def _distances(away: np.ndarray, scale: float) -> np.ndarray:
    distance = cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.minimum(distance * np.float32(scale), np.float32(LARGEST_DISTANCE)).astype(np.uint8)


def clicks_of_maps(maps: np.ndarray) -> list[Click]:
    """The clicks of precomputed maps (2, H, W) uint8, the positive ones first."""
    return [Click(float(y), float(x), positive)
            for each, positive in zip(maps, (True, False)) for y, x in np.argwhere(each == 0)]


def usable_objects(instances: 'Instances', least_area: float) -> np.ndarray:
    """The numbers (K,) of the objects of at least ``least_area`` pixels that are not crowds."""
    areas = instances.masks.sum(axis=(1, 2))
    return np.flatnonzero(~instances.crowds & (areas >= max(1, least_area)))


def sample_object_clicks(masks: np.ndarray, chosen: np.ndarray, wanted: Collection[int],
                         sampling: ClickSampling,
                         seed: tuple[int, ...]) -> Iterator[tuple[int, list[Click], np.ndarray]]:
    """Samples clicks on objects of an image; each sample is independent of which others are wanted.

    There are ``n_pairs`` samples of each object, ordered by pair as in the TensorFlow implementation:
    number ``pair * len(chosen) + i`` is of object ``chosen[i]``.

    Args:
        masks: (R, H, W) bool, all objects of the image.
        chosen: (K,) int, the objects that are clicked on.
        wanted: Numbers of the samples to draw.
        sampling: The sampling, whose strategies take turns.
        seed: Numbers from 0 that identify the image.

    Yields:
        The number of a sample, its clicks, and (H, W) bool, its object.
    """
    for place, number in enumerate(chosen):
        pairs = [pair for pair in range(sampling.n_pairs) if pair * len(chosen) + place in wanted]
        if not pairs:
            continue
        sampler = ClickSampler(masks[number], list(np.delete(masks, number, axis=0)), sampling)
        for pair in pairs:
            strategy = sampling.strategies[pair % len(sampling.strategies)]
            clicks = sampler.draw(np.random.default_rng((*seed, number, pair)), strategy)
            yield pair * len(chosen) + place, clicks, masks[number]
