"""Sampled clicks side by side: what each strategy draws for one object, and samples of many images."""

import numpy as np

from chainer_seg.images import as_image
from chainer_seg.instances import Instances
from chainer_seg.colors import PALETTE, POSITIVE
from chainer_seg.visualization.drawing import draw_clicks, draw_instances
from chainer_seg.visualization.figures import axes_grid

_OTHER = PALETTE[0]  # Far from the colours of both kinds of clicks.


def draw_click_samples(image, mask, samples, others=(), columns=3, alpha=0.45):
    """Draws an object with several sets of clicks, each in a picture of its own.

    With ``chainer_seg.models.deeplab.sampling``::

        samples = {strategy: sample_clicks(mask, others, rng, strategy)
                   for strategy in STRATEGIES}
        draw_click_samples(image, mask, samples, others)

    Args:
        image: Anything that :func:`chainer_seg.images.as_image` takes; mostly (H, W, 3) uint8.
        mask: (H, W) bool, the object.
        samples: A dict from titles to sets of clicks, or a list of such sets. Clicks are objects
            with ``y``, ``x`` and ``positive``.
        others: (R, H, W) bool, other objects, drawn in a colour of their own.
        columns: Pictures in a row.
        alpha: Opacity of the masks.

    Returns:
        (len(samples),) array of matplotlib axes in one new figure.

    Raises:
        ValueError: The image and the masks differ in size.
    """
    image = as_image(image)
    titles, samples = (tuple(samples), samples.values()) if isinstance(samples, dict) else ((), samples)
    objects = Instances(np.stack([mask, *others]))
    colors = np.array([POSITIVE] + [_OTHER] * len(others), np.uint8)
    axes = axes_grid(len(samples), columns, image.shape[0] / image.shape[1], titles)
    for ax, clicks in zip(axes, samples):
        draw_instances(image, objects, ax, alpha=alpha, labels=False, colors=colors)
        draw_clicks(None, clicks, ax)
    return axes


def draw_click_sheet(examples, titles=(), columns=4, alpha=0.45):
    """Draws samples of several images, each with its object and its clicks.

    Args:
        examples: A sequence of (image, mask, clicks), each as :func:`draw_click_samples` takes it.
        titles: A line of text over each; may be shorter.
        columns: Pictures in a row.
        alpha: Opacity of the masks.

    Returns:
        (len(examples),) array of matplotlib axes in one new figure.
    """
    colors = np.array([POSITIVE], np.uint8)
    axes = axes_grid(len(examples), columns, titles=titles)
    for ax, (image, mask, clicks) in zip(axes, examples):
        draw_instances(image, Instances(mask[None]), ax, alpha=alpha, labels=False, colors=colors)
        draw_clicks(None, clicks, ax)
    return axes
