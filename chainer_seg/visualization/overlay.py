"""Masks and probabilities as RGBA layers, and blending of layers with images, using only NumPy and OpenCV.

A layer is an (H, W, 4) uint8 array of RGB and opacity (not premultiplied), the format of a browser
canvas, PNG files and matplotlib.
"""

import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg.colors import POSITIVE, instance_colors
from chainer_seg.run_length_masks import RunLengthMasks

# Images are processed in strips of rows of at most this many values, so that memory stays bounded.
_PIXELS_AT_ONCE = 1 << 22


def overlay_masks(image: npt.NDArray[np.uint8], masks: npt.NDArray | RunLengthMasks,
                  colors: npt.ArrayLike | None = None, alpha: float = 0.5, contour: int = 0
                  ) -> npt.NDArray[np.uint8]:
    """Overlays coloured masks on an image; where they overlap, the smaller object is on top.

    Args:
        image: (H, W, 3) uint8 RGB.
        masks: (R, H, W) bool, or uint8 where nonzero values are foreground; (H, W) for a single mask; or
            ``Instances.runs``, which are faster to draw.
        colors: (R, 3) uint8 RGB; default: those of :func:`instance_colors`.
        alpha: Opacity of the masks, from 0 to 1.
        contour: Width in pixels of an opaque edge inside each mask; 0 for none.

    Returns:
        (H, W, 3) uint8 RGB, a new array.

    Raises:
        ValueError: The sizes do not match.
    """
    return blend(image, instances_layer(masks, colors, alpha, contour))


def overlay_probability(
        image: npt.NDArray[np.uint8], probability: npt.NDArray[np.floating],
        color: npt.ArrayLike = POSITIVE, alpha: float = 0.6, threshold: float = 0.5, contour: int = 0
        ) -> npt.NDArray[np.uint8]:
    """Overlays a probability map on an image: the higher the probability, the more opaque ``color``.

    Args:
        image: (H, W, 3) uint8 RGB.
        probability: (H, W) float in [0, 1].
        color: RGB from 0 to 255.
        alpha: Opacity where the probability is 1.
        threshold: Probability at which the contour is drawn.
        contour: Width of the contour in pixels; 0 for none.

    Returns:
        (H, W, 3) uint8 RGB, a new array.

    Raises:
        ValueError: The sizes do not match.
    """
    return blend(image, probability_layer(probability, color, alpha, threshold, contour))


def instances_layer(masks: npt.NDArray | RunLengthMasks, colors: npt.ArrayLike | None = None,
                    alpha: float = 0.5, contour: int = 0) -> npt.NDArray[np.uint8]:
    """The colour layer (H, W, 4) uint8 of masks; see :func:`overlay_masks` for the arguments."""
    runs = masks if isinstance(masks, RunLengthMasks) else _as_runs(np.asarray(masks, bool))
    colors = instance_colors(runs.count) if colors is None else np.asarray(colors, np.uint8)
    if colors.shape != (runs.count, 3):
        raise ValueError(f'colors must have shape ({runs.count}, 3), got {colors.shape}')
    owner = runs.topmost()
    opacity = np.full(runs.count + 1, _byte(alpha), np.uint8)
    opacity[0] = 0
    table = np.concatenate([np.concatenate([np.zeros((1, 3), np.uint8), colors]),
                            opacity[:, None]], axis=1)
    # Looks up a colour and its opacity as one 32-bit number.
    layer = np.take(table.view(np.uint32)[:, 0], owner).view(np.uint8).reshape(*owner.shape, 4)
    if contour:
        layer[_edges(owner, contour), 3] = 255
    return layer


def probability_layer(
        probability: npt.NDArray[np.floating], color: npt.ArrayLike = POSITIVE, alpha: float = 0.6,
        threshold: float = 0.5, contour: int = 0) -> npt.NDArray[np.uint8]:
    """The colour layer (H, W, 4) uint8 of a probability; see :func:`overlay_probability`."""
    probability = np.asarray(probability, np.float32)
    if probability.ndim != 2:
        raise ValueError(f'probability must have shape (H, W), got {probability.shape}')
    layer = np.empty(probability.shape + (4,), np.uint8)
    layer[:, :, :3] = np.asarray(color, np.uint8)
    layer[:, :, 3] = np.round(np.clip(probability, 0, 1) * np.float32(255 * alpha))
    if contour:
        layer[_edges((probability > threshold).astype(np.uint16), contour), 3] = 255
    return layer


def blend(image: npt.NDArray[np.uint8], layer: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Blends a layer over an image.

    Args:
        image: (H, W, 3) uint8 RGB.
        layer: (H, W, 4) uint8: RGB and opacity.

    Returns:
        (H, W, 3) uint8 RGB, a new array.

    Raises:
        ValueError: The sizes do not match, or the image has another shape or dtype.
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f'image must be (H, W, 3) uint8, got {image.shape} {image.dtype}')
    if layer.shape[:2] != image.shape[:2]:
        raise ValueError(f'the image has {image.shape[0]}x{image.shape[1]} pixels, but the masks have '
                         f'{layer.shape[0]}x{layer.shape[1]}')
    result = image.copy()
    rows = max(1, _PIXELS_AT_ONCE // max(1, 4 * image.shape[1]))
    for top in range(0, len(image), rows):
        strip = slice(top, top + rows)
        opacity = np.asarray(cv2.merge([layer[strip, :, 3].astype(np.uint16)] * 3), np.uint16)
        mixed = layer[strip, :, :3] * opacity
        np.subtract(255, opacity, out=opacity)
        mixed += image[strip] * opacity
        # 255 * 255 fits 16 bits, so the blend is exact: this is mixed / 255, rounded.
        mixed += 128
        mixed += mixed >> 8
        result[strip] = mixed >> 8
    return result


def _as_runs(masks: npt.NDArray[np.bool_]) -> RunLengthMasks:
    if masks.ndim == 2:
        masks = masks[None]
    if masks.ndim != 3:
        raise ValueError(f'masks must have shape (R, H, W), got {masks.shape}')
    return RunLengthMasks.from_masks(masks)


def _edges(owner: np.ndarray, width: int) -> npt.NDArray[np.bool_]:
    """(H, W) bool: the pixels of a region within ``width`` of another region or of the background."""
    kernel = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    return (owner > 0) & (cv2.dilate(owner, kernel) != cv2.erode(owner, kernel))


def _byte(share: float) -> int:
    return int(round(255 * min(max(share, 0.0), 1.0)))
