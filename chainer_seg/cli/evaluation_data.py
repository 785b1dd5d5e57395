"""The images that a model is evaluated on: a data set, a range of it, or synthetic images."""

import dataclasses
import math
import pathlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from chainer_seg.cli.common import Strict
from chainer_seg.cli.file_options import Reading
from chainer_seg.cli.proposal_options import ImageRange
from chainer_seg.errors import DatasetError
from chainer_seg.files import write_json
from chainer_seg.recipes.data import SYNTHETIC
from chainer_seg.recipes.options import Flat, Positive, Size, chosen, option
from chainer_seg.recipes.rules import Rule, only, with_any, without

# Synthetic images for evaluation come from another seed than those for training and validation.
EVALUATION_SEED_OFFSET = 2_000_000


@dataclasses.dataclass(frozen=True)
class EvaluationData:
    """Data.

    Attributes:
        annotations: COCO JSON file with the ground truth, a packed data set, or a list of images of VOC or
            SBD; synthetic images if omitted.
        images: Folder of its images.
        reading: Reading of masks, label images and lists.
        n: Number of synthetic images.
        size: Size of synthetic images, in pixels.
        range: Images.
        strict: Stop at the first image that cannot be read.
    """

    annotations: Annotated[str | None, option(metavar='J')] = None
    images: Annotated[str | None, option(metavar='D')] = None
    reading: Flat[Reading] = Reading()
    n: Annotated[Positive, option(metavar='N')] = 200
    size: Size = (256, 256)
    range: Flat[ImageRange] = ImageRange()
    strict: Strict = False

    def open(self, seed: int, *, needs_images: bool = True, draw: Callable[..., Any] | None = None,
             open_files: Callable[..., Any] | None = None) -> Any:
        """The data set that the options name.

        Args:
            seed: Seed of synthetic images.
            needs_images: Whether a COCO JSON file without --images is an error.
            draw: ``draw(length, seed, size)`` makes a synthetic data set; shapes by default.
            open_files: ``open_files(annotations, folder, **reading)`` opens one of files;
                :func:`chainer_seg.datasets.open_dataset` by default.

        Raises:
            chainer_seg.errors.UserError: There is no such data set.
        """
        from chainer_seg import datasets
        draw = datasets.ShapesDataset if draw is None else draw
        open_files = datasets.open_dataset if open_files is None else open_files
        reading = self.reading.settings(self.annotations)
        if self.annotations is None:
            return draw(self.n, seed + EVALUATION_SEED_OFFSET, self.size)
        annotations = pathlib.Path(self.annotations)
        if self.images is None and annotations.suffix == '.json':
            if needs_images:
                raise DatasetError('--annotations needs --images, the folder of its images.')
            dataset: datasets.Dataset = datasets.CocoDataset(annotations, None)
        else:
            dataset = open_files(annotations, self.images, **reading)
        return dataset.part(self.range.numbers(len(dataset)))


@dataclasses.dataclass(frozen=True)
class Classes:
    """Classes.

    Attributes:
        drawn: Kind of synthetic images: shapes, textured or plain, or people with keypoints; chosen by the
            classes of the model if omitted.
        match: How classes of the model and of the data set correspond: by name or by number; by name if
            omitted, and then every class must be known.
    """

    drawn: Annotated[str | None, chosen(SYNTHETIC), option()] = None
    match: Annotated[Literal['name', 'number'] | None, option(metavar='{name,number}')] = None


def data_rules(*others: str) -> tuple[Rule, ...]:
    """Where the options of :class:`EvaluationData` apply; ``others`` are options that name files, too."""
    files = ('--annotations', *others)
    rules = (only(without(*files), '--n', '--size'), only(with_any(*files), '--start-at', '--end-at'))
    return rules if others else (*rules, only(with_any(*files), '--images'))


CLASS_RULE = only(without('--annotations'), '--drawn')


def write_figures(path: str, figures: Mapping[str, float], **others: Any) -> None:
    """Writes figures and others as JSON; null where a figure is NaN, which JSON does not have."""
    numbers = {name: None if math.isnan(value) else value for name, value in figures.items()}
    write_json(path, {**numbers, **others}, indent=2)


def refuse_without_objects(figures: Mapping[str, float]) -> None:
    """Raises a DatasetError if no figure is a number, because then there was nothing to find.

    Args:
        figures: Numbers by name; NaN where the images have no object of that kind.
    """
    if all(map(math.isnan, figures.values())):
        raise DatasetError('There is nothing to evaluate: no image has an object that counts. Crowds '
                           '(iscrowd 1) do not count, nor do objects of classes unknown to the model; '
                           'if each crowd is one object, set its iscrowd to 0.')
