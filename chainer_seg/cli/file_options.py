"""How masks, label images and lists are read: options of every subcommand that reads a data set."""

import dataclasses
from typing import Annotated, Any

from chainer_seg.errors import DatasetError
from chainer_seg.recipes.options import Switch, chosen
from chainer_seg.stored_pixels import LABELS_AS


@dataclasses.dataclass(frozen=True)
class LabelsAs:
    """Reading of masks and label images.

    Attributes:
        labels_as: Encoding of masks and label images, what a pixel belongs to: by the stored number, by
            VOC's colours, by brightness levels or by opacity; auto: by numbers where possible, and guesses
            are reported.
    """

    labels_as: Annotated[str, chosen(LABELS_AS)] = 'auto'


@dataclasses.dataclass(frozen=True)
class Reading(LabelsAs):
    """Reading of masks, label images and lists.

    Attributes:
        allow_outside: Allow lists to name files outside their folder and that of the images.
    """

    allow_outside: Switch = False

    def settings(self, annotations: object) -> dict[str, Any]:
        """The options as arguments of :func:`chainer_seg.datasets.open_dataset`.

        Raises:
            chainer_seg.errors.DatasetError: They are given without ``annotations`` to read.
        """
        if annotations is None and self != Reading():
            raise DatasetError('--labels-as and --allow-outside are for data sets of files; name one, or '
                               'omit them.')
        return dataclasses.asdict(self)


def add_labels_option(parser):
    parser.add_argument('--labels-as', choices=LABELS_AS, default='auto', help='encoding of masks')


def add_outside_option(parser):
    parser.add_argument('--allow-outside', action='store_true', help='allow files outside')


def add_reading_options(parser):
    add_labels_option(parser)
    add_outside_option(parser)


def reading_options(options, annotations):
    return Reading(options.labels_as, options.allow_outside).settings(annotations)
