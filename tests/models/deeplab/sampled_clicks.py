"""Objects to click on, and measurements of sampled clicks."""

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt

from chainer_seg.models.deeplab.click_sampler import ClickSampler
from tests.synthetic import disc

SEEDS = range(60)


def ell(size, top, left, side, width):
    mask = np.zeros(size, bool)
    mask[top:top + side, left:left + width] = True
    mask[top + side - width:top + side, left:left + side] = True
    return mask


SIZE = (320, 400)
OBJECTS = {
    'disc': disc(SIZE, (160, 200), 80),
    'bent': ell(SIZE, 40, 90, 220, 30),
    'in a corner': disc(SIZE, (0, 0), 150),
    'two parts': disc(SIZE, (150, 60), 40) | disc(SIZE, (150, 300), 50),
}
OTHERS = np.stack([disc(SIZE, (40, 360), 35), disc(SIZE, (290, 40), 28), disc(SIZE, (280, 340), 45)])


def draws(mask, strategy, method='paper', others=OTHERS, seeds=SEEDS):
    """The places (N, 2) of the positive and of the negative clicks, for each seed."""
    sampler = ClickSampler(mask, others, method)
    for seed in seeds:
        clicks = sampler.draw(np.random.default_rng(seed), strategy)
        yield tuple(places([click for click in clicks if click.positive == positive])
                    for positive in (True, False))


def all_draws(mask, strategy, *arguments, **options):
    """The places of all positive and of all negative clicks of :func:`draws`."""
    return tuple(map(np.concatenate, zip(*draws(mask, strategy, *arguments, **options))))


def places(clicks):
    return np.array([(click.y, click.x) for click in clicks]).reshape(-1, 2)


def distances(points, region):
    """From each point to the nearest pixel of a region."""
    return distance_transform_edt(~region)[tuple(points.astype(int).T)]


def least_distance(points):
    """Between two of the points."""
    return min((np.hypot(*(a - b)) for i, a in enumerate(points) for b in points[:i]),
               default=np.inf)


def on(points, region):
    return region[tuple(points.astype(int).T)].all()


def square(radius):
    return np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)


def eroded(mask, radius):
    return cv2.erode(mask.astype(np.uint8), square(radius)) > 0


def dilated(mask, radius):
    return cv2.dilate(mask.astype(np.uint8), square(radius)) > 0
