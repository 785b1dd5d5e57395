"""Data sets of semantic segmentation, with a class for each pixel, made from data sets of objects."""

import os
import pathlib
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from chainer_seg.datasets.base import Dataset, as_dataset
from chainer_seg.datasets.opening import open_dataset
from chainer_seg.datasets.sbd import PASCAL_NAMES
from chainer_seg.datasets.voc import VocDataset, is_voc
from chainer_seg.errors import DatasetError
from chainer_seg.instances import Instances
from chainer_seg.label_images import VOID, VOID_PIXEL
from chainer_seg.stored_pixels import LabelsAs

BACKGROUND = 'background'


class SemanticDataset:
    """A data set ``dataset[i] -> (image, labels)``.

    The image is (H, W, 3) uint8 RGB; the labels are (H, W) int32, 0 for the background and -1 for void.

    Args:
        dataset: A data set of objects. If it annotates pixels (:meth:`Dataset.read_classes`), as VOC and
            SBD do, these are the labels; otherwise they come from :func:`semantic_labels`.
        ignore_label: Pixels with this label are void as well as those with 255.

    Attributes:
        class_names (tuple of str): 'background', followed by those of the data set.
        ids (list): The id of each image.
        image_names (list of str): The name of each image file; made from numbers without files.
    """

    def __init__(self, dataset: Dataset, ignore_label: int = VOID_PIXEL) -> None:
        self.dataset, self.ignore_label = as_dataset(dataset), ignore_label
        dataset = self.dataset
        self.class_names = (BACKGROUND, *dataset.class_names)
        self.ids = list(dataset.ids)
        self.image_names = [dataset.file_name(number) for number in range(len(dataset))]

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int32]]:
        """One image and its labels.

        Raises:
            IndexError: If index is out of range.
            chainer_seg.errors.ImageError: If the image cannot be read.
            chainer_seg.errors.DatasetError: If its labels cannot be read.
        """
        classes = self.dataset.read_classes(index)
        if classes is not None:
            image, labels = self.dataset.read_image(index), _with_void(classes)
        else:
            image, instances = self.dataset[index]
            labels = semantic_labels(instances)
        labels[labels == self.ignore_label] = VOID
        return image, labels

    def check_classes(self, source: object) -> None:
        """Checks that at least one pixel has a class other than the background.

        Args:
            source: The name of the data set in the error.

        Raises:
            chainer_seg.errors.DatasetError: There is no such pixel.
        """
        void = False
        for number in range(len(self)):
            classes = self.dataset.read_classes(number)
            if classes is None:
                return
            if ((classes != 0) & (classes != VOID_PIXEL)).any():
                return
            void = void or bool((classes == VOID_PIXEL).any())
        raise DatasetError(
            f'No pixel of the {len(self)} images of {source} has a class: all labels are '
            + (f'0 (background) or {VOID_PIXEL} (void); use 1 for the first class, or read white as class 1 '
               f'with --labels-as levels.' if void else '0 (background); use 1 for the first class.'))

    def part(self, numbers: Iterable[int]) -> 'SemanticDataset':
        """A data set of only the images with these numbers, in this order."""
        return SemanticDataset(self.dataset.part(numbers), self.ignore_label)


def semantic_labels(instances: Instances) -> npt.NDArray[np.int32]:
    """The class of each pixel of an image with objects.

    Where objects overlap, the smaller one counts, because large objects are rarely in front of small
    ones; pixels of crowds without another object are void.

    Args:
        instances: The objects.

    Returns:
        (H, W) int32: label + 1 on objects, 0 on the background, -1 on crowds.
    """
    sizes = instances.masks.sum(axis=(1, 2))
    # From front to back, with the background last.
    order = np.lexsort([sizes, instances.crowds])
    layers = np.concatenate([instances.masks[order], np.ones((1, *instances.image_size), bool)])
    labels = np.where(instances.crowds, VOID, instances.labels + 1)[order]
    return np.append(labels, 0).astype(np.int32)[layers.argmax(axis=0)]


def open_semantic(annotations: str | os.PathLike, images: str | os.PathLike | None = None, *,
                  sbd: str | os.PathLike | None = None, class_names: Sequence[str] | None = None,
                  labels_as: LabelsAs = 'auto', allow_outside: bool = False,
                  ignore_label: int = VOID_PIXEL) -> SemanticDataset:
    """Opens a data set of files for semantic segmentation.

    Args:
        annotations: Any data set of :func:`chainer_seg.datasets.open_dataset`, such as a COCO JSON
            file, a packed data set (which has objects only and no void) or a list of VOC or SBD; or a
            list with an image and its label image in each line.
        images: The folder, as in :func:`chainer_seg.datasets.open_dataset`.
        sbd: A folder of SBD for images of a VOC list that VOC has not annotated.
        class_names: The classes from 1 on in the label images of a list; VOC's by default.
        labels_as, allow_outside: As in :func:`chainer_seg.datasets.open_dataset`.
        ignore_label: As of :class:`SemanticDataset`.

    Raises:
        chainer_seg.errors.DatasetError: Something is missing, or the format is not supported.
    """
    if pathlib.Path(annotations).suffix == '.txt' and is_voc(annotations, images):
        dataset = SemanticDataset(VocDataset(
            annotations, images, sbd=sbd, labels_as=labels_as, allow_outside=allow_outside,
            class_names=PASCAL_NAMES if class_names is None else class_names), ignore_label)
    else:
        dataset = SemanticDataset(open_dataset(annotations, images, labels_as=labels_as,
                                               allow_outside=allow_outside), ignore_label)
    dataset.check_classes(annotations)
    return dataset


def _with_void(classes: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """Classes (H, W) uint8 as labels."""
    labels = classes.astype(np.int32)
    labels[classes == VOID_PIXEL] = VOID
    return labels
