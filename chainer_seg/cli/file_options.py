"""How masks, label images and lists are read: options of every subcommand that reads a data set."""

import dataclasses
from typing import Any

from chainer_seg.errors import DatasetError
from chainer_seg.recipes.data import LabelsAs
from chainer_seg.recipes.options import Switch


@dataclasses.dataclass(frozen=True)
class LabelReading:
    """Reading of masks and label images.

    Attributes:
        labels_as: Encoding of masks and label images, what a pixel belongs to: by the stored number, by
            VOC's colours, by brightness levels or by opacity; auto: by numbers where possible, and guesses
            are reported.
    """

    labels_as: LabelsAs = 'auto'


@dataclasses.dataclass(frozen=True)
class Reading(LabelReading):
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
