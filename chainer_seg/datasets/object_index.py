"""All objects of a data set in arrays, so that training can sample objects instead of images."""

from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg import masks
from chainer_seg.bad_images import OnError, passing_over
from chainer_seg.datasets.base import Dataset, Progress, as_dataset
from chainer_seg.datasets.segmentations import drawable_polygons


class ObjectIndex:
    """The N objects of a data set, in the order of its images, without pixels.

    They come from the JSON of a COCO file and from the arrays of a packed data set; in other data sets,
    the objects of each image are read once.

    Args:
        dataset: The data set.
        progress: Wraps the iteration over images, such as tqdm.
        on_error: Called with the number and the error of an image that cannot be read, which then has
            no objects; None raises the error.

    Attributes:
        dataset: The data set.
        image_numbers: (N,) int64, the number of the image of each object.
        places: (N,) int64, the row of each object in the Instances of its image.
        labels: (N,) int32.
        bboxes: (N, 4) float32 (y_min, x_min, y_max, x_max) in pixels.
        areas: (N,) float32 in pixels, as annotated where known.
        crowds: (N,) bool.
    """

    def __init__(self, dataset: Dataset, progress: Progress = iter, on_error: OnError | None = None) -> None:
        self.dataset = as_dataset(dataset)
        self._annotations = self.dataset.annotations
        empty = (np.zeros(0, np.int32), np.zeros((0, 4), np.float32), np.zeros(0, np.float32),
                 np.zeros(0, bool))
        rows = [empty] * len(dataset)
        for number in progress(range(len(dataset))):
            with passing_over(number, on_error):
                rows[number] = self.dataset.read_boxes(number)
        counts = [len(labels) for labels, _, _, _ in rows]
        self._starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        self.image_numbers = np.repeat(np.arange(len(rows)), counts)
        self.places = np.arange(self._starts[-1]) - self._starts[self.image_numbers]
        self.labels, self.bboxes, self.areas, self.crowds = (
            np.concatenate([first, *column]) for first, column in zip(empty, zip(*rows)))

    def __len__(self) -> int:
        return len(self.labels)

    def of_image(self, number: int) -> slice:
        """The slice of the objects of image ``number``."""
        return slice(self._starts[number], self._starts[number + 1])

    def read_image(self, number: int) -> npt.NDArray[np.uint8]:
        """The image (H, W, 3) uint8 of image ``number``."""
        return self.dataset.read_image(number)

    def read_object(self, number: int, window: tuple[float, float, float], side: int
                    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
        """The image of one object, and its mask in a window.

        Args:
            number: Number of the object.
            window: (top, left, length) of a square in pixels of the image, not rounded.
            side: Side of the mask in pixels. Polygons are rasterised at this resolution.

        Returns:
            The whole image (H, W, 3) uint8 and the mask (side, side) bool of the window.
        """
        image_number, place = int(self.image_numbers[number]), int(self.places[number])
        if self._annotations is None:
            image, instances = self.dataset[image_number]
            return image, _cut_mask(instances[place].masks[0], window, side)
        image = self.dataset.read_image(image_number)
        size = image.shape[0], image.shape[1]
        mask = _draw_polygons(self._annotations[image_number][place], size, window, side)
        if mask is None:
            instances = self.dataset.read_instances(image_number)
            mask = _cut_mask(instances[place].masks[0], window, side)
        return image, mask


def cut_window(image: npt.NDArray, window: tuple[float, float, float], side: int, fill: float
               ) -> npt.NDArray[np.float32]:
    """Crops a square from an image and resizes it; pixels outside the image are ``fill``.

    Interpolates linearly, and averages where the window is larger than the result.

    Args:
        image: (H, W) or (H, W, C), any real numbers.
        window: (top, left, length) in pixels, where pixel i covers [i, i + 1).
        side: Side of the result in pixels.
        fill: Value outside the image.

    Returns:
        (side, side) or (side, side, C) float32.
    """
    top, left, length = window
    finer = max(1, int(np.ceil(length / side)))
    step = length / (side * finer)
    # Two pixels more than the window, so that interpolation does not use the border of the part.
    low = np.clip(np.floor([top, left]).astype(int) - 2, 0, image.shape[:2])
    high = np.clip(np.ceil([top + length, left + length]).astype(int) + 2, low, image.shape[:2])
    part = np.ascontiguousarray(image[low[0]:high[0], low[1]:high[1]], np.float32)
    if part.size == 0:
        return np.full((side, side) + image.shape[2:], fill, np.float32)
    matrix = np.array([[step, 0, left - low[1] + step / 2 - 0.5],
                       [0, step, top - low[0] + step / 2 - 0.5]])
    fine = cv2.warpAffine(
        part, matrix, (side * finer, side * finer), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT, borderValue=(fill,) * 4)
    return np.asarray(cv2.resize(fine, (side, side), interpolation=cv2.INTER_AREA), np.float32)


def _cut_mask(mask: npt.NDArray[np.bool_], window: tuple[float, float, float],
              side: int) -> npt.NDArray[np.bool_]:
    return cut_window(mask, window, side, 0) > 0.5


def _draw_polygons(annotation: Mapping[str, Any], size: tuple[int, int], window: tuple[float, float, float],
                   side: int) -> npt.NDArray[np.bool_] | None:
    """The mask (side, side) bool of a window from polygons; None without polygons."""
    polygons = drawable_polygons(annotation.get('segmentation'), size)
    if polygons is None:
        return None
    top, left, length = window
    moved = [(np.reshape(polygon, (-1, 2)) - (left, top)) * (side / length) for polygon in polygons]
    try:
        return masks.polygons_to_mask(moved, (side, side))
    except ValueError:
        return None  # The outline is too long at this resolution; its pixels are used instead.
