"""The input of Mask R-CNN: images resized and padded as in Detectron."""

import typing
from collections.abc import Sequence

import cv2
import numpy as np
import numpy.typing as npt

# Mean colour on 0..255, in the order blue, green, red.
MEAN_BGR = (102.9801, 115.9465, 122.7717)


class InputSize(typing.NamedTuple):
    """The size of an image, and its size in the network's input.

    Attributes:
        original: (H, W) of the image.
        inner: (h, w) in the input, including its own padding; boxes are clipped to it.
        scale: Pixels of the input per pixel of the image.
    """

    original: tuple[int, int]
    inner: tuple[int, int]
    scale: float


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
