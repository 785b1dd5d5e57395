"""Finding images of a data set to look at."""

from collections.abc import Iterable, Iterator

from chainer_seg.datasets.base import Dataset, as_dataset
from chainer_seg.errors import DatasetError


def find_label(dataset: Dataset, name: str) -> int:
    """The label of a class name.

    Raises:
        chainer_seg.errors.DatasetError: There is no such class.
    """
    if name not in dataset.class_names:
        raise DatasetError(f'There is no class {name!r} in the data set; choose from '
                           f'{", ".join(dataset.class_names)}.')
    return dataset.class_names.index(name)


def pictures_with(dataset: Dataset, label: int | None = None, numbers: Iterable[int] | None = None
                  ) -> Iterator[int]:
    """Goes through the images that have an object of a class, reading one at a time.

    Args:
        dataset: With ``len`` and ``dataset[i] -> (image, Instances)``; those made of files also give
            objects without reading images.
        label (int): Of the class; None for all images.
        numbers: The numbers of the images in the order in which to look; all by default.

    Returns:
        An iterator over numbers.
    """
    dataset = as_dataset(dataset)
    for number in range(len(dataset)) if numbers is None else numbers:
        if label is None or label in dataset.read_boxes(number)[0]:
            yield number
