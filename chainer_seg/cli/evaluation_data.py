"""The images that a model is evaluated on: a data set, a range of it, or synthetic images."""

import argparse
import math
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

from chainer_seg import command_line
from chainer_seg.cli.file_options import add_reading_options, reading_options
from chainer_seg.cli.proposal_options import add_range_options, image_range
from chainer_seg.errors import DatasetError
from chainer_seg.options import Parser, with_any, without

# Synthetic images for evaluation come from another seed than those for training and validation.
EVALUATION_SEED_OFFSET = 2_000_000


def add_data_options(parser: Parser, images: int, *others: str) -> None:
    """Adds the options.

    Args:
        parser: Where they are added.
        images: Default number of synthetic images.
        others: Options added before that name files, too.
    """
    files = ('--annotations', *others)
    data = parser.add_argument_group('data')
    data.add_argument('--annotations', metavar='J',
                      help='COCO JSON file with the ground truth, a packed data set, or a list of images '
                           'of VOC or SBD; synthetic images if omitted')
    data.add_argument('--images', metavar='D', help='folder of its images')
    add_reading_options(data)
    data.add_argument('--n', type=command_line.count_argument, default=images, metavar='N',
                      help='number of synthetic images')
    data.add_argument('--size', type=command_line.size_argument, default=(256, 256),
                      metavar='HxW', help='size of synthetic images, in pixels')
    add_range_options(parser)
    command_line.add_strict_option(parser)
    parser.only(without(*files), '--n', '--size')
    parser.only(with_any(*files), '--start-at', '--end-at')
    if not others:
        parser.only(with_any(*files), '--images')


def add_match_option(parser: Parser) -> None:
    """Adds --match, which says how classes of the model correspond to those of the data set."""
    parser.add_argument('--match', choices=('name', 'number'),
                        help='match the classes of the model and of the data set by name or by number; by '
                             'name if omitted, and then every class must be known')


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
        dataset: datasets.Dataset = datasets.CocoDataset(annotations, None)
    else:
        dataset = open_files(annotations, folder, **reading)
    return dataset.part(image_range(options, len(dataset)))


def refuse_without_objects(figures: Mapping[str, float]) -> None:
    """Raises a DatasetError if no figure is a number, because then there was nothing to find.

    Args:
        figures: Numbers by name; NaN where the images have no object of that kind.
    """
    if all(map(math.isnan, figures.values())):
        raise DatasetError('There is nothing to evaluate: no image has an object that counts. Crowds '
                           '(iscrowd 1) do not count, nor do objects of classes unknown to the model; '
                           'if each crowd is one object, set its iscrowd to 0.')
