"""The images that a model is evaluated on: of a data set or a range of it, or freshly drawn."""

import argparse
import math
import pathlib
from collections.abc import Callable
from typing import Any

from chainer_seg import command_line
from chainer_seg.cli.file_options import add_reading_options, reading_options
from chainer_seg.cli.proposal_options import add_range_options, image_range
from chainer_seg.errors import DatasetError
from chainer_seg.options import with_any, without

# Pictures drawn here come from another seed than those a model was trained or validated on.
EVALUATION_SEED_OFFSET = 2_000_000


def add_data_options(parser, pictures, *others):
    """Adds the options; ``pictures`` is the default for how many are drawn.

    ``others`` are options that name files, too, and have been added.
    """
    files = ('--annotations', *others)
    data = parser.add_argument_group('the data')
    data.add_argument('--annotations', metavar='J',
                      help='COCO JSON with the true objects, a packed data set, or a list of images of '
                           'VOC or SBD; left out, pictures are drawn')
    data.add_argument('--images', metavar='D', help='its folder of images')
    add_reading_options(data)
    data.add_argument('--n', type=command_line.count_argument, default=pictures, metavar='N',
                      help='number of drawn pictures')
    data.add_argument('--size', type=command_line.size_argument, default=(256, 256),
                      metavar='HxW', help='size of drawn pictures')
    add_range_options(parser)
    command_line.add_strict_option(parser)
    parser.only(without(*files), '--n', '--size')
    parser.only(with_any(*files), '--start-at', '--end-at')
    if not others:
        parser.only(with_any(*files), '--images')


def add_match_option(parser):
    """Adds which classes of the model and of the data set are the same."""
    parser.add_argument('--match', choices=('name', 'number'),
                        help='take classes of the same name, or of the same number, for the same; by '
                             'name, and each must be known, if left out')


def open_dataset(options: argparse.Namespace, *, needs_images: bool = True,
                 draw: Callable[..., Any] | None = None, open_files: Callable[..., Any] | None = None) -> Any:
    """The data set that the options name.

    Args:
        options: The parsed options.
        needs_images: Whether a COCO JSON file without --images is an error.
        draw: ``draw(length, seed, size)`` makes a synthetic data set; shapes by default.
        open_files: ``open_files(annotations, folder, **reading)`` opens one of files;
            :func:`chainer_seg.datasets.open_dataset` by default.
    """
    from chainer_seg import datasets
    draw = datasets.ShapesDataset if draw is None else draw
    open_files = datasets.open_dataset if open_files is None else open_files
    reading = reading_options(options, options.annotations)
    if options.annotations is None:
        return draw(options.n, options.seed + EVALUATION_SEED_OFFSET, options.size)
    folder, annotations = options.images, pathlib.Path(options.annotations)
    if folder is None and annotations.suffix == '.json':
        if needs_images:
            raise DatasetError('--annotations needs --images, the folder of its images.')
        dataset = datasets.CocoDataset(annotations, None)
    else:
        dataset = open_files(annotations, folder, **reading)
    return dataset.part(image_range(options, len(dataset)))


def refuse_without_objects(figures):
    """Raises a DatasetError where no figure is a number, for then there was nothing to find.

    Args:
        figures: A dict of numbers; NaN is that of a kind of which the images have no object.
    """
    if all(map(math.isnan, figures.values())):
        raise DatasetError('There is nothing to evaluate: no image has an object that counts. Crowds '
                           '(iscrowd 1) do not, nor do objects of classes that the model does not know; '
                           'if each crowd is one object, set its iscrowd to 0.')
