"""The part of an image that a refinement works on: where the object may be, shrunk, with its clicks."""

import dataclasses

import numpy as np

from chainer_seg.errors import ImageError
from chainer_seg.images import fit_within, resize
from chainer_seg.models.deeplab.clicks import check_clicks

SEED_RADIUS = 5.0  # What a person means by a click is about as large as a cursor, in pixels.

# Below this probability the network is sure that there is no object.
_NO_OBJECT = 0.05
# The window reaches so far beyond the object, in sides of the object, and at least so many pixels.
_MARGIN = 0.15
_LEAST_MARGIN = 12


@dataclasses.dataclass(frozen=True, eq=False)
class RefinementCrop:
    """A window of an image, brought to (h, w), and the way back.

    Attributes:
        image: (h, w, 3) uint8.
        probability: (h, w) float32.
        positive, negative: (h, w) bool, the pixels that the clicks settle.
        scale: Side of the window's pixels over that of the image's, at least 1.
    """

    image: np.ndarray
    probability: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    scale: float
    _part: tuple
    _whole: np.ndarray

    @classmethod
    def on_object(cls, image, probability, clicks, longest_side, radius=SEED_RADIUS):
        """Focuses on where an object may be, and on its clicks.

        Args:
            image: (H, W, 3) uint8 RGB.
            probability: (H, W) float32.
            clicks: A sequence of :class:`Click`, in pixels of the image.
            longest_side: The window is shrunk to this many pixels.
            radius: Of the disc that a click settles, in pixels of the image.

        Returns:
            A :class:`RefinementCrop`; None where there is neither an object nor a click.

        Raises:
            chainer_seg.errors.ImageError: Image and probability differ in size.
            chainer_seg.errors.ClickError: A click lies outside the image.
        """
        if image.shape[:2] != probability.shape:
            raise ImageError(
                f'The image is {_size(image)} pixels and the probability {_size(probability)}; '
                f'both must have the same size.')
        check_clicks(clicks, probability.shape)
        part = _window(probability, clicks)
        if part is None:
            return None
        shape = tuple(side.stop - side.start for side in part)
        size = fit_within(shape, longest_side)
        scale = max(shape) / max(size)
        positive, negative = click_discs(clicks, shape, radius, (part[0].start, part[1].start), size)
        return cls(resize(image[part], size), resize(probability[part], size), positive, negative,
                   scale, part, probability)

    def paste(self, values):
        """The whole probability (H, W) float32 with ``values`` (h, w) in the window."""
        whole = self._whole.astype(np.float32)
        shape = whole[self._part].shape
        whole[self._part] = np.clip(resize(values.astype(np.float32), shape), 0, 1)
        return whole


def click_discs(clicks, shape, radius, corner=(0, 0), size=None):
    """The pixels that clicks settle: discs around them; a pixel in two belongs to the nearer click.

    Args:
        clicks: A sequence of :class:`Click`.
        shape: (height, width) of the window, in the pixels of the clicks.
        radius: Of a disc, in the same pixels; the pixel under a click always belongs to it.
        corner: (top, left) of the window.
        size: (h, w) that the window is resized to; ``shape`` by default.

    Returns:
        Two (h, w) bool: those of the positive and those of the negative clicks.
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


def _cell(position, ratio, length):
    return min(max(int((position + 0.5) / ratio), 0), length - 1)


def _window(probability, clicks):
    """The rows and columns (two slices) where there may be an object, with a margin; or None."""
    likely = probability >= _NO_OBJECT
    window = []
    for axis, length in enumerate(probability.shape):
        places = [np.flatnonzero(likely.any(axis=1 - axis)),
                  [round((click.y, click.x)[axis]) for click in clicks]]
        places = np.concatenate(places)
        if len(places) == 0:
            return None
        first, last = places.min(), places.max()
        margin = max(_LEAST_MARGIN, _MARGIN * (last - first))
        window.append(slice(max(0, int(first - margin)), min(length, int(last + margin) + 1)))
    return tuple(window)


def _size(array):
    return f'{array.shape[0]}x{array.shape[1]}'
