"""Draw the images of a data set with their objects on pages."""

import dataclasses
import itertools
import pathlib
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import numpy as np
from tqdm import tqdm
from tyro.conf import arg

from chainer_seg.cli.common import Common
from chainer_seg.cli.file_options import Reading
from chainer_seg.cli.parsing import Command
from chainer_seg.images import write_image
from chainer_seg.recipes.options import Count, Flat, Positive, Switch, option
from chainer_seg.recipes.rules import When, only, with_any

if TYPE_CHECKING:
    from chainer_seg.datasets import Dataset


@dataclasses.dataclass(frozen=True)
class View(Command):
    """Draw the images of a data set with their objects on pages.

    Writes DIR/page_01.png and so on. With --augment N each image is followed by N versions of it, augmented
    as in YOLACT's training.

    Attributes:
        out: Folder of the pages.
        annotations: COCO JSON file, packed data set, list of VOC or SBD, TFRecord files or folder of masks;
            synthetic shapes if omitted.
        images: Folder of its images.
        reading: Reading of masks, label images and lists.
        n: Maximum number of images.
        first: Number of the first image, from 0.
        class_name: Name of a class; only images with an object of this class are drawn.
        augment: Number of augmented versions shown after each image.
        columns: Images per row; with --augment one image and its versions.
        rows: Rows per page.
        side: Longer side of an image on the page, in pixels.
        boxes: Draw boxes.
        no_masks: Do not draw masks.
        no_labels: Do not write class names.
        common: Common options.
    """

    out: Annotated[pathlib.Path, option(metavar='DIR')]
    annotations: Annotated[str | None, option(metavar='J')] = None
    images: Annotated[str | None, option(metavar='D')] = None
    reading: Flat[Reading] = Reading()
    n: Annotated[Positive, option(metavar='N')] = 48
    first: Annotated[Count, option(metavar='K')] = 0
    class_name: Annotated[str | None, arg(name='class'), option(metavar='NAME')] = None
    augment: Annotated[Count, option(metavar='N')] = 0
    columns: Annotated[Positive, option(metavar='N')] = 4
    rows: Annotated[Positive, option(metavar='N')] = 4
    side: Annotated[Positive, option(metavar='PX')] = 320
    boxes: Switch = False
    no_masks: Switch = False
    no_labels: Switch = False
    common: Flat[Common] = Common()

    rules: ClassVar = (
        only(with_any('--annotations'), '--images'),
        only(When('without --augment', lambda options: not options['augment']), '--columns'))

    def run(self) -> None:
        from chainer_seg.datasets.browsing import find_label, images_with
        dataset = self.dataset()
        label = None if self.class_name is None else find_label(dataset, self.class_name)
        numbers = images_with(dataset, label, range(self.first, len(dataset)))
        numbers = itertools.islice(numbers, self.n)
        columns, per_page = self.columns, self.columns * self.rows
        if self.augment:
            columns, per_page = self.augment + 1, self.rows
        with tqdm(total=min(self.n, max(len(dataset) - self.first, 0)), desc='drawing', unit='image',
                  disable=self.common.quiet) as bar:
            pages = 0
            while chosen := list(itertools.islice(numbers, per_page)):
                pages += 1
                self.write_page(self.out / f'page_{pages:02d}.png', dataset, chosen, columns)
                bar.update(len(chosen))
        if not self.common.quiet:
            print(f'wrote {pages} pages to {self.out}' if pages else 'no such images')

    def dataset(self) -> Any:
        """The data set that the options name."""
        from chainer_seg.datasets import ShapesDataset, open_dataset
        reading = self.reading.settings(self.annotations)
        if self.annotations is None:
            return ShapesDataset(self.first + self.n, self.common.seed)
        return open_dataset(self.annotations, self.images, **reading)

    def write_page(self, path: pathlib.Path, dataset: Any, numbers: list[int], columns: int) -> None:
        """Draws these images on one page, each followed by its augmented versions."""
        from chainer_seg.models.yolact.augmentation import augment
        from chainer_seg.visualization import contact_sheet
        examples: list[Any] = []
        captions: list[str | None] = []
        for number in numbers:
            image, instances = dataset[number]
            examples.append((image, instances))
            captions.append(f'{number} {name_of(dataset, number)}')
            for version in range(self.augment):
                rng = np.random.default_rng((self.common.seed, number, version))
                examples.append(augment(image, instances, rng))
                captions.append(None)
        write_image(path, contact_sheet(
            examples, columns, self.side, captions, boxes=self.boxes, labels=not self.no_labels,
            alpha=0 if self.no_masks else 0.45, contour=not self.no_masks))


def name_of(dataset: 'Dataset', number: int) -> str:
    """The name of the image's file; empty if it has none."""
    return pathlib.Path(dataset.file_name(number)).name if dataset.has_files else ''
