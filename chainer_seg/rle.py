"""COCO's run-length encodings of masks: checks, reading, writing, and making them from polygons and boxes.

An encoding has the lengths of the runs of a mask, column by column and beginning with one of zeros. In
compressed form each run is a number of 5-bit characters from '0' on, whose sixth bit says that more follow;
from the fourth run on, the difference to the run before the previous one is stored.

The C code of pycocotools trusts its caller: with sides beyond 32 bits, or runs that do not fill their
image, it writes outside of its memory and crashes the process. So all that it gets is checked here first.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from pycocotools import mask as coco_mask

from chainer_seg.errors import quoted
from chainer_seg.schema import whole_number

MAX_PIXELS = 400_000_000  # of an image, the limit for image files
MAX_MASK_PIXELS = 2 ** 30  # of all masks of an image: 90 objects in a photograph of 12 megapixels
_MAX_SIDE = 2**20 - 1  # pixels; polygons are rasterised with five steps per pixel, in 32 bits
_MAX_OUTLINE = 5_000_000  # pixels of one polygon; rasterising takes some 50 bytes for each
_MAX_COORDINATE = 2.0**26  # times five still fits 32 bits
_MAX_CHARACTERS = 6  # of one run, five bits each: enough for MAX_PIXELS


def checked_size(size: object) -> tuple[int, int]:
    """The (height, width) of an image as whole numbers.

    Args:
        size: A list or tuple of two whole numbers, in pixels.

    Raises:
        ValueError: It is something else, or exceeds the limit for images.
    """
    sides = [whole_number(side) for side in size] if isinstance(size, (list, tuple)) else []
    height, width = sides if len(sides) == 2 else (None, None)
    if height is None or width is None or min(height, width) < 1:
        raise ValueError(f'its size {quoted(size)} is not a height and a width in pixels')
    if max(height, width) > _MAX_SIDE or height * width > MAX_PIXELS:
        raise ValueError(f'its size {quoted(size)} exceeds the maximum of {MAX_PIXELS // 10**6} megapixels')
    return height, width


def rle_counts(text: str | bytes) -> npt.NDArray[np.int64]:
    """The run lengths (N,) of a compressed run-length encoding, its ``counts``; none of an empty text.

    Raises:
        ValueError: The text is truncated or has invalid characters.
    """
    data = text.encode('latin-1', 'replace') if isinstance(text, str) else text
    return read_compressed([data])[0] if data else np.zeros(0, np.int64)


def checked_rle(code: object, size: Sequence[int] | None = None) -> dict[str, Any]:
    """A run-length encoding that pycocotools can process: compressed, with runs that fill the image.

    Args:
        code: A dict of ``size`` (height, width) and ``counts``: compressed (str or bytes), or a list
            of run lengths.
        size: (height, width) of the image to which it belongs; any by default.

    Returns:
        A dict of ``size`` (a list) and ``counts``, compressed.

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


def rles_of_polygons(polygons: Sequence[npt.ArrayLike], size: Sequence[int]) -> list[dict[str, Any]]:
    """The run-length encoding of each polygon.

    Args:
        polygons: Sequences of an even number of coordinates x0, y0, x1, y1, ... in pixels, at least
            six; they may reach outside the image.
        size: (height, width) of the image.

    Raises:
        ValueError: A polygon is something else, or too large to rasterise.
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
        raise ValueError('a polygon is too long, or extends far outside its image')
    return coco_mask.frPyObjects(parts, height, width)


def rle_of_polygons(polygons: Sequence[npt.ArrayLike], size: Sequence[int]) -> dict[str, Any]:
    """The run-length encoding of the union of polygons; arguments as in :func:`rles_of_polygons`."""
    return coco_mask.merge(rles_of_polygons(polygons, size))


def rle_of_box(box: tuple[float, float, float, float], size: Sequence[int]) -> dict[str, Any]:
    """The run-length encoding of a COCO box (x, y, width, height): of all pixels that it touches.

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


def rle_area(code: dict[str, Any]) -> int:
    """The number of pixels of a checked run-length encoding."""
    return int(coco_mask.area(code))


def rle_bounds(code: dict[str, Any]) -> tuple[float, float, float, float]:
    """(x_min, y_min, x_max, y_max) of a checked encoding in pixels; the maxima are past the last pixel."""
    x, y, width, height = coco_mask.toBbox(code).tolist()
    return x, y, x + width, y + height


