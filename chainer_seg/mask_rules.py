"""The rules for reading masks, which :mod:`chainer_seg.mask_images` describes."""

import dataclasses

import numpy as np
import numpy.typing as npt

from chainer_seg.errors import DatasetError
from chainer_seg.label_images import palette_void_moved
from chainer_seg.mask_areas import (
    NEAR, are_objects, blurred_color, is_black_and_white, is_blurred, thin_numbers)
from chainer_seg.stored_pixels import (
    VOC_COLORS, VOID_PIXEL, WIDE_VOID_PIXEL, StoredPixels, color_codes, is_grey, numbers_of_colors, occurring,
    places_of)

_UNKNOWN = 128  # GrabCut's grey of boundary pixels, which may belong to either side
_MAX_BYTES = 2 ** 31  # of the masks of all objects in a file
_REMEDY = 'save black and white, or the number of the object at each pixel, as PNG'
_CUT = 'has greys between black and white; pixels brighter than half are the object'


@dataclasses.dataclass(frozen=True)
class ObjectMasks:
    """The objects of a mask file.

    Attributes:
        masks: (R, H, W) bool.
        unknown: (H, W) bool, pixels that may or may not belong to an object.
        numbers: (R,) ints, the number of each object in the file.
        guess: What was guessed, as the end of a sentence about the file; None if nothing was.
    """

    masks: npt.NDArray[np.bool_]
    unknown: npt.NDArray[np.bool_]
    numbers: tuple[int, ...]
    guess: str | None = None


def _by_fit(pixels: StoredPixels) -> ObjectMasks:
    if pixels.alpha is not None:
        return _of_transparency(pixels, pixels.alpha)
    if pixels.colors is not None:
        return _of_colors(pixels, pixels.colors)
    if pixels.palette is not None:
        return _of_palette(pixels)
    return _of_numbers(pixels, pixels.known_numbers())


def _by_numbers(pixels: StoredPixels) -> ObjectMasks:
    if pixels.numbers is None:
        raise DatasetError(f'{pixels.name} has colours instead of numbers; read it by colours.')
    if pixels.format == 'JPEG':
        raise _refused(pixels, 'is a JPEG, which does not preserve numbers')
    return _each(pixels, pixels.numbers, _whole_numbers(pixels, pixels.numbers), sure=True)


def _by_colors(pixels: StoredPixels) -> ObjectMasks:
    return _of_colors(pixels, pixels.as_colors())


def _by_levels(pixels: StoredPixels) -> ObjectMasks:
    return _cut(pixels.levels(), None)


def _by_alpha(pixels: StoredPixels) -> ObjectMasks:
    if pixels.alpha is None:
        raise DatasetError(f'{pixels.name} is equally opaque everywhere; read it by numbers.')
    return _one(pixels.alpha > pixels.alpha.max() / 2)


def _of_transparency(pixels: StoredPixels, alpha: npt.NDArray) -> ObjectMasks:
    opaque = alpha > alpha.max() / 2
    rest = dataclasses.replace(pixels, alpha=None)
    if pixels.palette is not None:
        numbers = np.where(opaque, pixels.known_numbers(), 0)
        rest = dataclasses.replace(rest, numbers=numbers)
        several = len(rest.used[rest.used != 0]) > 1 and are_objects(numbers, rest.used)
    elif pixels.colors is not None:
        colors = np.where(opaque[:, :, None], pixels.colors, 0)
        rest = dataclasses.replace(rest, colors=colors)
        found = occurring(color_codes(colors))
        several = bool((found != 0).sum() > 1 and np.isin(found, color_codes(VOC_COLORS)).all())
    else:
        several = False
    if several:
        return _by_fit(rest)
    return _one(opaque, guess='is partly transparent; the opaque part is the object')


def _of_palette(pixels: StoredPixels) -> ObjectMasks:
    colors, numbers = pixels.used_colors(), pixels.known_numbers()
    if colors is None:
        return _of_numbers(pixels, numbers, grey=False)
    black = pixels.used[~colors.any(axis=1)]
    moved = len(black) > 0 and 0 not in black
    if is_grey(colors):
        by_level = bool(moved or pixels.format == 'GIF' or np.isin(colors, (0, _UNKNOWN, 255)).all()
                        or is_blurred(pixels.levels()))
        return _of_numbers(pixels, pixels.levels() if by_level else numbers, grey=by_level)
    known = (numbers_of_colors(colors) >= 0).all()
    if moved or palette_void_moved(pixels) or (known and pixels.format == 'GIF'):
        return dataclasses.replace(_of_colors(pixels, pixels.as_colors()), guess=(
            'has a palette in another order; its colours are the objects, and black the background'))
    blurred = None if known else _of_blurred_color(places_of(pixels.used, numbers), colors)
    return blurred or _of_numbers(pixels, numbers, grey=False)


