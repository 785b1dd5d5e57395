"""The data of a training on the command line: synthetic images, or a data set of files."""

import dataclasses
import importlib
import os
import pathlib
import typing
from typing import Annotated, Any, ClassVar, Literal, Self

from tyro.conf import FlagCreatePairsOff

from chainer_seg.class_names import listed
from chainer_seg.errors import DatasetError
from chainer_seg.recipes.options import Positive, Size, chosen, option

if typing.TYPE_CHECKING:
    from chainer_seg.datasets.synthetic.base import SyntheticDataset

LabelsAs = Literal['auto', 'numbers', 'colors', 'levels', 'alpha']

# Synthetic images for validation come from another seed than those for training.
VALIDATION_SEED_OFFSET = 1_000_000

# The class of each synthetic data set; loaded at first use.
SYNTHETIC = {'shapes': 'ShapesDataset', 'plain-shapes': 'PlainShapesDataset', 'figures': 'FiguresDataset'}
FILE_SETS = ('coco', 'voc', 'sbd')  # names for data sets of files, whose format is recognised
OBJECT_SETS = (*SYNTHETIC, *FILE_SETS)  # the choices of recipes that train on objects


def synthetic_class(kind: str) -> type['SyntheticDataset']:
    """The class of the synthetic data set of that name."""
    return getattr(importlib.import_module('chainer_seg.datasets'), SYNTHETIC[kind])


@dataclasses.dataclass(frozen=True)
class Data:
    """The data.

    Attributes:
        dataset: Synthetic shapes, textured or plain, synthetic people, or a data set of files; coco with
            --annotations, shapes without.
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

    dataset: Annotated[str | None, chosen(OBJECT_SETS), option()] = None
    annotations: Annotated[pathlib.Path | None, option(metavar='J')] = None
    images: Annotated[pathlib.Path | None, option(metavar='D')] = None
    val_annotations: Annotated[pathlib.Path | None, option(metavar='J')] = None
    val_images: Annotated[pathlib.Path | None, option(metavar='D')] = None
    labels_as: LabelsAs = 'auto'
    allow_outside: FlagCreatePairsOff[bool] = False
    size: Size = (256, 256)
    val_n: Positive = 40

    skips_empty: ClassVar[bool] = True  # whether images without objects are omitted when training

    def resolved(self) -> Self:
        """The same data, with ``dataset`` and the files named that other options stand for."""
        return dataclasses.replace(self, dataset=self.dataset or ('coco' if self.annotations else 'shapes'))

    def open(self, examples: int, seed: int, keypoints: bool | None = None) -> tuple[Any, Any]:
        """The data sets to train on and to validate on.

        Args:
            examples: How many synthetic images there are to train on.
            seed: Seed of synthetic images.
            keypoints: Whether Instances carry keypoints; None: where there are some.
        """
        return self.resolved()._open(examples, seed, keypoints)

    def _open(self, examples: int, seed: int, keypoints: bool | None) -> tuple[Any, Any]:
        if self.dataset in SYNTHETIC:
            return self._draw(max(1, examples), seed)
        return self._open_files(keypoints)

    @property
    def reading(self) -> dict[str, Any]:
        """How files are read, as arguments of :func:`chainer_seg.datasets.open_dataset`."""
        return {'labels_as': self.labels_as, 'allow_outside': self.allow_outside}

    def _draw(self, examples: int, seed: int) -> tuple[Any, Any]:
        if self.labels_as != 'auto' or self.allow_outside:
            raise DatasetError('--labels-as and --allow-outside are for data sets of files; name one, or '
                               'omit them.')
        make = synthetic_class(str(self.dataset))
        return (make(examples, seed, self.size),
                make(self.val_n, seed + VALIDATION_SEED_OFFSET, self.size))

    def _open_files(self, keypoints: bool | None) -> tuple[Any, Any]:
        from chainer_seg.datasets import open_dataset
        if not self.annotations:
            raise DatasetError(f'--dataset {self.dataset} needs --annotations and --images.')
        train = open_dataset(self.annotations, self.images, skip_empty=self.skips_empty, keypoints=keypoints,
                             **self.reading)
        if not self.val_annotations:
            return train, train
        return self._with_categories(train, open_dataset(
            self.val_annotations, self.validation_images, keypoints=keypoints, **self.reading))

    def _with_categories(self, *datasets: Any) -> Any:
        """The data sets; those of TFRecord files, which do not list their categories, with shared ones."""
        from chainer_seg.datasets.tfrecord import with_shared_categories
        return with_shared_categories(datasets)

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
        data_folder: Folder that ``chainer-seg data prepare`` wrote, or one of TFRecord files train.record-*
            and val.record-*; stands for --annotations and --val-annotations.
        categories: Names of the categories in TFRecord files, which YOLACT's TensorFlow implementation omits
            from them: coco, pascal, or a COCO JSON file; those in the files, or their numbers, if not given.
    """

    data_folder: Annotated[pathlib.Path | None, option(metavar='D')] = None
    categories: Annotated[str | None, option(metavar='J')] = None

    def resolved(self) -> Self:
        if not self.data_folder:
            return super().resolved()
        train, validation = (self._part(part) for part in ('train', 'val'))
        return dataclasses.replace(
            self, annotations=train or self.data_folder / 'train.packed', dataset=self.dataset or 'coco',
            val_annotations=self.val_annotations or validation)

    def _part(self, name: str) -> pathlib.Path | None:
        """The packed file of a part, or the common start of its TFRecord files; None if there are none."""
        assert self.data_folder is not None
        packed, records = self.data_folder / f'{name}.packed', self.data_folder / f'{name}.record'
        if packed.exists():
            return packed
        return records if list(self.data_folder.glob(f'{name}.record*')) else None

    def _open_files(self, keypoints: bool | None) -> tuple[Any, Any]:
        from chainer_seg.datasets import TFRecordDataset
        train, validation = super()._open_files(keypoints)
        if self.categories is None:
            return train, validation
        from chainer_seg.datasets.category_names import find_categories
        for dataset in (train, validation):
            if not isinstance(dataset, TFRecordDataset):
                raise DatasetError(f'--categories names those of TFRecord files, and '
                                   f'{dataset.path} has names of its own; omit it.')
        categories = find_categories(self.categories)
        return train.with_categories(categories), validation.with_categories(categories)


