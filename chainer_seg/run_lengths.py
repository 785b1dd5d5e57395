"""The only calls of pycocotools' C code: every size, polygon and run-length encoding is checked first.

That code trusts its caller: with sides beyond 32 bits, or runs that do not fill their image, it writes
outside of its memory and ends the process.
"""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from chainer_seg.errors import quoted
from chainer_seg.schema import whole_number

MAX_PIXELS = 400_000_000  # of an image; as many as are read from an image file
_MAX_SIDE = 2**20 - 1  # pixels; polygons are drawn with five steps a pixel, in 32 bits
_MAX_OUTLINE = 5_000_000  # pixels of one polygon; drawing it takes some 50 bytes for each
_MAX_COORDINATE = 2.0**26  # times five still fits 32 bits
_MAX_CHARACTERS = 6  # of one run, five bits each: enough for MAX_PIXELS


def checked_size(size: object) -> tuple[int, int]:
    """The (height, width) of an image as whole numbers.

    Args:
        size: A list or tuple of two whole numbers, in pixels.

    Raises:
        ValueError: It is something else, or larger than any image that is read.
    """
    sides = [whole_number(side) for side in size] if isinstance(size, (list, tuple)) else []
    height, width = sides if len(sides) == 2 else (None, None)
    if height is None or width is None or min(height, width) < 1:
        raise ValueError(f'its size {quoted(size)} is not a height and a width in pixels')
    if max(height, width) > _MAX_SIDE or height * width > MAX_PIXELS:
        raise ValueError(f'its size {quoted(size)} exceeds the maximum of {MAX_PIXELS // 10**6} megapixels')
    return height, width