def _of_numbers(pixels: StoredPixels, numbers: npt.NDArray, grey: bool = True) -> ObjectMasks:
    """The objects by numbers (H, W), which may be grey levels."""
    if pixels.format == 'JPEG':
        return _of_jpeg(pixels, numbers)
    if numbers.dtype.kind == 'f':
        if numbers.min() < 0 or numbers.max() > 1:
            raise _refused(pixels, f'has fractions from {numbers.min():g} to {numbers.max():g}')
        return _one(numbers > 0.5, guess=_CUT)
    used = _whole_numbers(pixels, numbers)
    marked = used[used > 0]
    unknown = _UNKNOWN if grey else VOID_PIXEL
    if len(marked) == 1:
        if marked[0] == unknown:
            return _none(numbers != 0)
        return _one(numbers == marked[0], int(marked[0]), numbers == -1)
    if not grey:
        return _each(pixels, numbers, used)
    if len(used) == len(marked) == 2 and marked[0] < _UNKNOWN < marked[1] < VOID_PIXEL:
        return _one(numbers == marked[1], int(marked[1]))
    if len(marked) == 2 and _UNKNOWN in marked:
        [number] = marked[marked != _UNKNOWN].tolist()
        return _one(numbers == number, number, numbers == _UNKNOWN)
    if is_blurred(numbers):
        return _cut(numbers, _CUT)
    if len(marked) and marked[-1] == VOID_PIXEL:
        _refuse_noise(pixels, numbers, marked)
    return _each(pixels, numbers, used)


def _refuse_noise(pixels: StoredPixels, numbers: npt.NDArray, marked: npt.NDArray) -> None:
    """Raises an error for white with a few other pixels, and for white beside nearly white levels."""
    white = marked[marked >= VOID_PIXEL - NEAR]
    between = ((marked > NEAR) & (marked < VOID_PIXEL - NEAR)).any()
    few = (numbers == VOID_PIXEL).sum() > 50 * np.isin(numbers, marked[:-1]).sum()
    if (len(white) > 1 and not between) or (few and thin_numbers(numbers, marked[:-1]).all()):
        raise _refused(pixels, f'has the levels {marked[-2]} and {VOID_PIXEL}, which may be an object and '
                               f'void, or noise and white: choose with --labels-as numbers or levels')


def _of_jpeg(pixels: StoredPixels, levels: npt.NDArray) -> ObjectMasks:
    """The object of a JPEG, which does not preserve numbers and must be black and white."""
    if not is_black_and_white(levels):
        raise _refused(pixels, 'is a JPEG, which does not preserve numbers, and is not black and white')
    return _cut(levels, 'is a JPEG, which does not preserve numbers; pixels brighter than half are the '
                        'object')


def _of_colors(pixels: StoredPixels, colors: npt.NDArray) -> ObjectMasks:
    """The objects by colours (H, W, 3): VOC's numbers if all colours are VOC's, otherwise 1, 2, ..."""
    codes = color_codes(colors)
    found = occurring(codes)
    numbers = places_of(found, codes)
    palette = np.stack([found >> 16, found >> 8 & 255, found & 255], axis=1)
    meant = numbers_of_colors(palette)
    if is_grey(palette):
        return _of_numbers(pixels, colors[:, :, 0])
    if (meant >= 0).all():
        return _of_numbers(pixels, meant[numbers], grey=False)
    objects = np.flatnonzero((meant != VOID_PIXEL) & (found != 0))
    blurred = _of_blurred_color(numbers, palette)
    if blurred is not None:
        return blurred
    if pixels.format == 'JPEG' or len(objects) >= VOID_PIXEL:
        raise _refused(pixels, f'has {len(palette)} colours, like a photograph')
    if len(objects) > 1 and found[0] != 0:
        raise _refused(pixels, f'has {len(palette)} colours, and nothing in it is black')
    order = np.zeros(len(palette), np.int64)
    order[objects] = np.arange(1, len(objects) + 1)
    order[meant == VOID_PIXEL] = VOID_PIXEL
    return _each(pixels, order[numbers], occurring(order))


