"""The stored pixels of masks and label images: numbers, colours, palette, opacity."""

import dataclasses
import io
import os
import pathlib
import stat
from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from chainer_seg.errors import DatasetError, ImageError, shortened
from chainer_seg.images import open_image

# Void: pixels without a class, which training and evaluation ignore.
VOID = -1  # in arrays of labels
VOID_PIXEL = 255  # in label images of 8 bits
WIDE_VOID_PIXEL = 65535  # in label images of 16 bits

# How masks and label images encode objects and classes:
# - 'numbers': by the stored number, which in a file with a palette is the index;
# - 'colors': by colour, also that of a palette; VOC's colours stand for VOC's numbers;
# - 'levels': pixels brighter than half are one object or class;
# - 'alpha': pixels more opaque than not are one object or class;
# - 'auto': by number if possible, otherwise by what fits the file, which is reported.
LabelsAs = Literal['auto', 'numbers', 'colors', 'levels', 'alpha']

Source = str | os.PathLike | bytes | memoryview | Image.Image | npt.NDArray

_TABLE_SIZE = 1 << 24  # Numbers below are looked up in a table.
_PART = 1 << 20  # pixels that are looked up at a time
_JPEG_SPREAD = 24  # maximum difference between the channels of a grey pixel after JPEG


def _voc_colors() -> npt.NDArray[np.uint8]:
    """The bits of a number, distributed in turn to red, green and blue, beginning with their highest bits."""
    bits = np.arange(256)[:, None, None] >> np.arange(9).reshape(3, 3) & 1
    return (bits << np.array([[7], [6], [5]])).sum(axis=1).astype(np.uint8)


# The RGB colours (256, 3) uint8 of the palette of VOC's development kit; the last is void.
VOC_COLORS = _voc_colors()


@dataclasses.dataclass(frozen=True)
class StoredPixels:
    """The content of a mask or label image.

    Attributes:
        name: Its name in errors.
        numbers: (H, W) of integers, or float if the file has fractions; None if it has colours.
        colors: (H, W, 3) uint8 RGB, if there are no numbers.
        palette: (N, 3) uint8, the colours of the numbers; None without a palette.
        alpha: (H, W) uint8; None if it is equal everywhere.
        format: Pillow's name of the file format, such as 'PNG'; None for arrays.
        from_rgb: Whether the numbers are the grey levels of an RGB image.
    """

    name: str
    numbers: npt.NDArray | None = None
    colors: npt.NDArray | None = None
    palette: npt.NDArray | None = None
    alpha: npt.NDArray | None = None
    format: str | None = None
    from_rgb: bool = False

    @property
    def used(self) -> npt.NDArray:
        """(K,) int64 or float, the used numbers in ascending order."""
        return occurring(self.known_numbers())

    def used_colors(self) -> npt.NDArray | None:
        """(K, 3) uint8, the palette's colours of :attr:`used`; None if some have no colour."""
        used = self.used
        if self.palette is None or used[-1] >= len(self.palette):
            return None
        return self.palette[used]

    def as_colors(self) -> npt.NDArray:
        """(H, W, 3) uint8, the colour of each pixel.

        Raises:
            chainer_seg.errors.DatasetError: There are numbers without a colour.
        """
        if self.colors is not None:
            return self.colors
        if self.palette is not None:
            if self.used_colors() is None:
                raise DatasetError(f'{self.name} has the number {self.used[-1]}, but its palette has '
                                   f'{len(self.palette)} colours; save it again.')
            return self.palette[self.known_numbers()]
        used, numbers = self.used, self.known_numbers()
        if numbers.dtype.kind == 'f' or used[0] < 0 or used[-1] > 255:
            raise DatasetError(f'{self.name} has numbers from {used[0]} to {used[-1]}, which are not '
                               f'colours; read it by numbers.')
        return np.repeat(numbers[:, :, None].astype(np.uint8), 3, axis=2)

    def levels(self) -> npt.NDArray:
        """(H, W), the brightness of each pixel: its number, or the largest channel of its colour."""
        if self.numbers is not None and self.palette is None:
            return self.numbers
        return self.as_colors().max(axis=2)

    def known_numbers(self) -> npt.NDArray:
        """The numbers (H, W) of a file that has some.

        Raises:
            ValueError: It has colours instead.
        """
        if self.numbers is None:
            raise ValueError(f'{self.name} has colours and no numbers')
        return self.numbers


def stored_pixels(source: Source, name: object = None) -> StoredPixels:
    """The pixels of a mask or label image.

    Args:
        source: A path, the bytes of a file, a Pillow image, or an array (H, W), (H, W, 3) or (H, W, 4).
        name: Its name in errors; the path by default.

    Raises:
        chainer_seg.errors.ImageError: It is missing, damaged or not an image.
        chainer_seg.errors.DatasetError: It has NaN or infinite values.
    """
    if isinstance(source, np.ndarray):
        return _of_array(source, str(name or 'The array'))
    if isinstance(source, Image.Image):
        return _of_image(source, str(name or 'The image'))
    if isinstance(source, (bytes, memoryview)):
        with open_image(io.BytesIO(source), name or 'that was given') as image:
            return _of_image(image, str(name or 'The image'))
    path = pathlib.Path(source)
    name = name or f'The file {path}'
    _check_file(path)
    with open_image(path, path) as image:
        return _of_image(image, str(name))