def rle_counts(text: str | bytes) -> np.ndarray:
    """The run lengths of a compressed COCO run-length encoding.

    Five bits a character from '0' on, the sixth says that more follow; from the fourth run on
    the difference to the run before the previous one is stored.

    Args:
        text: ``counts`` of the encoding.

    Returns:
        (N,) int64 array.

    Raises:
        ValueError: If the text is cut short or has characters that cannot occur.
    """
    data = np.frombuffer(text.encode('latin-1', 'replace') if isinstance(text, str) else text,
                         np.uint8).astype(np.int64) - 48
    if data.size == 0:
        return np.zeros(0, np.int64)
    if data.min() < 0 or data.max() > 63 or data[-1] & 32:
        raise ValueError('it is not a compressed run-length encoding')
    ends = np.flatnonzero((data & 32) == 0)
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if lengths.max() > _MAX_CHARACTERS:
        raise ValueError('it is not a compressed run-length encoding')
    position = np.arange(data.size) - np.repeat(starts, lengths)
    runs = np.add.reduceat((data & 31) << (5 * position), starts)
    negative = (data[ends] & 16) != 0
    runs -= np.where(negative, np.int64(1) << (5 * lengths), 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs


def checked_code(code: object, size: Sequence[int] | None = None) -> dict:
    """A run-length encoding that pycocotools can take: compressed, its runs filling its image exactly.

    Args:
        code: A dict of ``size`` (height, width) and ``counts``: compressed (str or bytes), or a list
            of run lengths.
        size: (height, width) of the image to which it belongs; any by default.

    Returns:
        dict of ``size`` (a list) and ``counts``, compressed.

    Raises:
        ValueError: It is invalid; the message says why.
    """
    if not isinstance(code, dict):
        raise ValueError(f'{quoted(code, 60)} is not a run-length encoding')
    counts = code.get('counts')
    if not isinstance(counts, (list, str, bytes)) or code.get('size') is None:
        raise ValueError('the run-length encoding lacks its size or its counts')
    try:
        height, width = checked_size(code['size'])
    except ValueError as error:
        raise ValueError(f'the run-length encoding is invalid: {error}') from error
    if size is not None and (height, width) != tuple(size):
        swapped = ', which is width before height' if (width, height) == tuple(size) else ''
        raise ValueError(f'the run-length encoding is for {[height, width]}{swapped}, its image is '
                         f'{list(size)}')
    pixels = height * width
    if isinstance(counts, list):
        runs = _plain_runs(counts, pixels)
    else:
        try:
            runs = rle_counts(counts)
        except ValueError as error:
            raise ValueError(f'the run-length encoding is unreadable: {error}') from error
    total = int(runs.sum())
    if runs.min(initial=0) < 0 or total != pixels:
        raise ValueError(f'the run-length encoding covers {total} pixels, its image has {pixels}')
    if isinstance(counts, list):
        return coco_mask.frPyObjects({'size': [height, width], 'counts': runs.tolist()}, height, width)
    return {'size': [height, width], 'counts': counts}


def polygon_codes(polygons: Sequence[npt.ArrayLike], size: Sequence[int]) -> list[dict]:
    """The run-length encoding of each polygon.

    Args:
        polygons: Sequences of an even number of coordinates x0, y0, x1, y1, ... in pixels, at least
            six; they may reach outside the image.
        size: (height, width) of the image.

    Raises:
        ValueError: A polygon is something else, or too large to draw.
    """
    height, width = checked_size(size)
    if not len(polygons):
        return []
    try:
        parts = [np.asarray(polygon, np.float64).reshape(-1) for polygon in polygons]
    except (TypeError, OverflowError) as error:
        raise ValueError('a polygon has a coordinate that is not a finite number') from error
    lengths = np.array([len(part) for part in parts])
    if lengths.min() < 6 or (lengths % 2).any():
        raise ValueError('a polygon needs at least three points of two coordinates')
    flat = np.concatenate(parts)
    if not np.isfinite(flat).all():
        raise ValueError('a polygon has a coordinate that is not a finite number')
    starts = np.cumsum(lengths // 2) - lengths // 2
    points = flat.reshape(-1, 2)
    following = np.concatenate([points[1:], points[:1]])
    following[starts - 1 + lengths // 2] = points[starts]
    outlines = np.add.reduceat(np.abs(following - points).max(axis=1), starts)
    if np.abs(flat).max() > _MAX_COORDINATE or outlines.max() > _MAX_OUTLINE:
        raise ValueError('a polygon is too long to be drawn, or reaches far outside its image')
    return coco_mask.frPyObjects(parts, height, width)


def polygons_code(polygons: Sequence[npt.ArrayLike], size: Sequence[int]) -> dict:
    """The one run-length encoding that polygons cover together; arguments as in :func:`polygon_codes`."""
    return coco_mask.merge(polygon_codes(polygons, size))


def box_code(box: tuple[float, float, float, float], size: Sequence[int]) -> dict:
    """The run-length encoding of a COCO box (x, y, width, height): the pixels it touches.

    A box without width or height touches the pixels in which it begins.

    Raises:
        ValueError: The size is not that of an image.
    """
    height, width = checked_size(size)
    x, y, box_width, box_height = box
    top, left = math.floor(y), math.floor(x)
    bottom, right = max(math.ceil(y + box_height), top + 1), max(math.ceil(x + box_width), left + 1)
    mask = np.zeros((height, width, 1), np.uint8, order='F')
    mask[max(top, 0):max(bottom, 0), max(left, 0):max(right, 0)] = 1
    return coco_mask.encode(mask)[0]


def code_area(code: dict) -> int:
    """The number of pixels of a checked code."""
    return int(coco_mask.area(code))


def code_box(code: dict) -> tuple[float, float, float, float]:
    """(x_min, y_min, x_max, y_max) of a checked code in pixels; the maxima lie past the last pixel."""
    x, y, width, height = coco_mask.toBbox(code).tolist()
    return x, y, x + width, y + height


def _plain_runs(counts, pixels):
    """(N,) int64 of a list of run lengths."""
    wrong = 'the run-length encoding has a run that is not a whole number of pixels of its image'
    if not set(map(type, counts)) <= {int, float}:
        raise ValueError(wrong)
    if not all(0 <= run <= pixels and run == int(run) for run in counts):
        raise ValueError(wrong)
    return np.asarray(counts, np.int64)
