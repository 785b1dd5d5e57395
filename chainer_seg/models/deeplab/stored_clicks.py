"""Clicks for data files: what is sampled of an image, and the maps of distances that store it.

The TensorFlow implementation of arXiv 1603.04042 samples clicks once and trains from files
(:mod:`chainer_seg.datasets.click_files`).
"""

import cv2
import numpy as np

from chainer_seg.models.deeplab.clicks import LARGEST_DISTANCE, Click, pixel_of
from chainer_seg.models.deeplab.sampling import ClickSampler

# The TensorFlow implementation's ENERGY_SCALE.
STORED_SCALE = 6.0

# Objects of a smaller area, in pixels, are omitted by default.
LEAST_AREA = 100


def stored_maps(clicks, size, scale=STORED_SCALE):
    """The maps that are stored for some clicks.

    Args:
        clicks: A sequence of :class:`Click`; only the pixels that they lie on are stored.
        size: (H, W) in pixels.
        scale: Distances are multiplied by this, and cut off at 255.

    Returns:
        (2, H, W) uint8, the positive map and the negative one: :func:`click_maps` without what is
        behind the point.
    """
    away = np.ones((2, *size), np.uint8)
    for click in clicks:
        away[(0 if click.positive else 1, *pixel_of(click))] = 0
    # OpenCV leaves it open what the distance is where there is nothing to be distant from.
    return np.stack([_distances(each, scale) if not each.all() else np.full(size, 255, np.uint8)
                     for each in away])


def _distances(away, scale):
    distance = cv2.distanceTransform(away, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.minimum(distance * np.float32(scale), np.float32(LARGEST_DISTANCE)).astype(np.uint8)


def stored_clicks(maps):
    """The clicks of stored maps (2, H, W) uint8, positive ones first, as a list of :class:`Click`."""
    return [Click(float(y), float(x), positive)
            for each, positive in zip(maps, (True, False)) for y, x in np.argwhere(each == 0)]


def usable_objects(instances, least_area):
    """The numbers (K,) of the objects of at least so many pixels that are no crowds."""
    areas = instances.masks.sum(axis=(1, 2))
    return np.flatnonzero(~instances.crowds & (areas >= max(1, least_area)))


def sample_image(masks, chosen, wanted, sampling, seed):
    """Draws clicks for objects of an image, any of the samples without the others.

    There are ``n_pairs`` samples of each object; those of the first pair come first, as in the
    TensorFlow implementation: number ``pair * len(chosen) + i`` is of object ``chosen[i]``.

    Args:
        masks: (R, H, W) bool, all objects of the image.
        chosen: (K,) int, those that are clicked on.
        wanted: Numbers of the samples to draw.
        sampling: A :class:`ClickSampling`, whose strategies take turns.
        seed: Tuple of whole numbers from 0 that is the image's own.

    Yields:
        The number of a sample, its clicks, and (H, W) bool, its object.
    """
    for place, number in enumerate(chosen):
        pairs = [pair for pair in range(sampling.n_pairs) if pair * len(chosen) + place in wanted]
        if not pairs:
            continue
        sampler = ClickSampler(masks[number], np.delete(masks, number, axis=0), sampling)
        for pair in pairs:
            strategy = sampling.strategies[pair % len(sampling.strategies)]
            clicks = sampler.draw(np.random.default_rng((*seed, number, pair)), strategy)
            yield pair * len(chosen) + place, clicks, masks[number]
