"""Label images, whose pixels are the numbers of classes or objects, the format of PASCAL VOC.

The label of a pixel is the stored number; in a file with a palette, the index. Colours are used only if
there are no numbers, if the numbers cannot be labels, or on request:
:data:`chainer_seg.stored_pixels.LabelsAs`.
"""

import io
import logging
import os
import pathlib
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from chainer_seg.errors import DatasetError, ImageError
from chainer_seg.files import atomic_write
from chainer_seg.stored_pixels import (
    VOC_COLORS, VOID, VOID_PIXEL, WIDE_VOID_PIXEL, LabelsAs, StoredPixels, is_grey, numbers_of_colors,
    stored_pixels)

__all__ = ['VOC_COLORS', 'VOID', 'VOID_PIXEL', 'Guesses', 'LabelsAs', 'choose_labels_as',
           'read_label_image', 'write_label_image']

log = logging.getLogger(__name__)

_SAMPLE_SIZE = 20  # label images that decide how all those of a data set are read
_REORDERED = ("has a palette of VOC's colours in another order; its numbers are used as labels, or its "
              'colours with --labels-as colors')
_BY_COLORS = ("has numbers that cannot be labels; the colours of its palette, which are VOC's, are used "
              'instead')
_GREYS = "has numbers that cannot be labels; its greys, which are VOC's colours, are used instead"


class Guesses:
    """Reports what readers of a data set guess about its files, each kind of guess once."""

    def __init__(self) -> None:
        self._made: set[str] = set()

    def __call__(self, path: object, guess: str) -> None:
        """Logs ``path`` and ``guess``, unless this guess has been logged for another file."""
        if guess not in self._made:
            self._made.add(guess)
            log.warning('%s %s (reported once for all files of a data set)', path, guess)


def read_label_image(path: str | os.PathLike, labels_as: LabelsAs = 'auto', largest: int = VOID_PIXEL - 1,
                     report: Callable[[object, str], None] | None = None) -> npt.NDArray[np.uint8]:
    """The numbers in a label image.

    Args:
        path: A file in a lossless format: grey of up to 32 bits, with a palette, or in colours of
            :data:`VOC_COLORS`.
        labels_as: How the file encodes labels. 'auto' uses the numbers, unless they cannot be labels:
            one is larger than ``largest``, or VOC's colour of void has another number than 255. Then
            VOC's colours are used, if there are no others. A GIF, whose palette is renumbered when it is
            saved, is read by VOC's colours or its grey levels.
        largest: The largest label.
        report: Called with the path and a description of what was guessed.

    Returns:
        (H, W) uint8; 255 is void, also for -1 and, in 16 bits, 65535.

    Raises:
        chainer_seg.errors.ImageError: The file is missing or not an image.
        chainer_seg.errors.DatasetError: It is not a label image.
    """
    pixels = stored_pixels(path, f'The label image {path}')
    if labels_as in ('levels', 'alpha'):
        return _two_classes(pixels, labels_as)
    if pixels.format == 'JPEG':
        raise DatasetError(f'{pixels.name} is a JPEG, which does not preserve numbers; save labels as PNG, '
                           f'or read black and white with --labels-as levels.')
    if labels_as == 'auto':
        labels_as, guess = _fitting(pixels, largest)
        if guess and report is not None:
            report(path, guess)
    if labels_as == 'colors' or pixels.numbers is None:
        return _by_colors(pixels)
    return _by_numbers(pixels)


def choose_labels_as(paths: Sequence[os.PathLike], largest: int,
                     report: Callable[[object, str], None]) -> LabelsAs:
    """Decides from a sample how all label images of a data set are read; see :func:`read_label_image`.

    Returns:
        'colors' if one of the sample has numbers that cannot be labels, otherwise 'numbers'; 'auto' if
        all are without a palette or unreadable.
    """
    chosen: LabelsAs = 'auto'
    for number in sorted(set(np.linspace(0, len(paths) - 1, _SAMPLE_SIZE).astype(int))):
        try:
            pixels = stored_pixels(paths[number])
        except (ImageError, DatasetError):
            continue  # Reported when it is read.
        if pixels.palette is None:
            continue
        found, guess = _fitting(pixels, largest)
        if guess:
            report(paths[number], guess)
        if found == 'colors':
            return found
        chosen = 'numbers' if pixels.format != 'GIF' else 'auto'
    return chosen


