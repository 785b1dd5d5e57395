"""Synthetic data sets on the command line, by their names."""

import logging
import typing
from collections.abc import Sequence

from chainer_seg.recipes.data import synthetic_class

if typing.TYPE_CHECKING:
    from chainer_seg.datasets.synthetic.base import SyntheticDataset

log = logging.getLogger(__name__)


def dataset_for_classes(names: Sequence[str], kind: str | None, length: int, seed: int,
                        size: tuple[int, int]) -> 'SyntheticDataset':
    """A synthetic data set for a model.

    Args:
        names: The class names of the model; the data set has these classes if it can draw them.
        kind: A name in ``SYNTHETIC``; None for the one that fits the classes.
        length: Number of images.
        seed: Seed of the images.
        size: (height, width) of the images, in pixels.
    """
    from chainer_seg.datasets.synthetic.silhouettes import OUTLINES
    names = tuple(names)
    kind = kind or _kind_for(names)
    log.info('synthetic images: %s', kind)
    can_draw_names = kind != 'figures' and names and set(names) <= set(OUTLINES)
    chosen = {'classes': names} if can_draw_names else {}
    return synthetic_class(kind)(length, seed, size, **chosen)


def _kind_for(names: tuple[str, ...]) -> str:
    from chainer_seg.datasets.synthetic.plain_shapes import PLAIN_CLASSES
    if names == synthetic_class('figures').class_names:
        return 'figures'
    return 'plain-shapes' if names == PLAIN_CLASSES else 'shapes'
