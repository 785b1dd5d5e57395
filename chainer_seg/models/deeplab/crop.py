"""The input of a refinement: a shrunk crop around the possible object and its clicks."""

import dataclasses
from collections.abc import Sequence
from typing import Self

import numpy as np

from chainer_seg.errors import ImageError
from chainer_seg.images import fit_within, resize
from chainer_seg.models.deeplab.clicks import Click, check_clicks

SEED_RADIUS = 5.0  # pixels; about the size of a cursor, within which a click is meant

# Below this probability a pixel is certainly not part of the object.
_NO_OBJECT = 0.05
# Distance from the object to the edge of the crop, as a fraction of the object's side, and its minimum in
# pixels.
_MARGIN = 0.15
_MIN_MARGIN = 12


@dataclasses.dataclass(frozen=True, eq=False)
class RefinementCrop:
    """A crop of an image, resized to (h, w), that can be pasted back.

    Attributes:
        image: (h, w, 3) uint8.
        probability: (h, w) float32.
        positive, negative: (h, w) bool, the pixels whose label the clicks give.
        scale: Side of the crop's pixels in pixels of the image, at least 1.
    """

    image: np.ndarray
    probability: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    scale: float
    _part: tuple[slice, slice]
    _whole: np.ndarray

    @classmethod
    def on_object(cls, image: np.ndarray, probability: np.ndarray, clicks: Sequence[Click],
                  longest_side: int, radius: float = SEED_RADIUS) -> Self | None:
        """The crop around a possible object and its clicks.

        Args:
            image: (H, W, 3) uint8 RGB.
            probability: (H, W) float32.
            clicks: The clicks, in pixels of the image.
            longest_side: Maximum longer side of the crop after shrinking, in pixels.
            radius: Radius of the disc around a click that has its label, in pixels of the image.

        Returns:
            A :class:`RefinementCrop`; None if there is neither an object nor a click.

        Raises:
            chainer_seg.errors.ImageError: Image and probability differ in size.
            chainer_seg.errors.ClickError: A click lies outside the image.
        """
        if image.shape[:2] != probability.shape:
            raise ImageError(
                f'The image is {_size(image)} pixels and the probability {_size(probability)}; '
                f'both must have the same size.')
        check_clicks(clicks, probability.shape)
        part = _object_slices(probability, clicks)
        if part is None:
            return None
        shape = (part[0].stop - part[0].start, part[1].stop - part[1].start)
        size = fit_within(shape, longest_side)
        scale = max(shape) / max(size)
        positive, negative = click_discs(clicks, shape, radius, (part[0].start, part[1].start), size)
        return cls(resize(image[part], size), resize(probability[part], size), positive, negative,
                   scale, part, probability)

    def paste(self, values: np.ndarray) -> np.ndarray:
        """The probability (H, W) float32 of the image, with ``values`` (h, w) in the crop."""
        whole = self._whole.astype(np.float32)
        shape = whole[self._part].shape
        whole[self._part] = np.clip(resize(values.astype(np.float32), shape), 0, 1)
        return whole


def click_discs(clicks: Sequence[Click], shape: tuple[int, int], radius: float,
                corner: tuple[int, int] = (0, 0),
                size: tuple[int, int] | None = None) -> tuple[np.ndarray, np.ndarray]:
    """The pixels whose label clicks give: discs, of which the nearer click's wins where two overlap.

    Args:
        clicks: The clicks, in pixels of the image.
        shape: (height, width) of the crop in the image.
        radius: Radius of a disc in pixels of the image; the pixel under a click always belongs to its disc.
        corner: (top, left) of the crop in the image.
        size: (h, w) to which the crop is resized; ``shape`` by default.

    Returns:
        Two (h, w) bool: the discs of the positive and of the negative clicks.
    """
    size = size or shape
    ratio_y, ratio_x = shape[0] / size[0], shape[1] / size[1]
    rows = (np.arange(size[0])[:, None] + 0.5) * ratio_y - 0.5
    columns = (np.arange(size[1])[None, :] + 0.5) * ratio_x - 0.5
    nearest = np.full(size, radius ** 2, np.float64)
    sign = np.zeros(size, np.int8)
    for click in clicks:
        y, x = click.y - corner[0], click.x - corner[1]
        distance = (rows - y) ** 2 + (columns - x) ** 2
        distance[_cell(y, ratio_y, size[0]), _cell(x, ratio_x, size[1])] = 0
        nearer = distance <= nearest
        nearest[nearer], sign[nearer] = distance[nearer], 1 if click.positive else -1
    return sign > 0, sign < 0


def _cell(position: float, ratio: float, length: int) -> int:
    return min(max(int((position + 0.5) / ratio), 0), length - 1)


def _object_slices(probability: np.ndarray, clicks: Sequence[Click]) -> tuple[slice, slice] | None:
    """The rows and columns of a possible object and its clicks, with a margin; None without either."""
    likely = probability >= _NO_OBJECT
    slices = []
    for axis, length in enumerate(probability.shape):
        places = np.concatenate([np.flatnonzero(likely.any(axis=1 - axis)),
                                 [round((click.y, click.x)[axis]) for click in clicks]])
        if len(places) == 0:
            return None
        first, last = places.min(), places.max()
        margin = max(_MIN_MARGIN, _MARGIN * (last - first))
        slices.append(slice(max(0, int(first - margin)), min(length, int(last + margin) + 1)))
    return slices[0], slices[1]


def _size(array: np.ndarray) -> str:
    return f'{array.shape[0]}x{array.shape[1]}'
