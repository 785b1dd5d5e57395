"""Converts arrays of any common dtype to 8-bit images, by rules for the meaning of their values."""

import functools
import logging
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.typing import ArrayLike
from PIL import Image

from chainer_seg.errors import ImageError

log = logging.getLogger(__name__)

# The fraction of its range by which resampling and sharpening may overshoot an image.
_OVERSHOOT = 0.1
_ROUNDING = 0.001  # of the range; smaller overshoot is invisible and not reported
_LARGEST_16_BIT = 65535


def to_bytes(array: npt.NDArray) -> npt.NDArray[np.uint8]:
    """The values of an image as uint8 from 0 to 255.

    The rules, by dtype:

    - uint8: the values themselves; bool: 0 and 255;
    - other integers: up to 255, with a tenth of overshoot, they are 8-bit values in a wider type; up to
      65535 they are 16-bit values, which are divided by 257;
    - floats: up to 1, with a tenth of overshoot, they are fractions of white; up to 255, with a tenth of
      overshoot, they are 8-bit values.

    Overshoot is clipped. If the dtype is ambiguous (8-bit values in uint16, 16-bit values in another
    type, overshoot), the choice is logged once.

    Args:
        array: Of any shape with at least one value.

    Raises:
        chainer_seg.errors.ImageError: The values are not numbers, not finite, or in none of these ranges.
    """
    if array.dtype == np.uint8:
        return array
    if array.dtype == bool:
        return array.astype(np.uint8) * 255
    if array.dtype.kind not in 'fiu':
        raise ImageError(f'An image cannot have values of type {array.dtype}; give uint8 from 0 to 255.')
    low, high = array.min(), array.max()
    # A NaN anywhere makes both of them NaN.
    if not (np.isfinite(low) and np.isfinite(high)):
        raise ImageError('The image contains NaN or infinite values; replace them first.')
    return _of_floats(array, low, high) if array.dtype.kind == 'f' else _of_integers(array, low, high)


def bytes_of_chainercv(img: ArrayLike) -> npt.NDArray[np.uint8]:
    """An image in ChainerCV's layout as (H, W, 3) uint8; never ambiguous, however small or dark it is.

    Args:
        img: (3, H, W) RGB in [0, 255], mostly float32.

    Raises:
        chainer_seg.errors.ImageError: It has another shape, or a value is not finite.
    """
    img = np.asarray(img)
    if img.ndim != 3 or img.shape[0] != 3:
        raise ImageError(f'An image in the layout of ChainerCV must be (3, H, W), got {img.shape}.')
    if not np.isfinite(img).all():
        raise ImageError('The image contains NaN or infinite values; replace them first.')
    return np.clip(np.round(img), 0, 255).astype(np.uint8).transpose(1, 2, 0)


