"""Drawn pictures of the classes that a model knows, to evaluate it on."""

import logging

from chainer_seg.cli.training_options import DRAWN

from chainer_seg.datasets import FiguresDataset
from chainer_seg.datasets.synthetic.plain_shapes import PLAIN_CLASSES
from chainer_seg.datasets.synthetic.silhouettes import OUTLINES
from chainer_seg.options import without

log = logging.getLogger(__name__)

_USUAL = {FiguresDataset.class_names: 'figures', PLAIN_CLASSES: 'plain-shapes'}  # by class names


def add_drawn_option(parser):
    parser.add_argument('--drawn', choices=tuple(DRAWN),
                        help='draw shapes, with textures or plain, or people with keypoints; by the '
                             'classes of the model if left out')
    parser.only(without('--annotations'), '--drawn')


def drawn_dataset(names, kind, length, seed, size):
    """The drawn data set of that kind, with the classes of these names where it can draw them."""
    names = tuple(names)
    kind = kind or _USUAL.get(names, 'shapes')
    log.info('the pictures are drawn: %s', kind)
    if kind == 'figures' or not names or not set(names) <= set(OUTLINES):
        return DRAWN[kind](length, seed, size)
    return DRAWN[kind](length, seed, size, classes=names)