@dataclasses.dataclass(frozen=True)
class CocoData(Data):
    """The data.

    Attributes:
        dataset: Synthetic shapes, textured or plain, synthetic people, or a data set of files; coco with
            --annotations, coco2017 without.
        coco_folder: Folder with annotations, train2017 and val2017, for --dataset coco2017; "chainer-seg
            download coco train2017 val2017 annotations2017 --extract" fills the default one.
    """

    dataset: Annotated[str | None, chosen((*OBJECT_SETS, 'coco2017')), option()] = None
    coco_folder: pathlib.Path = pathlib.Path('downloads/coco')

    def resolved(self) -> Self:
        return dataclasses.replace(self, dataset=self.dataset or ('coco' if self.annotations else 'coco2017'))

    def _open(self, examples: int, seed: int, keypoints: bool | None) -> tuple[Any, Any]:
        found = self
        if self.dataset == 'coco2017':
            kind = 'person_keypoints' if keypoints else 'instances'
            train, val = (self.coco_folder / 'annotations' / f'{kind}_{part}2017.json'
                          for part in ('train', 'val'))
            if not train.exists():
                raise DatasetError(f'There is no {train}; get COCO 2017 by "chainer-seg download coco '
                                   f'train2017 val2017 annotations2017 --extract", or name another data set '
                                   f'by --annotations or --dataset.')
            found = dataclasses.replace(
                self, dataset='coco', annotations=train, val_annotations=val,
                images=self.coco_folder / 'train2017', val_images=self.coco_folder / 'val2017')
        return super(CocoData, found)._open(examples, seed, keypoints)
