"""Sampled clicks side by side: each strategy's samples for one object, and samples of many images."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from chainer_seg.images import ImageLike, as_image
from chainer_seg.instances import Instances
from chainer_seg.colors import PALETTE, POSITIVE
from chainer_seg.visualization.drawing import draw_clicks, draw_instances
from chainer_seg.visualization.figures import axes_grid

if TYPE_CHECKING:
    from chainer_seg.models.deeplab import Click

_OTHER = PALETTE[0]  # Easy to tell from the colours of both kinds of clicks.


def draw_click_samples(image: ImageLike, mask: npt.NDArray[np.bool_],
                       samples: 'Mapping[str, Iterable[Click]] | Sequence[Iterable[Click]]',
                       others: Iterable[npt.NDArray[np.bool_]] = (), columns: int = 3,
                       alpha: float = 0.45) -> npt.NDArray[np.object_]:
    """Draws an object with several sets of clicks, one axis per set.

    With ``chainer_seg.models.deeplab.sampling``::

        samples = {strategy: sample_clicks(mask, others, rng, strategy)
                   for strategy in STRATEGIES}
        draw_click_samples(image, mask, samples, others)

    Args:
        image: Anything that :func:`chainer_seg.images.as_image` accepts, usually (H, W, 3) uint8.
        mask: (H, W) bool, the object.
        samples: A dict from titles to sets of clicks, or a list of such sets. Clicks are objects
            with ``y``, ``x`` and ``positive``.
        others: (R, H, W) bool, other objects, drawn in another colour.
        columns: Number of axes in a row.
        alpha: Opacity of the masks.

    Returns:
        (len(samples),) array of matplotlib axes in one new figure.

    Raises:
        ValueError: The image and the masks differ in size.
    """
    image = as_image(image)
    titles: Sequence[str] = ()
    if isinstance(samples, Mapping):
        titles, samples = tuple(samples), list(samples.values())
    objects = Instances(np.stack([mask, *others]))
    colors = np.array([POSITIVE] + [_OTHER] * (len(objects) - 1), np.uint8)
    axes = axes_grid(len(samples), columns, image.shape[0] / image.shape[1], titles)
    for ax, clicks in zip(axes, samples):
        draw_instances(image, objects, ax, alpha=alpha, labels=False, colors=colors)
        draw_clicks(None, clicks, ax)
    return axes


def draw_click_sheet(
        examples: 'Sequence[tuple[ImageLike, npt.NDArray[np.bool_], Iterable[Click]]]',
        titles: Sequence[str] = (), columns: int = 4, alpha: float = 0.45) -> npt.NDArray[np.object_]:
    """Draws samples of several images, each with its object and its clicks.

    Args:
        examples: A sequence of (image, mask, clicks), each as in :func:`draw_click_samples`.
        titles: Titles of the axes; may be fewer than the examples.
        columns: Number of axes in a row.
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