def numbers_of_colors(colors: npt.NDArray) -> npt.NDArray:
    """The number (...) int64 of each colour (..., 3) in VOC's palette; -1 for other colours."""
    codes = color_codes(VOC_COLORS)
    order = np.argsort(codes)
    places = places_of(codes[order], color_codes(colors))
    return np.append(order, -1)[places]  # The last one is for the place -1.


def color_codes(colors: npt.NDArray) -> npt.NDArray[np.int32]:
    """Each RGB colour (..., 3) as one number (...)."""
    colors = np.asarray(colors)
    red, green, blue = (colors[..., channel].astype(np.int32) for channel in range(3))
    return red << 16 | green << 8 | blue


def occurring(numbers: npt.NDArray) -> npt.NDArray:
    """(K,) int64 or float, the numbers in an array in ascending order.

    Small numbers are found without sorting the pixels, which takes a tenth of time and memory.
    """
    if numbers.dtype.kind == 'f' or numbers.min() < 0 or numbers.max() >= _TABLE_SIZE:
        return np.unique(numbers).astype(np.float64 if numbers.dtype.kind == 'f' else np.int64)
    seen = np.zeros(int(numbers.max()) + 1, bool)
    for part in _parts(numbers.ravel()):
        seen[part] = True
    return np.flatnonzero(seen)


def places_of(found: npt.NDArray, numbers: npt.NDArray) -> npt.NDArray[np.int32]:
    """The index of each number (...) in ``found`` (K,), which is ascending; -1 for other numbers."""
    flat = numbers.ravel()
    places = np.empty(flat.shape, np.int32)
    small = found[0] >= 0 and found[-1] < _TABLE_SIZE
    if small:
        table = np.full(int(found[-1]) + 2, -1, np.int32)
        table[found] = np.arange(len(found))
    for part, result in zip(_parts(flat), _parts(places)):
        if small:
            result[:] = table[np.where((part < 0) | (part > found[-1]), found[-1] + 1, part)]
        else:
            at = np.searchsorted(found, part).clip(max=len(found) - 1)
            result[:] = np.where(found[at] == part, at, -1)
    return places.reshape(numbers.shape)


def _parts(array: npt.NDArray) -> Iterator[npt.NDArray]:
    return (array[start:start + _PART] for start in range(0, len(array), _PART))


def is_grey(colors: npt.NDArray) -> bool:
    """Whether all colours (..., 3) are grey."""
    return all(bool((colors[..., 0] == colors[..., channel]).all()) for channel in (1, 2))


def _check_file(path: pathlib.Path) -> None:
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise ImageError(f'There is no image {shortened(str(path))}; check the path.') from error
    if stat.S_ISDIR(status.st_mode):
        raise ImageError(f'{path} is a folder; give an image file.')
    if not status.st_size:
        raise ImageError(f'The image {path} is an empty file; download or save it again.')


def _of_array(array: npt.NDArray, name: str) -> StoredPixels:
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim == 2 and array.dtype.kind in 'buif' and array.size:
        return StoredPixels(name, numbers=_whole(array, name))
    if array.ndim == 3 and array.shape[2] in (3, 4) and array.dtype == np.uint8 and array.size:
        return _of_image(Image.fromarray(array), name)
    raise DatasetError(f'{name} of shape {array.shape} and type {array.dtype} is not a mask; give '
                       f'numbers (H, W), or colours (H, W, 3) of uint8.')


def _of_image(image: Image.Image, name: str) -> StoredPixels:
    image.load()
    if 0 in image.size:
        raise ImageError(f'{name} has no pixels; save it again.')
    stored = StoredPixels(name, format=image.format, alpha=_alpha(image))
    array = np.asarray(image)
    if image.mode in ('P', 'PA'):
        palette = image.getpalette('RGB')
        return dataclasses.replace(stored, numbers=np.atleast_3d(array)[:, :, 0], palette=(
            None if palette is None else np.reshape(palette, (-1, 3)).astype(np.uint8)))
    if image.mode in ('1', 'L', 'LA', 'F') or image.mode.startswith('I'):
        return dataclasses.replace(stored, numbers=_whole(np.atleast_3d(array)[:, :, 0], name))
    colors = np.array(image.convert('RGB'))
    if not is_grey(colors) and not (
            image.format == 'JPEG' and np.ptp(colors, axis=2).max() <= _JPEG_SPREAD):
        return dataclasses.replace(stored, colors=colors)
    return dataclasses.replace(stored, numbers=colors[:, :, 1], from_rgb=True)


def _alpha(image: Image.Image) -> npt.NDArray | None:
    if image.mode in ('LA', 'PA', 'RGBA', 'La', 'RGBa'):
        alpha = np.array(image.getchannel(len(image.getbands()) - 1))
    elif 'transparency' in image.info and image.mode in ('1', 'L', 'P', 'RGB'):
        alpha = np.array(image.convert('RGBA').getchannel('A'))
    else:
        return None
    return alpha if np.ptp(alpha) else None


def _whole(array: npt.NDArray, name: str) -> npt.NDArray:
    """Numbers (H, W) as integers if they are whole, otherwise as float64."""
    if array.dtype.kind == 'b':
        return array.astype(np.uint8)
    if array.dtype.kind != 'f':
        return array.astype(array.dtype.newbyteorder('='), copy=False)
    if not np.isfinite(array).all():
        raise DatasetError(f'{name} contains NaN or infinite values; replace them by numbers.')
    if np.abs(array).max() < 2 ** 31 and (array == np.round(array)).all():
        return array.astype(np.int64)
    return array.astype(np.float64)
