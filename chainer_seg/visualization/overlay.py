"""Masks and probabilities as colour layers, and layers laid over images, in NumPy and OpenCV alone.

A layer is an (H, W, 4) uint8 array of RGB and opacity (not premultiplied): what a browser canvas,
a PNG file and matplotlib take.
"""

import cv2
import numpy as np

from chainer_seg.colors import POSITIVE, instance_colors
from chainer_seg.masks import topmost

# Rows are worked on together until they hold this many mask pixels, so memory stays bounded.
_PIXELS_AT_ONCE = 1 << 22


def overlay_masks(image, masks, colors=None, alpha=0.5, contour=0):
    """Lays coloured masks over an image; where they overlap, the smaller object is on top.

    Args:
        image: (H, W, 3) uint8 RGB.
        masks: (R, H, W) bool or uint8 of 0 and anything else; (H, W) for a single one.
        colors: (R, 3) uint8 RGB; colours of :func:`instance_colors` if left out.
        alpha: Opacity of the masks, from 0 to 1.
        contour: Width in pixels of an opaque edge inside each mask; 0 for none.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: The sizes do not fit each other.
    """
    return blend(image, instances_layer(masks, colors, alpha, contour))


def overlay_probability(image, probability, color=POSITIVE, alpha=0.6, threshold=0.5, contour=0):
    """Lays a probability map over an image: the likelier, the more of ``color``.

    Args:
        image: (H, W, 3) uint8 RGB.
        probability: (H, W) float in [0, 1].
        color: RGB on 0..255.
        alpha: Opacity where the probability is 1.
        threshold: The contour runs where the probability rises above this.
        contour: Width of the contour in pixels; 0 for none.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ValueError: The sizes do not fit each other.
    """
    return blend(image, probability_layer(probability, color, alpha, threshold, contour))


def instances_layer(masks, colors=None, alpha=0.5, contour=0):
    """The colour layer (H, W, 4) uint8 of masks; see :func:`overlay_masks` for the arguments."""
    masks = np.asarray(masks)
    if masks.ndim == 2:
        masks = masks[None]
    if masks.ndim != 3:
        raise ValueError(f'masks must be (R, H, W), not of shape {masks.shape}')
    colors = instance_colors(len(masks)) if colors is None else np.asarray(colors, np.uint8)
    if colors.shape != (len(masks), 3):
        raise ValueError(f'colors must be ({len(masks)}, 3), not of shape {colors.shape}')
    owner = topmost(masks)
    opacity = np.full(len(masks) + 1, _byte(alpha), np.uint8)
    opacity[0] = 0
    table = np.concatenate([np.concatenate([np.zeros((1, 3), np.uint8), colors]),
                            opacity[:, None]], axis=1)
    # A colour and its opacity are looked up as one number of 32 bits.
    layer = np.take(table.view(np.uint32)[:, 0], owner).view(np.uint8).reshape(*owner.shape, 4)
    if contour:
        layer[_edges(owner, contour), 3] = 255
    return layer


def probability_layer(probability, color=POSITIVE, alpha=0.6, threshold=0.5, contour=0):
    """The colour layer (H, W, 4) uint8 of a probability; see :func:`overlay_probability`."""
    probability = np.asarray(probability, np.float32)
    if probability.ndim != 2:
        raise ValueError(f'probability must be (H, W), not of shape {probability.shape}')
    layer = np.empty(probability.shape + (4,), np.uint8)
    layer[:, :, :3] = np.asarray(color, np.uint8)
    layer[:, :, 3] = np.round(np.clip(probability, 0, 1) * np.float32(255 * alpha))
    if contour:
        layer[_edges((probability > threshold).astype(np.uint16), contour), 3] = 255
    return layer


def blend(image, layer):
    """Lays a layer over an image.

    Args:
        image: (H, W, 3) uint8 RGB.
        layer: (H, W, 4) uint8: RGB and opacity.

    Returns:
        (H, W, 3) uint8; the image itself is not changed.
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(f'image must be (H, W, 3) uint8, not {image.shape} {image.dtype}')
    if layer.shape[:2] != image.shape[:2]:
        raise ValueError(f'an image of {image.shape[0]}x{image.shape[1]} pixels does not fit '
                         f'masks of {layer.shape[0]}x{layer.shape[1]}')
    result = image.copy()
    rows = max(1, _PIXELS_AT_ONCE // max(1, 4 * image.shape[1]))
    for top in range(0, len(image), rows):
        strip = slice(top, top + rows)
        opacity = cv2.merge([layer[strip, :, 3].astype(np.uint16)] * 3)
        mixed = layer[strip, :, :3] * opacity
        np.subtract(255, opacity, out=opacity)
        mixed += image[strip] * opacity
        # 16 bits hold 255 * 255, so the blend is exact: this is mixed / 255, rounded.
        mixed += 128
        mixed += mixed >> 8
        result[strip] = mixed >> 8
    return result


def _edges(owner, width):
    """(H, W) bool: the pixels of a region that lie within ``width`` of another one or of none."""
    kernel = np.ones((2 * width + 1, 2 * width + 1), np.uint8)
    return (owner > 0) & (cv2.dilate(owner, kernel) != cv2.erode(owner, kernel))


def _byte(share):
    return int(round(255 * min(max(share, 0.0), 1.0)))
