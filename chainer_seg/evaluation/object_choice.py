"""Which objects of a data set are clicked on, as section 4 of arXiv 1603.04042 chooses them."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from chainer_seg.bad_images import OnError
from chainer_seg.class_names import find_names
from chainer_seg.datasets.base import Dataset, Progress
from chainer_seg.errors import DatasetError
from chainer_seg.instances import Instances
from chainer_seg.evaluation.click_benchmarks import LEAST_AREA
from chainer_seg.models.deeplab.precomputed_clicks import usable_objects
from chainer_seg.published_classes import COCO_NAMES, PASCAL_NAMES_IN_COCO

# The categories of COCO that a model trained on Pascal VOC has seen, and those that it has not.
CATEGORY_SETS = {
    'seen': PASCAL_NAMES_IN_COCO,
    'unseen': tuple(name for name in COCO_NAMES if name not in PASCAL_NAMES_IN_COCO)}


def objects_of_classes(instances: Instances, least_area: float = LEAST_AREA,
                       labels: Sequence[int] | None = None) -> npt.NDArray[np.int64]:
    """The numbers of the objects (P,) int64 that are no crowds, large enough, and of these classes.

    Args:
        instances: :class:`chainer_seg.Instances`.
        least_area: Of the mask, in pixels.
        labels: Of the classes; None for all.
    """
    places = usable_objects(instances, least_area)
    return places if labels is None else places[np.isin(instances.labels[places], labels)]


def sample_objects(dataset: Dataset, count: int, rng: np.random.Generator, *, least_area: float = LEAST_AREA,
                   labels: Sequence[int] | None = None, progress: Progress = iter,
                   on_error: OnError | None = None) -> dict[int, npt.NDArray[np.int64]]:
    """Draws objects of each class, every one from another image.

    Args:
        dataset: Any data set of this package.
        count: How many of each class; all images of a class that occurs in fewer.
        rng: A numpy Generator.
        least_area: Smaller objects, by the annotated areas where there are some, are omitted, and so
            are crowds.
        labels: Of the classes; None for all.
        progress: Wraps the iteration over images, as ``tqdm`` does.
        on_error: Called with the number and the error of an image that cannot be read, of which then
            nothing is drawn; None raises the error.

    Returns:
        dict: The objects of each image, ``{number of the image: numbers of the objects}``.

    Raises:
        chainer_seg.errors.DatasetError: There is no such object.
    """
    from chainer_seg.datasets import ObjectIndex
    index = ObjectIndex(dataset, progress, on_error)
    usable = ~index.crowds & (index.areas >= least_area)
    if labels is not None:
        usable &= np.isin(index.labels, labels)
    if not usable.any():
        raise DatasetError(f'The data set has no object of at least {least_area} pixels to click on; '
                           f'give a lower least area or another data set.')
    drawn = np.concatenate([
        _from_different(index.image_numbers, rng.permutation(np.flatnonzero(usable & (index.labels == each))),
                        count) for each in np.unique(index.labels[usable])])
    return {int(number): np.sort(index.places[drawn[index.image_numbers[drawn] == number]])
            for number in np.unique(index.image_numbers[drawn])}


def find_labels(class_names: Sequence[str], wanted: str | Sequence[str]) -> tuple[int, ...]:
    """The labels of classes.

    Args:
        class_names: The data set's class names by label.
        wanted: Names, whose case counts only where it tells two classes apart, or the name of one of
            :data:`CATEGORY_SETS`, of which the
            data set need not have all.

    Returns:
        tuple of int

    Raises:
        chainer_seg.errors.DatasetError: The data set has no such class.
    """
    names = CATEGORY_SETS[wanted] if isinstance(wanted, str) else wanted
    labels = find_names(names, class_names)
    unknown = [name for name, label in zip(names, labels) if label < 0]
    if unknown and (not isinstance(wanted, str) or len(unknown) == len(names)):
        more = ', ...' if len(class_names) > 10 else ''
        raise DatasetError(f'The data set has no category {unknown[0]!r}; it has '
                           f'{", ".join(class_names[:10]) or "no names of categories"}{more}.')
    return tuple(sorted({label for label in labels if label >= 0}))


def _from_different(image_numbers: np.ndarray, objects: np.ndarray, count: int) -> np.ndarray:
    """The first ``count`` of ``objects`` (N,) from different images."""
    firsts = np.unique(image_numbers[objects], return_index=True)[1]
    return objects[np.sort(firsts)[:count]]