def _of_blurred_color(numbers: npt.NDArray, palette: npt.NDArray) -> ObjectMasks | None:
    """The object of one colour on black with other colours only in thin lines between the two, or None.

    Args:
        numbers: (H, W), the index of the colour of each pixel.
        palette: (K, 3), the colours.
    """
    objects = np.flatnonzero(palette.any(axis=1))
    if len(objects) < 2 or not thin_numbers(numbers, objects).any():
        return None
    counts = np.bincount(numbers.ravel(), minlength=len(palette))
    nearer = blurred_color(palette, counts, objects[counts[objects].argmax()])
    if nearer is None:
        return None
    return _one(nearer[numbers], guess='has blurred edges; pixels closer to its colour than to black are '
                                       'the object')


def _each(pixels: StoredPixels, numbers: npt.NDArray, used: npt.NDArray, sure: bool = False) -> ObjectMasks:
    """Each number except 0 and void as an object; unless ``sure``, the numbers are checked first."""
    void = np.isin(used, (-1, WIDE_VOID_PIXEL))
    void |= (used == VOID_PIXEL) & (used[~void].max(initial=0) == VOID_PIXEL)
    found = used[~void & (used != 0)]
    if not len(found) and (used > 0).sum() == 1:
        void, found = used == -1, used[used > 0]
    if not sure and not are_objects(numbers, found):
        raise _refused(pixels, f'has {len(found)} levels or colours, neither black and white nor in '
                               f'areas that could be objects (--labels-as numbers reads them as such)')
    if len(found) * numbers.size > _MAX_BYTES:
        raise _refused(pixels, f'has {len(found)} numbers, too many for objects in an image of '
                               f'{numbers.shape[0]}x{numbers.shape[1]}')
    guess = None
    if len(found) > 1 or void.any():
        guess = 'has several numbers; each is a separate object' if len(found) > 1 else (
            f'has the object {found[0]}') if len(found) else 'has no object'
        guess += ''.join(f', and {number} is unknown' for number in used[void].tolist())
    unknown = np.zeros(numbers.shape, bool)
    for number in used[void]:
        unknown |= numbers == number
    return ObjectMasks(numbers == found[:, None, None], unknown, tuple(found.tolist()), guess)


def _one(mask: npt.NDArray[np.bool_], number: int = 1, unknown: npt.NDArray[np.bool_] | None = None,
         guess: str | None = None) -> ObjectMasks:
    """A single object, if it has a pixel."""
    numbers = (number,) if mask.any() else ()
    unknown = np.zeros(mask.shape, bool) if unknown is None else unknown
    return ObjectMasks(mask[None][:len(numbers)], unknown, numbers, guess)


def _none(unknown: npt.NDArray[np.bool_]) -> ObjectMasks:
    return ObjectMasks(np.zeros((0, *unknown.shape), bool), unknown, ())


def _cut(levels: npt.NDArray, guess: str | None) -> ObjectMasks:
    """Pixels brighter than half as the object; GrabCut's 128 is unknown."""
    brightest = levels.max()
    if brightest <= _UNKNOWN or brightest > 255:
        return _one(levels > max(brightest, 0) / 2, guess=guess)
    return _one(levels > _UNKNOWN, VOID_PIXEL, levels == _UNKNOWN, guess)


def _whole_numbers(pixels: StoredPixels, numbers: npt.NDArray) -> npt.NDArray:
    """The numbers in use, ascending, int64."""
    if numbers.dtype.kind == 'f':
        raise _refused(pixels, 'has numbers with fractions')
    used = occurring(numbers)
    if used[0] < -1:
        raise _refused(pixels, f'has the number {used[0]}')
    return used


def _refused(pixels: StoredPixels, reason: str) -> DatasetError:
    return DatasetError(f'{pixels.name} is not a mask: it {reason}; {_REMEDY}.')


# The function that reads pixels for each value of :data:`chainer_seg.stored_pixels.LabelsAs`.
READERS = {'auto': _by_fit, 'numbers': _by_numbers, 'colors': _by_colors, 'levels': _by_levels,
           'alpha': _by_alpha}
