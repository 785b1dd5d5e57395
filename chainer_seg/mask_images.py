"""Masks: images that say which pixels belong to an object, read by one set of rules everywhere.

A mask is read by the first of these rules that applies:

1. Where its transparency differs between pixels, the object is what is more opaque than not - a
   cut-out - unless what is opaque has several numbers, or several of VOC's colours.
2. A single number or colour besides black is the object, whichever it is. Where nothing is black and
   there is a dark grey and a bright one, the bright one is the object.
3. 128 beside one other number is unknown, as in GrabCut.
4. Greys that are nearly all black or white, the others lying only in thin lines between them, are a
   black and white mask that JPEG or resizing has blurred: what is brighter than half is the object.
5. Each other number is an object of its own; 255 beside others is unknown, as in VOC, and so are -1 and,
   in 16 bits, 65535. Numbers are grey levels of up to 32 bits, indices of a palette, or colours.
6. Anything else, such as a photograph, is refused.

A palette counts by its indices, but by its colours where these are black, white and grey 128 only, where
black has another index than 0, where VOC's colour of void has another index than 255, and in a GIF.
"""

import os
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from chainer_seg.errors import DatasetError, quoted, shortened
from chainer_seg.mask_rules import READERS, ObjectMasks
from chainer_seg.stored_pixels import LabelsAs, Source, stored_pixels

__all__ = ['ObjectMasks', 'read_mask', 'read_objects']


def read_objects(source: Source, name: object = None, labels_as: LabelsAs = 'auto', *,
                 empty: bool = False) -> ObjectMasks:
    """All objects of a mask, by the rules above.

    Args:
        source: A path, the bytes of a file, a Pillow image, or an array: (H, W) of bool or numbers,
            (H, W, 3) or (H, W, 4) of uint8.
        name: What errors call it; made of the path if omitted.
        labels_as: Read it by numbers, colours, brightness or opacity, and not by what fits.
        empty: Whether there may be no object.

    Raises:
        chainer_seg.errors.ImageError: It is missing, damaged or not an image.
        chainer_seg.errors.DatasetError: It marks no object, or is not a mask.
    """
    pixels = stored_pixels(source, name or _name(source))
    found = READERS[labels_as](pixels)
    if not len(found.numbers) and not empty:
        raise DatasetError(f'{pixels.name} marks no object; draw one in white, or take the file away.')
    return found


def read_mask(source: Source, name: object = None, labels_as: LabelsAs = 'auto', *,
              number: int | None = None, report: Callable[[object, str], None] | None = None
              ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """The object of a mask.

    Args:
        source, name, labels_as: As those of :func:`read_objects`.
        number: Of the object in the file, where there are several.
        report: Called with the name and what was guessed.

    Returns:
        Two (H, W) bool: the object, and where it is unknown whether a pixel belongs to it.

    Raises:
        chainer_seg.errors.ImageError: It is missing, damaged or not an image.
        chainer_seg.errors.DatasetError: It has no object, not this one, or several without ``number``.
    """
    name = name or _name(source)
    found = read_objects(source, name, labels_as)
    listed = shortened(', '.join(map(str, found.numbers)))
    if number is None and len(found.numbers) > 1:
        raise DatasetError(f'{name} has {len(found.numbers)} objects, numbered {listed}; choose one of '
                           f'them by its number (--object N), or give a mask of one object.')
    if number is not None and number not in found.numbers:
        raise DatasetError(f'{name} has no object {quoted(number)}; it has {listed}.')
    if found.guess and report is not None:
        report(name, found.guess)
    return found.masks[0 if number is None else found.numbers.index(number)], found.unknown


def _name(source):
    return f'The mask {source}' if isinstance(source, (str, os.PathLike)) else 'The mask'
