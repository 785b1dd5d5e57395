"""The data of a training on the command line: synthetic images, or a data set of files."""

import dataclasses
import os
import pathlib
from collections.abc import Collection
from typing import Annotated, Any, ClassVar, Literal, Self

from tyro.conf import FlagCreatePairsOff

from chainer_seg.class_names import listed
from chainer_seg.errors import DatasetError
from chainer_seg.recipes.options import Positive, Size, option

# Synthetic images for validation come from another seed than those for training.
VALIDATION_SEED_OFFSET = 1_000_000


# The choices of recipes that train on objects.
ObjectSets = Literal['shapes', 'plain-shapes', 'figures', 'coco']


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
        labels_as: How masks and label images say what a pixel belongs to: by the number that is stored,
            by colours, which are VOC's, by brightness or by opacity; "auto" uses numbers as far as they can
            be, and reports what it guesses.
        allow_outside: Let a list name files outside its folder and that of the images.
        size: Size of synthetic images, in pixels.
        val_n: Number of synthetic images to validate on.
    """

    dataset: str = 'shapes'  # a subclass has the choices
    annotations: Annotated[pathlib.Path | None, option(metavar='J')] = None
    images: Annotated[pathlib.Path | None, option(metavar='D')] = None
    val_annotations: Annotated[pathlib.Path | None, option(metavar='J')] = None
    val_images: Annotated[pathlib.Path | None, option(metavar='D')] = None
    labels_as: Literal['auto', 'numbers', 'colors', 'levels', 'alpha'] = 'auto'
    allow_outside: FlagCreatePairsOff[bool] = False
    size: Size = (256, 256)
    val_n: Positive = 40

    _SYNTHETIC: ClassVar[dict[str, str]] = {
        'shapes': 'ShapesDataset', 'plain-shapes': 'PlainShapesDataset', 'figures': 'FiguresDataset'}

    def settled(self, given: Collection[str]) -> Self:
        """The options with those that follow from others; ``given`` are the names on the command line."""
        if self.annotations and 'dataset' not in given:
            return dataclasses.replace(self, dataset='coco')
        return self

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

    @property
    def reading(self) -> dict[str, Any]:
        """How files are read, as arguments of :func:`chainer_seg.datasets.open_dataset`."""
        return {'labels_as': self.labels_as, 'allow_outside': self.allow_outside}

    def _draw(self, examples: int, seed: int) -> tuple[Any, Any]:
        if self.labels_as != 'auto' or self.allow_outside:
            raise DatasetError('--labels-as and --allow-outside are for data sets of files; name one, or '
                               'omit them.')
        from chainer_seg import datasets
        make = getattr(datasets, self._SYNTHETIC[self.dataset])
        return (make(examples, seed, self.size),
                make(self.val_n, seed + VALIDATION_SEED_OFFSET, self.size))

    def _open_files(self, skip_empty: bool, keypoints: bool | None) -> tuple[Any, Any]:
        from chainer_seg.datasets import open_dataset
        if not self.annotations:
            raise DatasetError(f'--dataset {self.dataset} needs --annotations and --images.')
        train = open_dataset(self.annotations, self.images, skip_empty=skip_empty, keypoints=keypoints,
                             **self.reading)
        if not self.val_annotations:
            return train, train
        return train, open_dataset(self.val_annotations, self.validation_images, keypoints=keypoints,
                                   **self.reading)

    @property
    def validation_images(self) -> str | os.PathLike | None:
        """The folder of the images of --val-annotations; that of the training set if none is named."""
        from chainer_seg.datasets.opening import folder_for
        assert self.val_annotations is not None
        return folder_for(self.val_annotations, self.val_images, self.images)


def check_classes(train: Any, validation: Any) -> None:
    """Refuses a validation set of other classes; their order may differ, because they go by names.

    Raises:
        chainer_seg.errors.DatasetError: A class is in one of the two sets only.
    """
    if sorted(train.class_names) != sorted(validation.class_names):
        other = sorted(set(train.class_names) ^ set(validation.class_names))
        raise DatasetError(f'The data sets for training and for validation name different classes: only '
                           f'one of them has {listed(other)}; give both annotation files the same '
                           f'categories.')


@dataclasses.dataclass(frozen=True)
class PreparedData(Data):
    """The data.

    Attributes:
        data_folder: Folder that ``chainer-seg data prepare`` wrote; stands for --annotations and
            --val-annotations.
    """

    dataset: ObjectSets = 'shapes'
    data_folder: Annotated[pathlib.Path | None, option(metavar='D')] = None

    def settled(self, given: Collection[str]) -> Self:
        if not self.data_folder:
            return super().settled(given)
        validation = self.data_folder / 'val.packed'
        return dataclasses.replace(
            self, annotations=self.data_folder / 'train.packed',
            val_annotations=self.val_annotations or (validation if validation.exists() else None),
            dataset=self.dataset if 'dataset' in given else 'coco')


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
