"""How masks, label images and lists are read: options of every command that reads a data set."""

from chainer_seg.errors import DatasetError
from chainer_seg.stored_pixels import LABELS_AS


def add_labels_option(parser):
    """Adds --labels-as to a parser or a group of options."""
    parser.add_argument(
        '--labels-as', choices=LABELS_AS, default='auto',
        help='how masks and label images say what a pixel belongs to: by the number that is stored, by '
             "colours, which are VOC's, by brightness or by opacity; auto: by numbers as far as they "
             'can be, and what is guessed is reported')


def add_outside_option(parser):
    """Adds --allow-outside to a parser or a group of options."""
    parser.add_argument('--allow-outside', action='store_true',
                        help='a list may name files outside its folder and that of the images')


def add_reading_options(parser):
    """Adds both."""
    add_labels_option(parser)
    add_outside_option(parser)


def reading_options(options, annotations):
    """What the options say, as arguments of :func:`chainer_seg.datasets.open_dataset`.

    Raises:
        chainer_seg.errors.DatasetError: They are given, but there is no file to read.
    """
    chosen = {'labels_as': options.labels_as, 'allow_outside': options.allow_outside}
    if annotations is None and chosen != {'labels_as': 'auto', 'allow_outside': False}:
        raise DatasetError('--labels-as and --allow-outside are for data sets of files; name one, or '
                           'leave them out.')
    return chosen
