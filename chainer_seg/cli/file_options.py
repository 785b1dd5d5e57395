"""How masks, label images and lists are read: options of every subcommand that reads a data set."""

import argparse
from typing import Any

from chainer_seg.errors import DatasetError
from chainer_seg.stored_pixels import LABELS_AS


def add_labels_option(parser: argparse._ActionsContainer) -> None:
    """Adds --labels-as to a parser or a group of options."""
    parser.add_argument(
        '--labels-as', choices=LABELS_AS, default='auto',
        help='how masks and label images encode what a pixel belongs to: by the stored number, by VOC\'s '
             'colours, by brightness levels or by opacity; auto: by numbers where possible, and guesses '
             'are reported')


def add_outside_option(parser: argparse._ActionsContainer) -> None:
    """Adds --allow-outside to a parser or a group of options."""
    parser.add_argument('--allow-outside', action='store_true',
                        help='allow lists to name files outside their folder and that of the images')


def add_reading_options(parser: argparse._ActionsContainer) -> None:
    """Adds --labels-as and --allow-outside."""
    add_labels_option(parser)
    add_outside_option(parser)


def reading_options(options: argparse.Namespace, annotations: str | None) -> dict[str, Any]:
    """The options as arguments of :func:`chainer_seg.datasets.open_dataset`.

    Raises:
        chainer_seg.errors.DatasetError: They are given without a file to read.
    """
    chosen = {'labels_as': options.labels_as, 'allow_outside': options.allow_outside}
    if annotations is None and chosen != {'labels_as': 'auto', 'allow_outside': False}:
        raise DatasetError('--labels-as and --allow-outside are for data sets of files; name one, or '
                           'omit them.')
    return chosen
