"""Checks and rasterises COCO's segmentations: polygons and run-length encodings."""

from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_seg.datasets.coco_json import Fault, is_number
from chainer_seg.errors import quoted
from chainer_seg.rle import checked_rle, rle_area, rle_of_polygons

# Filling a polygon takes time proportional to its outline, which far corners make arbitrarily long.
_FARTHEST = 20  # image sides
_NEITHER = 'the segmentation is neither polygons nor a run-length encoding'


def segmentation_faults(segmentation: Any, size: tuple[int, int]) -> list[Fault]:
    """All faults of the segmentation of one annotation.

    Args:
        segmentation: The JSON value.
        size: (height, width) of the image.

    Returns:
        A list of (kind, sentence, fatal); fatal ones are errors in :func:`segmentation_to_rle`. It is
        empty for a valid segmentation.
    """
    faults = _faults(segmentation, size)
    if any(fatal for _, _, fatal in faults) or _surely_encloses(segmentation, size):
        return faults
    try:
        code = _code(segmentation, size)
    except ValueError as error:
        return [('segmentation', str(error), True)]
    if not faults and code is not None and not rle_area(code):
        return [('no pixels', 'the segmentation encloses no pixel; the pixels of its box are used',
                 False)]
    return faults


def segmentation_to_rle(segmentation: Any, size: tuple[int, int]) -> dict[str, Any] | None:
    """The compressed run-length encoding of a segmentation.

    Polygons of fewer than three points are skipped, and parts outside the image are cut off.

    Args:
        segmentation: Polygons or a run-length encoding, as in a COCO JSON file.
        size: (height, width) of the image.

    Returns:
        The encoding in the form of pycocotools; None if it encloses no pixel of the image.

    Raises:
        ValueError: The segmentation is invalid; the message says why.
    """
    if not isinstance(segmentation, dict):
        fatal = [sentence for _, sentence, fatal in _faults(segmentation, size) if fatal]
        if fatal:
            raise ValueError(fatal[0])
    code = _code(segmentation, size)
    return code if code is not None and rle_area(code) else None


def drawable_polygons(segmentation: Any, size: tuple[int, int]) -> list[list[float]] | None:
    """The polygons of a segmentation, for rasterising at another resolution.

    Args:
        segmentation: The JSON value.
        size: (height, width) of the image.

    Returns:
        Lists x0, y0, x1, y1, ... of at least three points; None if the mask is not made of polygons
        that enclose something.
    """
    if not isinstance(segmentation, list):
        return None
    try:
        code = segmentation_to_rle(segmentation, size)
    except ValueError:
        return None  # Reading the annotation reports the problem.
    return None if code is None else [polygon for polygon in segmentation if len(polygon) >= 6]


def segmentation_extent(segmentation: Any) -> tuple[float, float, float, float] | None:
    """(x_min, y_min, x_max, y_max) of the polygons of a segmentation; None if it has none."""
    if not isinstance(segmentation, list) or not segmentation or not all(
            isinstance(polygon, list) and polygon and len(polygon) % 2 == 0
            and set(map(type, polygon)) <= {int, float} for polygon in segmentation):
        return None
    columns = [value for polygon in segmentation for value in polygon[::2]]
    rows = [value for polygon in segmentation for value in polygon[1::2]]
    if not is_number(sum(columns)) or not is_number(sum(rows)):
        return None
    return min(columns), min(rows), max(columns), max(rows)


def _code(segmentation: Any, size: tuple[int, int]) -> dict[str, Any] | None:
    """The encoding of a segmentation without fatal faults; None without a polygon to rasterise."""
    if isinstance(segmentation, dict):
        return checked_rle(segmentation, size)
    polygons = [polygon for polygon in segmentation if len(polygon) >= 6]
    return rle_of_polygons(polygons, size) if polygons else None


def _surely_encloses(segmentation: Any, size: tuple[int, int]) -> bool:
    """Whether a polygon without fatal faults certainly has pixels; a quick test without rasterising.

    A region whose area exceeds its perimeter has a point that is more than a pixel away from its outline.
    """
    if not isinstance(segmentation, list) or not segmentation or len(segmentation[0]) < 6:
        return False
    points = np.array(segmentation[0], np.float64).reshape(-1, 2)
    if points.min() < 0 or (points > (size[1], size[0])).any() or len(points) > 10_000:
        return False
    following = np.roll(points, -1, axis=0)
    area = abs((points[:, 0] * following[:, 1] - points[:, 1] * following[:, 0]).sum()) / 2
    return bool(area > np.abs(following - points).sum() + 1)


def _faults(segmentation: Any, size: tuple[int, int]) -> list[Fault]:
    if isinstance(segmentation, dict):
        try:
            checked_rle(segmentation, size)
        except ValueError as error:
            return [('run-length encoding', str(error), True)]
        return []
    wrong_form = _wrong_form(segmentation)
    if wrong_form:
        return [('segmentation', f'{_NEITHER}{wrong_form}', True)]
    if not segmentation:
        return [('empty segmentation', 'the segmentation has no polygon', False)]
    return [(kind, f'polygon {number} {sentence}', fatal)
            for number, polygon in enumerate(segmentation)
            for kind, sentence, fatal in _polygon_faults(polygon, size)]


def _wrong_form(segmentation: Any) -> str:
    """What a segmentation is instead of a list of lists, as the end of a sentence; '' if it is one."""
    if not isinstance(segmentation, list):
        return f' but {quoted(segmentation, 60)}'
    if segmentation and set(map(type, segmentation)) <= {int, float}:
        return ' but a flat list of numbers; use a list of polygons: [[x, y, ...]]'
    if not all(isinstance(polygon, list) for polygon in segmentation):
        return f' but a list with {quoted(next(p for p in segmentation if type(p) is not list), 60)}'
    pairs = next((polygon for polygon in segmentation if polygon and type(polygon[0]) is list),
                 segmentation)
    if len(pairs) >= 3 and all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        return ' but pairs; write the coordinates of a polygon in one list: [[x, y, x, y, ...]]'
    return ''


def _polygon_faults(polygon: list[Any], size: tuple[int, int]) -> list[Fault]:
    if not polygon:
        return [('empty polygon', 'is empty', False)]
    if len(polygon) % 2:
        return [('polygon', f'has an odd number of coordinates ({len(polygon)})', True)]
    points = _points(polygon)
    if points is None:
        return [('not a number', 'has a coordinate that is not a finite number', True)]
    if np.abs(points).max() > _FARTHEST * max(size):
        return [('outside the image',
                 f'reaches far outside its image of {size[0]}x{size[1]} pixels', True)]
    if len(polygon) < 6:
        return [('polygon', f'has {len(polygon) // 2} points; a polygon needs 3', False)]
    if points.min() < -1 or (points.max(axis=0) > (size[1] + 1, size[0] + 1)).any():
        return [('outside the image', f'reaches outside its image of {size[0]}x{size[1]} pixels',
                 False)]
    return []


def _points(polygon: list[Any]) -> npt.NDArray[np.float64] | None:
    """(N, 2) float64; None if something is not a finite number."""
    if not set(map(type, polygon)) <= {int, float}:
        return None
    try:
        points = np.array(polygon, np.float64).reshape(-1, 2)
    except OverflowError:  # a whole number of hundreds of digits
        return None
    return points if np.isfinite(points).all() else None
