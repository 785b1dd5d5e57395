"""Statistics of a data set: objects per class, sizes, aspect ratios; and anchors that fit them."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.cluster import vq

from chainer_seg.bad_images import OnError, passing_over
from chainer_seg.datasets.base import Dataset, Progress, as_dataset
from chainer_seg.datasets.object_index import ObjectIndex
from chainer_seg.datasets.validation import LARGE_AREA, SMALL_AREA

# In training, an anchor is assigned to an object from this IoU on.
MATCHED_IOU = 0.5


@dataclasses.dataclass
class DatasetStatistics:
    """Statistics of a data set of N images and M objects; crowds are only counted.

    Attributes:
        class_names: The name of each label.
        image_sizes: (N, 2) int, height and width in pixels.
        crowds: The number of crowd regions.
        image_numbers: (M,) int, the number of the image of each object.
        labels: (M,) int32.
        bboxes: (M, 4) float32 (y_min, x_min, y_max, x_max) in pixels.
        areas: (M,) float32 in pixels, as annotated where known.
    """

    class_names: tuple[str, ...]
    image_sizes: npt.NDArray[np.integer]
    crowds: int
    image_numbers: npt.NDArray[np.integer]
    labels: npt.NDArray[np.int32]
    bboxes: npt.NDArray[np.float32]
    areas: npt.NDArray[np.float32]

    @property
    def objects_per_class(self) -> npt.NDArray[np.int64]:
        """(classes,) int."""
        return np.bincount(self.labels, minlength=len(self.class_names))

    @property
    def images_per_class(self) -> npt.NDArray[np.int64]:
        """(classes,) int: the number of images with an object of each class."""
        pairs = np.unique(np.stack([self.labels, self.image_numbers]), axis=1)
        return np.bincount(pairs[0], minlength=len(self.class_names))

    @property
    def objects_per_image(self) -> npt.NDArray[np.int64]:
        """(N,) int."""
        return np.bincount(self.image_numbers, minlength=len(self.image_sizes))

    @property
    def box_sizes(self) -> npt.NDArray[np.float32]:
        """(M, 2) float32: height and width of the boxes in pixels of the images."""
        return self.bboxes[:, 2:] - self.bboxes[:, :2]

    @property
    def unseen_classes(self) -> list[str]:
        """The names of the classes without objects."""
        return [self.class_names[label] for label in np.flatnonzero(self.objects_per_class == 0)]

    def sizes_at(self, image_size: float) -> npt.NDArray[np.float64]:
        """(M, 2) float: height and width of the boxes when images are resized to a square.

        Args:
            image_size: Side of the square in pixels, such as the input of YOLACT.
        """
        return self.box_sizes * (image_size / self.image_sizes[self.image_numbers])

    def to_dict(self) -> dict[str, Any]:
        """A summary as a dict for JSON."""
        per_image = self.objects_per_image
        small, large = self.areas < SMALL_AREA, self.areas > LARGE_AREA
        return {
            'images': len(self.image_sizes), 'images without objects': int((per_image == 0).sum()),
            'objects': len(self.labels), 'crowds': self.crowds, 'classes': len(self.class_names),
            'objects per image': {'mean': round(float(per_image.mean()), 2),
                                  'most': int(per_image.max())},
            'small': int(small.sum()), 'medium': int((~small & ~large).sum()),
            'large': int(large.sum()),
            'image height': _quantiles(self.image_sizes[:, 0]),
            'image width': _quantiles(self.image_sizes[:, 1]),
            'side of an object': _quantiles(np.sqrt(self.box_sizes.prod(axis=1))),
            'width over height of an object': _quantiles(_aspect_ratios(self.box_sizes)),
            'per class': {
                name: {'objects': int(objects), 'images': int(images)}
                for name, objects, images in zip(
                    self.class_names, self.objects_per_class, self.images_per_class)}}


@dataclasses.dataclass
class Anchors:
    """Anchor shapes, and how well they fit the objects of a data set.

    Attributes:
        scales: Square roots of the areas in pixels of the network's input.
        ratios: Widths over heights.
        mean_iou: The mean over all objects of the IoU with the best anchor at the same centre.
        matched: The fraction of objects for which it is at least :data:`MATCHED_IOU`.
    """

    scales: tuple[float, ...]
    ratios: tuple[float, ...]
    mean_iou: float
    matched: float


def measure_dataset(dataset: Dataset, progress: Progress = iter, on_error: OnError | None = None
                    ) -> DatasetStatistics:
    """The :class:`DatasetStatistics` of a data set.

    Args:
        dataset: The data set. Images are not decoded if the data set provides objects and sizes without.
        progress: Wraps the iteration over images, such as tqdm.
        on_error: Called with the number and the error of an image that cannot be read, which is then
            not counted; None raises the error.
    """
    dataset = as_dataset(dataset)
    index = ObjectIndex(dataset, progress, on_error)
    sizes = {}
    for number in range(len(dataset)):
        with passing_over(number, on_error):
            sizes[number] = dataset.image_size(number)
    single = ~index.crowds & np.isin(index.image_numbers, list(sizes))
    return DatasetStatistics(
        tuple(dataset.class_names), np.array(list(sizes.values())).reshape(-1, 2),
        int(index.crowds.sum()), np.searchsorted(list(sizes), index.image_numbers[single]),
        index.labels[single], index.bboxes[single], index.areas[single])


def suggest_anchors(sizes: npt.NDArray, scales: int = 5, ratios: int = 3) -> Anchors | None:
    """Anchors for boxes of these sizes: k-means of the logarithms of scales and aspect ratios.

    Args:
        sizes: (M, 2) float, heights and widths in pixels of the network's input.
        scales: Number of scales, one for each level of a feature pyramid.
        ratios: Number of aspect ratios.

    Returns:
        The anchors, with fewer scales or ratios if the boxes have fewer; None without boxes.
    """
    sizes = sizes[(sizes > 0).all(axis=1)]
    if not len(sizes):
        return None
    return fit_anchors(sizes, np.round(_log_means(np.sqrt(sizes.prod(axis=1)), scales), 1),
                       np.round(_log_means(_aspect_ratios(sizes), ratios), 2))


def fit_anchors(sizes: npt.NDArray, scales: npt.ArrayLike, ratios: npt.ArrayLike = (1,)) -> Anchors:
    """The :class:`Anchors` of these scales and ratios; ``sizes`` as in :func:`suggest_anchors`."""
    sizes = sizes[(sizes > 0).all(axis=1)]
    scales, ratios = np.asarray(scales, float), np.asarray(ratios, float)
    roots = np.sqrt(ratios)
    heights, widths = (scales[:, None] / roots).ravel(), (scales[:, None] * roots).ravel()
    shared = (np.minimum(sizes[:, :1], heights) * np.minimum(sizes[:, 1:], widths))
    best = (shared / (sizes.prod(axis=1)[:, None] + heights * widths - shared)).max(axis=1)
    return Anchors(tuple(scales.tolist()), tuple(ratios.tolist()), round(float(best.mean()), 4),
                   round(float((best >= MATCHED_IOU).mean()), 4))


def _log_means(values: npt.NDArray, count: int) -> npt.NDArray[np.float64]:
    """At most ``count`` geometric means of clusters of positive values, sorted."""
    logarithms = np.log2(values.astype(np.float64))
    # With quantiles as start, k-means is deterministic and no cluster is empty at first.
    start = np.unique(np.quantile(logarithms, (np.arange(count) + 0.5) / count))
    if len(start) == 1:  # SciPy would interpret it as the number of clusters.
        return 2.0 ** logarithms.mean(keepdims=True)
    means, _ = vq.kmeans(logarithms[:, None], start[:, None])
    return 2.0 ** np.sort(means[:, 0])


def _aspect_ratios(sizes: npt.NDArray) -> npt.NDArray:
    """Widths over heights of the boxes that are not empty."""
    sizes = sizes[(sizes > 0).all(axis=1)]
    return sizes[:, 1] / sizes[:, 0]


def _quantiles(values: npt.NDArray) -> dict[str, float] | None:
    """Smallest, median and largest value, rounded; None without values."""
    if not len(values):
        return None
    return {name: round(float(np.quantile(values, share)), 2)
            for name, share in (('least', 0), ('median', 0.5), ('largest', 1))}
