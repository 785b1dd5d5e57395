"""The input of Mask R-CNN: images resized and padded as in Detectron or Detectron2."""

import typing
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt
import PIL.Image
from chainer.backend import get_array_module

from chainer_seg.arrays import Array

# Mean colour on 0..255, in the order blue, green, red.
MEAN_BGR = (102.9801, 115.9465, 122.7717)
DETECTRON2_MEAN_BGR = (103.53, 116.28, 123.675)


class InputSize(typing.NamedTuple):
    """The size of an image, and its size in the network's input.

    Attributes:
        original: (H, W) of the image.
        inner: (h, w) in the input; boxes are clipped to it. With Detectron's geometry it includes the padding
            to multiples.
        scales: Pixels of the input per pixel of the image, vertically and horizontally.
        half_open: Whether the geometry is Detectron2's.
    """

    original: tuple[int, int]
    inner: tuple[int, int]
    scales: tuple[float, float]
    half_open: bool = False

    @property
    def scale(self) -> float:
        """The vertical scale, which with Detectron's geometry is also the horizontal one."""
        return self.scales[0]

    def to_image(self, boxes: Array) -> Array:
        """Boxes (..., 4) of the input, with inclusive maxima, in pixels of the image."""
        if not self.half_open:
            return boxes / np.float32(self.scale)
        ends, scales = self._by_edge(boxes)
        return (boxes + ends) / scales - ends

    def to_input(self, boxes: Array) -> Array:
        """Boxes (..., 4) of the image, with inclusive maxima, in pixels of the input."""
        if not self.half_open:
            return boxes * np.float32(self.scale)
        ends, scales = self._by_edge(boxes)
        return (boxes + ends) * scales - ends

    def _by_edge(self, boxes: Array) -> tuple[Array, Array]:
        """For each edge, the length from the inclusive to the half-open one, and the scale."""
        xp = get_array_module(boxes)
        return xp.asarray([0, 0, 1, 1], np.float32), xp.asarray(np.tile(self.scales, 2), np.float32)


def input_scale(size: tuple[int, int], min_side: int, max_side: int) -> float:
    """Resize factor of an image of ``size`` = (H, W).

    Its shorter side becomes ``min_side`` pixels, or its longer one ``max_side`` if that is less.
    """
    scale = min_side / min(size)
    if round(scale * max(size)) > max_side:
        scale = max_side / max(size)
    return scale


def network_image(image: np.ndarray, scale: float) -> np.ndarray:
    """An image (H, W, 3) uint8 RGB as (3, h, w) float32, blue, green and red minus their mean."""
    bgr = image[:, :, ::-1].astype(np.float32)
    bgr -= np.array(MEAN_BGR)
    height, width = (scale * side for side in image.shape[:2])
    if min(round(height), round(width)) < 1:
        resized = cv2.resize(bgr, (max(1, round(width)), max(1, round(height))))
    else:
        resized = cv2.resize(bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    return resized.transpose(2, 0, 1)


def shown_image(image: np.ndarray, min_side: int, max_side: int, half_open: bool = False
                ) -> tuple[npt.NDArray[np.float32], InputSize]:
    """An image as the network sees it.

    Args:
        image: (H, W, 3) uint8 RGB.
        min_side, max_side: As those of :func:`input_scale`.
        half_open: Whether the geometry is Detectron2's, which resizes images as Pillow does, to whole pixels.

    Returns:
        (3, h, w) float32, blue, green and red minus their mean, and its size, without padding.
    """
    original = (image.shape[0], image.shape[1])
    if not half_open:
        scale = input_scale(original, min_side, max_side)
        x = network_image(image, scale)
        return x, InputSize(original, (x.shape[1], x.shape[2]), (scale, scale))
    scale = min(min_side / min(original), max_side / max(original))
    height, width = (max(int(side * scale + 0.5), 1) for side in original)
    resized = PIL.Image.fromarray(np.ascontiguousarray(image)).resize(
        (width, height), PIL.Image.Resampling.BILINEAR)
    x = np.asarray(resized, np.float32)[:, :, ::-1] - np.array(DETECTRON2_MEAN_BGR, np.float32)
    return x.transpose(2, 0, 1), InputSize(
        original, (height, width), (height / original[0], width / original[1]), True)


def pad_to_multiple(size: Sequence[int], multiple: int) -> tuple[int, int]:
    """(h, w), each rounded up to a multiple."""
    return -(-size[0] // multiple) * multiple, -(-size[1] // multiple) * multiple


def stack(images: Sequence[np.ndarray], multiple: int) -> npt.NDArray[np.float32]:
    """Stacks images (3, h, w) into a batch (B, 3, H, W), padded with zeros at the right and bottom.

    H and W are multiples of ``multiple``.
    """
    largest = [max(image.shape[axis] for image in images) for axis in (1, 2)]
    height, width = pad_to_multiple(largest, multiple)
    batch = np.zeros((len(images), 3, height, width), np.float32)
    for place, image in zip(batch, images):
        place[:, :image.shape[1], :image.shape[2]] = image
    return batch