def read_compressed(codes: Sequence[bytes]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The run lengths of compressed encodings; the inverse of :func:`compress`.

    Args:
        codes: The ``counts`` of each mask; at least one.

    Returns:
        (N,) int64, the runs of all masks one after the other, and (R,) int64, the first run of each mask.

    Raises:
        ValueError: One is empty or truncated, or has invalid characters.
    """
    data = np.frombuffer(b''.join(codes), np.uint8).astype(np.int64) - 48
    ends = np.cumsum([len(code) for code in codes])
    if min(map(len, codes)) == 0 or data.min() < 0 or data.max() > 63 or (data[ends - 1] & 32).any():
        raise ValueError('it is not a compressed run-length encoding')
    last = np.flatnonzero((data & 32) == 0)  # The last character of each run.
    first = np.concatenate([[0], last[:-1] + 1])
    if (last - first).max() >= _MAX_CHARACTERS:
        raise ValueError('it is not a compressed run-length encoding')
    digit = np.arange(len(data)) - np.repeat(first, last - first + 1)
    runs = np.add.reduceat((data & 31) << (5 * digit), first)
    runs -= np.where(data[last] & 16, 1 << (5 * (last - first + 1)), 0)
    starts = np.searchsorted(last, np.concatenate([[0], ends[:-1]]))
    return _undo_changes(runs, starts), starts


def compress(lengths: npt.NDArray[np.int64], starts: npt.NDArray[np.int64]) -> list[str]:
    """The compressed encoding of each mask; arguments as returned by :func:`read_compressed`."""
    changes = lengths.copy()
    changes[2:] -= lengths[:-2]
    within = np.arange(len(lengths)) - np.repeat(starts, np.diff(starts, append=len(lengths)))
    values = np.where(within > 2, changes, lengths)
    digits, used = [], []
    more = np.ones(len(values), bool)
    while more.any():
        digit = values & 31
        values = values >> 5
        used.append(more)
        more = more & (values != np.where(digit & 16, -1, 0))
        digits.append((digit + 32 * more + 48).astype(np.uint8))
    in_use = np.stack(used, axis=1)
    text = np.stack(digits, axis=1)[in_use].tobytes().decode('ascii')
    ends = np.cumsum(in_use.sum(axis=1))[np.append(starts[1:], len(lengths)) - 1].tolist()
    return [text[start:end] for start, end in zip([0] + ends, ends)]


def check_compressed(codes: Sequence[bytes], size: tuple[int, int]) -> None:
    """Checks that pycocotools can decode the masks of an image.

    Args:
        codes: The compressed run-length encoding of each mask, COCO's ``counts``.
        size: (height, width) of the image.

    Raises:
        ValueError: An encoding is invalid or does not cover the image exactly, or there are more masks
            than :func:`check_memory` allows.
    """
    check_memory(len(codes), size)
    if not codes:
        return
    pixels = size[0] * size[1]
    try:
        lengths, starts = read_compressed(codes)
    except ValueError as error:
        raise ValueError('a run-length encoding is empty, truncated or damaged') from error
    if lengths.min() < 0 or (np.add.reduceat(lengths, starts) != pixels).any():
        raise ValueError(f'a run-length encoding does not cover the {pixels} pixels of its image')


def check_memory(count: int, size: tuple[int, int]) -> None:
    """Checks that ``count`` masks of ``size`` (height, width) fit into memory.

    Raises:
        ValueError: They, and one more that is being decoded, exceed :data:`MAX_MASK_PIXELS`.
    """
    if count and size[0] * size[1] * (count + 1) > MAX_MASK_PIXELS:
        raise ValueError(f'{count} masks of {size[0]}x{size[1]} pixels exceed the limit of '
                         f'{MAX_MASK_PIXELS // 10**6} megapixels; split the image into parts')


def _plain_runs(counts: list[Any], pixels: int) -> npt.NDArray[np.int64]:
    """(N,) int64 of a list of run lengths."""
    wrong = 'the run-length encoding has a run that is not a whole number of pixels of its image'
    if not set(map(type, counts)) <= {int, float}:
        raise ValueError(wrong)
    if not all(0 <= run <= pixels and run == int(run) for run in counts):
        raise ValueError(wrong)
    return np.asarray(counts, np.int64)


def _undo_changes(runs: npt.NDArray[np.int64], starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The run lengths, of which the fourth and later ones of each mask are given as differences."""
    place = np.arange(len(runs)) - np.repeat(starts, np.diff(starts, append=len(runs)))
    for chain in (np.flatnonzero(place % 2 == 1), np.flatnonzero((place % 2 == 0) & (place > 0))):
        sums = np.cumsum(runs[chain])
        begins = np.flatnonzero(place[chain] <= 2)
        before = sums[begins] - runs[chain][begins]
        runs[chain] = sums - np.repeat(before, np.diff(begins, append=len(chain)))
    return runs
