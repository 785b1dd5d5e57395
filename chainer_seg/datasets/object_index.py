"""All objects of a data set in arrays, so that examples can be drawn by object and not by image."""

import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg import masks
from chainer_seg.bad_images import OnError, passing_over
from chainer_seg.datasets.base import Dataset, Progress, as_dataset
from chainer_seg.datasets.segmentations import drawable_polygons


class ObjectIndex:
    """The N objects of a data set, in the order of its images, without pixels.

    Of a COCO file the JSON is enough, of a packed data set its arrays; of any other data set the
    objects of each image are read once.

    Args:
        dataset: With ``len``, ``dataset[i] -> (image, Instances)`` and ``class_names``; those made
            of files also read images and objects apart.
        progress (callable): Wraps the iteration over images, such as tqdm.
        on_error (callable): Called with the number and the error of an image that cannot be read,
            which then has no objects; None raises the error.

    Attributes:
        dataset: The data set.
        pictures: (N,) int64, the number of each object's image.
        places: (N,) int64, the object's number in the Instances of its image.
        labels: (N,) int32.
        bboxes: (N, 4) float32 (y_min, x_min, y_max, x_max) in pixels.
        areas: (N,) float32 in pixels, as annotated where known.
        crowds: (N,) bool.
    """

    def __init__(self, dataset: Dataset, progress: Progress = iter, on_error: OnError | None = None):
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
        self.pictures = np.repeat(np.arange(len(rows)), counts)
        self.places = np.arange(self._starts[-1]) - self._starts[self.pictures]
        self.labels, self.bboxes, self.areas, self.crowds = (
            np.concatenate([first, *column]) for first, column in zip(empty, zip(*rows)))

    def __len__(self) -> int:
        return len(self.labels)

    def of_picture(self, number: int) -> slice:
        """The numbers of the objects of image ``number``, as a slice."""
        return slice(self._starts[number], self._starts[number + 1])

    def read_image(self, number: int) -> npt.NDArray[np.uint8]:
        """The image (H, W, 3) uint8 of image ``number``."""
        return self.dataset.read_image(number)

    def read_object(self, number: int, window: tuple[float, float, float], side: int
                    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
        """One object's image and its mask in a window.

        Args:
            number: Of the object.
            window: (top, left, length) of a square in pixels of the image, not rounded.
            side: The mask is drawn at this resolution: polygons are not rounded to pixels first.

        Returns:
            The whole image (H, W, 3) uint8 and the mask (side, side) bool of the window.
        """
        picture, place = int(self.pictures[number]), int(self.places[number])
        if self._annotations is None:
            image, instances = self.dataset[picture]
            return image, _cut_mask(instances.masks[place], window, side)
        image = self.dataset.read_image(picture)
        mask = _draw_polygons(self._annotations[picture][place], image.shape[:2], window, side)
        if mask is None:
            instances = self.dataset.read_instances(picture)
            mask = _cut_mask(instances.masks[place], window, side)
        return image, mask


def cut_window(image: npt.NDArray, window: tuple[float, float, float], side: int, fill: float
               ) -> npt.NDArray[np.float32]:
    """Cuts a square out of an image and scales it; what lies outside the image is ``fill``.

    Between pixels it interpolates; where the window is larger than the result, it averages.

    Args:
        image: (H, W) or (H, W, C), any real numbers.
        window: (top, left, length) in pixels, where pixel i covers [i, i + 1).
        side: Side of the result in pixels.
        fill: A number.

    Returns:
        (side, side) or (side, side, C) float32.
    """
    top, left, length = window
    finer = max(1, int(np.ceil(length / side)))
    step = length / (side * finer)
    # Two pixels more than the window, so that no interpolation meets the edge of the part.
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


def _cut_mask(mask, window, side):
    return cut_window(mask, window, side, 0) > 0.5


def _draw_polygons(annotation, size, window, side):
    """The window's mask (side, side) bool from polygons; None where there are none to draw."""
    polygons = drawable_polygons(annotation.get('segmentation'), size)
    if polygons is None:
        return None
    top, left, length = window
    moved = [(np.reshape(polygon, (-1, 2)) - (left, top)) * (side / length) for polygon in polygons]
    try:
        return masks.polygons_to_mask(moved, (side, side))
    except ValueError:
        return None  # Too long an outline at this resolution: its pixels do.
