"""The data of a training on the command line: synthetic images, or a data set of files."""

import dataclasses
import pathlib
from typing import Annotated, Any, ClassVar, Literal

from chainer_seg.errors import DatasetError
from chainer_seg.recipes.options import Size, option

# Synthetic images for validation come from another seed than those for training.
VALIDATION_SEED_OFFSET = 1_000_000


@dataclasses.dataclass(frozen=True)
class Data:
    """The data.

    Attributes:
        dataset: Synthetic shapes, textured or plain, synthetic people, or a data set of files.
        annotations: COCO JSON file to train on; or a packed data set, or a list of images of VOC or SBD,
            which need no --images.
        images: Its folder of images.
        val_annotations: COCO JSON file to validate on; the training set if not given.
        val_images: Its folder of images; --images if not given.
        size: Size of synthetic images, in pixels.
        val_n: Number of synthetic images to validate on.
    """

    dataset: Literal['shapes', 'plain-shapes', 'figures', 'coco'] = 'shapes'
    annotations: Annotated[pathlib.Path | None, option(metavar='J')] = None
    images: Annotated[pathlib.Path | None, option(metavar='D')] = None
    val_annotations: Annotated[pathlib.Path | None, option(metavar='J')] = None
    val_images: Annotated[pathlib.Path | None, option(metavar='D')] = None
    size: Size = (256, 256)
    val_n: int = 40

    _SYNTHETIC: ClassVar[dict[str, str]] = {
        'shapes': 'ShapesDataset', 'plain-shapes': 'PlainShapesDataset', 'figures': 'FiguresDataset'}

    @property
    def is_synthetic(self) -> bool:
        """Whether the images are made by the program."""
        return self.dataset in self._SYNTHETIC

    def open(self, examples: int, seed: int, *, skip_empty: bool = True,
             keypoints: bool | None = None) -> tuple[Any, Any]:
        """The data sets to train on and to validate on.

        Args:
            examples: How many synthetic images there are to train on.
            seed: Seed of synthetic images.
            skip_empty: Omit images without objects when training.
            keypoints: Whether Instances carry keypoints; None: where there are some.
        """
        if self.is_synthetic:
            return self._draw(max(1, examples), seed)
        return self._open_files(skip_empty, keypoints)

    def _draw(self, examples, seed):
        from chainer_seg import datasets
        make = getattr(datasets, self._SYNTHETIC[self.dataset])
        return (make(examples, seed, self.size),
                make(self.val_n, seed + VALIDATION_SEED_OFFSET, self.size))

    def _open_files(self, skip_empty, keypoints):
        from chainer_seg.datasets import open_dataset
        if not self.annotations:
            raise DatasetError(f'--dataset {self.dataset} needs --annotations and --images.')
        train = open_dataset(self.annotations, self.images, skip_empty=skip_empty, keypoints=keypoints)
        if not self.val_annotations:
            return train, train
        return train, open_dataset(self.val_annotations, self.val_images or self.images,
                                   keypoints=keypoints)


@dataclasses.dataclass(frozen=True)
class PreparedData(Data):
    """The data.

    Attributes:
        data_folder: Folder that ``chainer-seg data prepare`` wrote; stands for --annotations and
            --val-annotations.
    """

    data_folder: Annotated[pathlib.Path | None, option(metavar='D')] = None

    def open(self, examples: int, seed: int, *, skip_empty: bool = True,
             keypoints: bool | None = None) -> tuple[Any, Any]:
        found = self
        if self.data_folder:
            validation = self.data_folder / 'val.packed'
            found = dataclasses.replace(
                self, data_folder=None, annotations=self.annotations or self.data_folder / 'train.packed',
                val_annotations=self.val_annotations or (validation if validation.exists() else None))
        if found.annotations:
            found = dataclasses.replace(found, dataset='coco', data_folder=None)
        return super(PreparedData, found).open(examples, seed, skip_empty=skip_empty, keypoints=keypoints)


@dataclasses.dataclass(frozen=True)
class CocoData(Data):
    """The data.

    Attributes:
        coco_folder: Folder with annotations, train2017 and val2017, for --dataset coco2017.
    """

    dataset: Literal['shapes', 'plain-shapes', 'figures', 'coco', 'coco2017'] = 'shapes'
    coco_folder: pathlib.Path = pathlib.Path('downloads/coco')

    def open(self, examples: int, seed: int, *, skip_empty: bool = True,
             keypoints: bool | None = None) -> tuple[Any, Any]:
        found = self
        if self.dataset == 'coco2017':
            kind = 'person_keypoints' if keypoints else 'instances'
            train, val = (self.coco_folder / 'annotations' / f'{kind}_{part}2017.json'
                          for part in ('train', 'val'))
            found = dataclasses.replace(
                self, dataset='coco', annotations=train, val_annotations=val,
                images=self.coco_folder / 'train2017', val_images=self.coco_folder / 'val2017')
        return super(CocoData, found).open(examples, seed, skip_empty=skip_empty, keypoints=keypoints)
