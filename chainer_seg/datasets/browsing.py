"""Finds images of a data set by their classes."""

from collections.abc import Iterable, Iterator

from chainer_seg.datasets.base import Dataset, as_dataset
from chainer_seg.errors import DatasetError


def find_label(dataset: Dataset, name: str) -> int:
    """The label of a class name.

    Raises:
        chainer_seg.errors.DatasetError: There is no such class.
    """
    if name not in dataset.class_names:
        raise DatasetError(f'The data set has no class {name!r}; choose from '
                           f'{", ".join(dataset.class_names)}.')
    return dataset.class_names.index(name)


def images_with(dataset: Dataset, label: int | None = None, numbers: Iterable[int] | None = None
                ) -> Iterator[int]:
    """The numbers of the images that contain an object of a class, reading one image at a time.

    Args:
        dataset: The data set; if it is made of files, only objects are read.
        label: The label of the class; None for all images.
        numbers: The numbers of the images to search, in this order; all images by default.
    """
    dataset = as_dataset(dataset)
    for number in range(len(dataset)) if numbers is None else numbers:
        if label is None or label in dataset.read_boxes(number)[0]:
            yield number
