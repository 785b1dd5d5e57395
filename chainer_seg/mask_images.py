"""Masks: images that mark the pixels of objects, read by the same rules everywhere.

A mask is read by the first of these rules that applies:

1. If its transparency differs between pixels, the object is the part that is more opaque than not (a
   cut-out), unless that part has several numbers, or several of VOC's colours.
2. A single number or colour besides black is the object. If nothing is black and there are a dark grey and
   a bright one, the bright one is the object.
3. 128 beside one other number is unknown, as in GrabCut.
4. Greys that are nearly all black or white, with the others only in thin lines between them, are a black
   and white mask that JPEG or resizing has blurred: pixels brighter than half are the object.
5. Each other number is a separate object; 255 beside others is unknown, as in VOC, and so are -1 and, in 16
   bits, 65535. Numbers are grey levels of up to 32 bits, indices of a palette, or colours.
6. Anything else, such as a photograph, is an error.

A mask with a palette is read by its indices, but by its colours if these are only black, white and grey 128,
if black has another index than 0, if VOC's colour of void has another index than 255, and in a GIF.
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
        name: The name in errors; made from the path by default.
        labels_as: Read it by numbers, colours, brightness or opacity instead of by the rules above.
        empty: Whether a mask without objects is allowed.

    Raises:
        chainer_seg.errors.ImageError: It is missing, damaged or not an image.
        chainer_seg.errors.DatasetError: It marks no object, or is not a mask.
    """
    pixels = stored_pixels(source, name or _name(source))
    found = READERS[labels_as](pixels)
    if not len(found.numbers) and not empty:
        raise DatasetError(f'{pixels.name} marks no object; draw one in white, or remove the file.')
    return found


def read_mask(source: Source, name: object = None, labels_as: LabelsAs = 'auto', *,
              number: int | None = None, report: Callable[[object, str], None] | None = None
              ) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """The object of a mask.

    Args:
        source, name, labels_as: As in :func:`read_objects`.
        number: The number of the object in the file, if there are several.
        report: Called with the name and a description of what was guessed.

    Returns:
        Two (H, W) bool: the object, and the pixels that may or may not belong to it.

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


def _name(source: Source) -> str:
    return f'The mask {source}' if isinstance(source, (str, os.PathLike)) else 'The mask'