def write_label_image(path: str | os.PathLike, labels: npt.ArrayLike) -> None:
    """Writes labels as a PNG with VOC's palette, the format of VOC's server, atomically.

    Args:
        path: The file, with the suffix ``.png``.
        labels: (H, W) int, from 0 to 254, and -1 or 255 for void.

    Raises:
        chainer_seg.errors.ImageError: The file has another suffix.
        chainer_seg.errors.DatasetError: A label is out of range.
        chainer_seg.errors.DiskFullError: There is no space or no permission.
    """
    if pathlib.Path(path).suffix.lower() != '.png':
        raise ImageError(f'{path} does not end in .png, the only format for label images.')
    labels = np.asarray(labels)
    if labels.size and not -1 <= labels.min() <= labels.max() <= VOID_PIXEL:
        raise DatasetError(f'Labels must be from 0 to {VOID_PIXEL - 1}, or -1 for void, but are from '
                           f'{labels.min()} to {labels.max()}.')
    pil_image = Image.fromarray(labels.astype(np.uint8))  # -1 becomes 255, which is void
    pil_image.putpalette(VOC_COLORS.tobytes())
    encoded = io.BytesIO()
    pil_image.save(encoded, 'PNG', optimize=True)
    with atomic_write(path) as temporary:
        temporary.write_bytes(encoded.getvalue())


def palette_void_moved(pixels: StoredPixels) -> bool:
    """Whether all used colours are VOC's, and the colour of void has another number than 255."""
    meant = _meant_by_palette(pixels)
    if meant is None or VOID_PIXEL not in meant:
        return False
    return int(pixels.used[meant == VOID_PIXEL][0]) != VOID_PIXEL


def _fitting(pixels: StoredPixels, largest: int) -> tuple[Literal['numbers', 'colors'], str | None]:
    """'numbers' or 'colors', whichever can be labels, and a description of the guess, if it is one."""
    if pixels.numbers is None:
        return 'colors', None
    used, meant = pixels.used, _meant_by_palette(pixels)
    if meant is None or (meant == used).all():
        return 'numbers', None
    colors_fit = _fit(meant, largest)
    if pixels.palette is None:
        return ('colors', _GREYS) if colors_fit and not _fit(used, largest) else ('numbers', None)
    if colors_fit and (pixels.format == 'GIF' or not _fit(used, largest) or palette_void_moved(pixels)):
        return 'colors', _BY_COLORS
    return 'numbers', _REORDERED


def _fit(numbers: npt.NDArray, largest: int) -> bool:
    return bool(((numbers <= largest) | (numbers == VOID_PIXEL) | (numbers == WIDE_VOID_PIXEL)).all())


def _meant_by_palette(pixels: StoredPixels) -> npt.NDArray | None:
    """(K,) VOC's numbers of the used colours; None if some are not VOC's, or occur twice."""
    colors = pixels.used_colors()
    if pixels.from_rgb:
        colors = pixels.used[:, None].repeat(3, 1)
    if colors is None:
        return None
    meant = numbers_of_colors(colors)
    return meant if (meant >= 0).all() and len(np.unique(meant)) == len(meant) else None


def _by_numbers(pixels: StoredPixels) -> npt.NDArray[np.uint8]:
    numbers = pixels.known_numbers()
    if pixels.format == 'GIF' and (colors := pixels.used_colors()) is not None and is_grey(colors):
        numbers = pixels.levels()
    if numbers.dtype.kind == 'f':
        raise DatasetError(f'{pixels.name} has numbers with fractions; save labels as whole numbers '
                           f'from 0 to {VOID_PIXEL}.')
    void = (numbers == -1) | (numbers == WIDE_VOID_PIXEL)
    if void.any():
        numbers = np.where(void, VOID_PIXEL, numbers)
    if numbers.min() < 0 or numbers.max() > VOID_PIXEL:
        raise DatasetError(f'{pixels.name} has numbers from {numbers.min()} to {numbers.max()}; save '
                           f'labels as numbers from 0 to {VOID_PIXEL}.')
    return numbers.astype(np.uint8)


def _by_colors(pixels: StoredPixels) -> npt.NDArray[np.uint8]:
    colors = pixels.as_colors()
    numbers = numbers_of_colors(colors)
    unknown = numbers < 0
    if unknown.any():
        color = tuple(colors[unknown][0].tolist())
        raise DatasetError(f'{pixels.name} has the colour {color}, which is not in the palette of VOC; '
                           f'save the numbers of the classes as a PNG, grey or with a palette.')
    return numbers.astype(np.uint8)


def _two_classes(pixels: StoredPixels, labels_as: LabelsAs) -> npt.NDArray[np.uint8]:
    if labels_as == 'levels':
        levels = pixels.levels()
        return (levels > max(levels.max(), 1) / 2).astype(np.uint8)
    if pixels.alpha is None:
        raise DatasetError(f'{pixels.name} is equally opaque everywhere; read it by numbers.')
    return (pixels.alpha > pixels.alpha.max() / 2).astype(np.uint8)
