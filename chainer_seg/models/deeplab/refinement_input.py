"""The checks of what refinements get: an image and probabilities."""

import numpy as np
from numpy.typing import ArrayLike

from chainer_seg.errors import ImageError, UserError
from chainer_seg.images import ImageLike, as_image

_ROUNDING = 0.01  # tolerance for probabilities that were stored in 8 or 16 bits, or resampled


def image_and_probability(image: ImageLike, probability: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """An image and the probability of its object.

    Args:
        image: Anything that :func:`chainer_seg.images.as_image` takes.
        probability: (H, W) in 0..1, or a mask (H, W) bool.

    Returns:
        (H, W, 3) uint8 RGB and (H, W) float32 in 0..1.

    Raises:
        chainer_seg.errors.ImageError: ``image`` is not an image, or has another size.
        chainer_seg.errors.UserError: ``probability`` is not a probability.
    """
    values = np.asarray(probability)
    if values.ndim != 2:
        raise UserError(f'The probability of an object must have the shape (H, W), got {values.shape}; '
                        f'pass the probability of one object.')
    values = _in_range(values, 'a sigmoid')
    return _of_size(image, values.shape, 'probability'), values


def image_and_probabilities(image: ImageLike, probabilities: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """An image and the probabilities of its classes.

    Args:
        image: Anything that :func:`chainer_seg.images.as_image` takes.
        probabilities: (C, H, W), in 0..1, which sum to 1 over at least two classes.

    Returns:
        (H, W, 3) uint8 RGB and (C, H, W) float32 in 0..1.

    Raises:
        chainer_seg.errors.ImageError: ``image`` is not an image, or has another size.
        chainer_seg.errors.UserError: ``probabilities`` are not probabilities.
    """
    values = np.asarray(probabilities)
    if values.ndim != 3:
        raise UserError(f'The probabilities of classes must have the shape (C, H, W), got '
                        f'{values.shape}; pass a plane for each class, including the background.')
    pixels = _of_size(image, values.shape[1:], 'probabilities')
    if len(values) < 2:
        raise UserError('The probabilities have one class, but at least two are needed; add the '
                        'background, as in np.stack([1 - p, p]).')
    values = _in_range(values, 'a softmax over the classes')
    sums = values.sum(axis=0)
    worst = sums.flat[np.argmax(np.abs(sums - 1))]
    if abs(worst - 1) > _ROUNDING:
        raise UserError(f'The probabilities of the classes sum to {worst:.4g} at a pixel, not to 1; '
                        f'divide them by their sum, or apply a softmax to logits.')
    return pixels, values


def image_and_objects(image: ImageLike, probabilities: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """An image and the probabilities of several objects, each alone.

    Args:
        image: Anything that :func:`chainer_seg.images.as_image` takes.
        probabilities: (K, H, W) in 0..1, at least one object.

    Returns:
        (H, W, 3) uint8 RGB and (K, H, W) float32 in 0..1.

    Raises:
        chainer_seg.errors.ImageError: ``image`` is not an image, or has another size.
        chainer_seg.errors.UserError: ``probabilities`` are not probabilities.
    """
    values = np.asarray(probabilities)
    if values.ndim != 3 or not len(values):
        raise UserError(f'The probabilities of objects must have the shape (K, H, W), got {values.shape}; '
                        f'pass a plane for each object.')
    values = _in_range(values, 'a sigmoid')
    return _of_size(image, values.shape[1:], 'probabilities'), values


def _of_size(image: ImageLike, size: tuple[int, ...], what: str) -> np.ndarray:
    pixels = as_image(image)
    if pixels.shape[:2] != size:
        raise ImageError(f'The image is {pixels.shape[0]}x{pixels.shape[1]} pixels and the {what} '
                         f'{size[0]}x{size[1]}; both must have the same size.')
    return pixels


def _in_range(values: np.ndarray, function: str) -> np.ndarray:
    """Probabilities as float32 in 0..1; ``function`` is what turns logits into them."""
    if values.dtype.kind not in 'fiub':
        raise UserError(f'Probabilities must be numbers, got {values.dtype}; pass float32 in 0..1.')
    if not values.size:
        raise UserError(f'The probabilities are empty: their shape is {values.shape}.')
    low, high = float(values.min()), float(values.max())
    # A NaN anywhere makes both of them NaN.
    if not (np.isfinite(low) and np.isfinite(high)):
        count = int((~np.isfinite(values)).sum())
        raise UserError(f'{count} of {values.size} probabilities are NaN or infinite; check what '
                        f'computed them.')
    if low < -_ROUNDING or high > 1 + _ROUNDING:
        raise UserError(f'Probabilities must be in 0..1, but range from {low:.4g} to {high:.4g}; apply '
                        f'{function} to logits.')
    return np.clip(values, 0, 1).astype(np.float32)
