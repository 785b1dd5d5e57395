"""Synthetic data sets on the command line, by their names."""

import importlib
import logging
import typing
from collections.abc import Callable, Sequence

from chainer_seg.options import Parser, without

if typing.TYPE_CHECKING:
    from chainer_seg.datasets.synthetic.base import SyntheticDataset

log = logging.getLogger(__name__)

# The class of each data set; loaded at first use.
SYNTHETIC = {'shapes': 'ShapesDataset', 'plain-shapes': 'PlainShapesDataset', 'figures': 'FiguresDataset'}


def synthetic_class(kind: str) -> Callable[..., 'SyntheticDataset']:
    """The class of the synthetic data set of that name."""
    return getattr(importlib.import_module('chainer_seg.datasets'), SYNTHETIC[kind])


def add_drawn_option(parser: Parser) -> None:
    """Adds --drawn."""
    parser.add_argument('--drawn', choices=tuple(SYNTHETIC),
                        help='kind of synthetic images: shapes, textured or plain, or people with '
                             'keypoints; chosen by the classes of the model if omitted')
    parser.only(without('--annotations'), '--drawn')


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
    if kind == 'figures' or not names or not set(names) <= set(OUTLINES):
        return synthetic_class(kind)(length, seed, size)
    return synthetic_class(kind)(length, seed, size, classes=names)


def _kind_for(names):
    from chainer_seg.datasets.synthetic.plain_shapes import PLAIN_CLASSES
    if names == synthetic_class('figures').class_names:
        return 'figures'
    return 'plain-shapes' if names == PLAIN_CLASSES else 'shapes'