def rgb_of_pil(pil_image: Image.Image) -> npt.NDArray[np.uint8]:
    """A Pillow image as (H, W, 3) uint8 RGB.

    Raises:
        chainer_seg.errors.ImageError: It has no pixels.
    """
    if 0 in pil_image.size:
        raise ImageError(f'The image has no pixels: its size is {pil_image.height}x{pil_image.width}.')
    if pil_image.mode.startswith('I') or pil_image.mode == 'F':
        return rgb_of_bytes(to_bytes(_wide_grey(pil_image)[:, :, None]))
    pil_image.load()  # Strips cannot be cropped from an open file before.
    if pil_image.mode == 'P':
        return _palette_of(pil_image)[np.asarray(pil_image)]
    width, height = pil_image.size
    image = np.empty((height, width, 3), np.uint8)
    # Pillow needs up to four bytes per pixel, and blending eight more.
    rows = max(1, _PIXELS_AT_ONCE // width)
    for top in range(0, height, rows):
        strip = pil_image.crop((0, top, width, min(top + rows, height)))
        if pil_image.mode in ('LA', 'PA', 'RGBA', 'RGBa', 'La') or 'transparency' in pil_image.info:
            image[top:top + rows] = rgb_of_bytes(np.asarray(strip.convert('RGBA')))
        else:
            image[top:top + rows] = np.asarray(strip.convert('RGB'))
    return image


_PIXELS_AT_ONCE = 2_000_000


def _palette_of(pil_image: Image.Image) -> npt.NDArray[np.uint8]:
    """The colour (256, 3) uint8 of each number in an image with a palette."""
    numbers = pil_image.crop((0, 0, 256, 1))  # with its palette and its transparency
    numbers.putdata(range(256))
    return rgb_of_bytes(np.asarray(numbers.convert('RGBA')))[0]


def _wide_grey(pil_image: Image.Image) -> npt.NDArray[np.uint16]:
    """(H, W) uint16 of a 16-bit, 32-bit or float grey image."""
    array: npt.NDArray = np.asarray(pil_image)
    if array.dtype.kind in 'iu' and array.min() >= 0 and array.max() <= 65535:
        return array.astype(np.uint16)
    low, high = float(np.nanmin(array)), float(np.nanmax(array))
    # The scale of such an image is unknown, so its range is stretched to that of uint16.
    scaled = (array - low) / max(high - low, float(np.finfo(np.float32).tiny))
    return np.nan_to_num(scaled * 65535).astype(np.uint16)


def rgb_of_bytes(array: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """(H, W, 1), (H, W, 3) or (H, W, 4) uint8 as RGB; transparency is laid over white."""
    channels = array.shape[2]
    if channels == 3:
        return np.ascontiguousarray(array)
    if channels == 1:
        return np.repeat(array, 3, axis=2)
    if (array[:, :, 3] == 255).all():
        return np.ascontiguousarray(array[:, :, :3])
    alpha = array[:, :, 3:].astype(np.uint16)
    blended = array[:, :, :3] * alpha + 255 * (255 - alpha)
    return ((blended + 127) // 255).astype(np.uint8)


def _of_integers(array: npt.NDArray, low: Any, high: Any) -> npt.NDArray[np.uint8]:
    low, high = int(low), int(high)
    if _lies_within(255, low, high):
        if high > 1:
            _say_once(f'An image of {array.dtype} with values up to 255 is read as an 8-bit image; '
                      f'give 16-bit values from 0 to 65535, or uint8.')
        return _clipped(array, 255, low, high)
    if low >= 0 and high <= _LARGEST_16_BIT:
        if array.dtype.str[1:] != 'u2':  # in any byte order
            _say_once(f'An image of {array.dtype} with values above 255 is read as a 16-bit image; '
                      f'give uint8 from 0 to 255 if it is not one.')
        return np.round(array / np.float32(257)).astype(np.uint8)
    raise ImageError(f'The image has values of type {array.dtype} from {low} to {high}; give integers '
                     f'from 0 to 255, or from 0 to 65535.')


def _of_floats(array: npt.NDArray, low: Any, high: Any) -> npt.NDArray[np.uint8]:
    if _lies_within(1, low, high):
        return _clipped(array * 255.0 if array.dtype.itemsize > 2 else array.astype(np.float32) * 255,
                        255, low * 255.0, high * 255.0)
    if _lies_within(255, low, high) and (high >= 2 or _are_whole(array)):
        return _clipped(array, 255, low, high)
    raise ImageError(f'The image has values of type {array.dtype} from {low:.4g} to {high:.4g}; give '
                     f'values from 0 to 1 or from 0 to 255, without a subtracted mean.')


def _lies_within(top: float, low: float, high: float) -> bool:
    # Undershoot is relative to the maximum: from -2 to 2.6 are values with a subtracted mean.
    return -max(_OVERSHOOT * high, _ROUNDING * top) <= low and high <= (1 + _OVERSHOOT) * top


def _are_whole(array: npt.NDArray) -> bool:
    return bool((array == np.round(array)).all())


def _clipped(array: npt.NDArray, top: float, low: float, high: float) -> npt.NDArray[np.uint8]:
    if low < -_ROUNDING * top or high > (1 + _ROUNDING) * top:
        _say_once('The values of an image overshoot its range and are clipped to 0 and 255.')
    return np.clip(np.round(array), 0, top).astype(np.uint8)


@functools.cache
def _say_once(sentence: str) -> None:
    log.warning('%s', sentence)
