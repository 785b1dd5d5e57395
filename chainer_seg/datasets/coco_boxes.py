"""Finds boxes of a COCO file that contradict their segmentations, and coordinates that are not pixels."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from chainer_seg.datasets.coco_entries import size_of
from chainer_seg.datasets.coco_json import Entry, Problem, is_id, is_number
from chainer_seg.datasets.segmentations import segmentation_extent
from chainer_seg.rle import checked_rle, rle_bounds

_SAMPLE_SIZE = 200  # annotations from the whole file, which show whether all use another convention
# Boxes are rounded by tools or drawn by hand; boxes of other objects overlap less than this.
_MIN_IOU, _NEAR = 0.75, 2.0  # IoU of box and segmentation; pixels
_PIXELS = 'COCO uses pixels; multiply x by the width and y by the height of the image'

_Corners = tuple[float, float, float, float]  # x1, y1, x2, y2


def is_box(box: object) -> bool:
    """Whether a JSON value is four finite numbers."""
    return isinstance(box, list) and len(box) == 4 and all(map(is_number, box))


def contradiction(annotation: Entry, size: tuple[int, int]) -> str:
    """How the box and the segmentation of an annotation contradict each other; '' if they do not.

    Args:
        annotation: An entry whose box, if any, is four numbers that are not negative.
        size: (height, width) of the image.
    """
    pair = _corners(annotation, size)
    if pair is None or _agree(*pair):
        return ''
    box, extent = pair
    x, y, right, bottom = (round(value, 2) for value in extent)
    meant = ''
    if _distance(_cut(annotation['bbox'], size), extent) <= _NEAR:
        meant = ': it is x1, y1, x2, y2 instead of x, y, width, height'
    elif _are_fractions(annotation['bbox']):
        meant = f': it is relative to the size of the image; {_PIXELS}'
    return (f'its box {annotation["bbox"]} contradicts its segmentation, which has the box '
            f'{[x, y, round(right - x, 2), round(bottom - y, 2)]}{meant}')


def box_conventions(content: dict[str, list[Entry]]) -> tuple[list[Problem], str]:
    """Other conventions of boxes and polygons than COCO's that the whole file uses.

    Args:
        content: A normalised file.

    Returns:
        (list of Problem, str): Fatal problems, and a message about single boxes that contradict their
        segmentations; '' if none of a sample does.
    """
    sizes = {image.get('id'): size_of(image) for image in content['images']
             if is_id(image.get('id'))}
    annotations = content['annotations']
    chosen = np.unique(np.linspace(0, max(0, len(annotations) - 1), _SAMPLE_SIZE).astype(int))
    sample = [(annotations[number], size) for number in chosen
              if annotations and (size := sizes.get(annotations[number].get('image_id'))) is not None]
    fractions = _fractions([annotation for annotation, _ in sample])
    if fractions:
        return [Problem('relative coordinates', 'annotations', fractions, True)], ''
    pairs = [(_cut(annotation['bbox'], size), *pair) for annotation, size in sample
             if (pair := _corners(annotation, size))]
    wrong = sum(not _agree(box, extent) for _, box, extent in pairs)
    near = sum(_distance(box, extent) <= _NEAR for _, box, extent in pairs)
    corners = sum(_distance(other, extent) <= _NEAR for other, _, extent in pairs)
    if wrong and corners >= 0.9 * len(pairs) and near < 0.5 * len(pairs):
        return [Problem('boxes as corners', 'annotations', 'the boxes are x1, y1, x2, y2, as their '
                        'segmentations show; COCO\'s are x, y, width, height', True)], ''
    text = ''
    if wrong:
        text = f'of {len(pairs)} checked boxes, {wrong} contradict their segmentations'
    return [], text


def _fractions(annotations: list[Entry]) -> str:
    """What all ``annotations`` give relative to the size of the image, with the remedy; '' for nothing."""
    boxes = [annotation['bbox'] for annotation in annotations if is_box(annotation.get('bbox'))]
    extents = [extent for extent in (segmentation_extent(annotation.get('segmentation'))
                                     for annotation in annotations) if extent is not None]
    found = [noun for noun, values in (('boxes', boxes), ('polygons', extents))
             if values and _are_fractions([each for value in values for each in value])
             and all(map(_are_inside, values))]
    if not found:
        return ''
    return f'all {" and ".join(found)} are in 0..1, relative to the size of the image; {_PIXELS}'


def _are_fractions(values: Sequence[float]) -> bool:
    return _are_inside(values) and any(value != int(value) for value in values)


def _are_inside(values: Iterable[float]) -> bool:
    return all(0 <= value <= 1 for value in values)


def _corners(annotation: Entry, size: tuple[int, int]) -> tuple[_Corners, _Corners] | None:
    """The box and the bounding box of the segmentation, clipped to the image; None without both."""
    if not is_box(annotation.get('bbox')) or annotation.get('iscrowd'):
        return None
    extent = _extent(annotation.get('segmentation'), size)
    x, y, width, height = annotation['bbox']
    if extent is None or width <= 0 or height <= 0:
        return None
    box, outline = _cut((x, y, x + width, y + height), size), _cut(extent, size)
    return (box, outline) if outline[2] > outline[0] and outline[3] > outline[1] else None


def _extent(segmentation: Any, size: tuple[int, int]) -> Sequence[float] | None:
    if not isinstance(segmentation, dict):
        return segmentation_extent(segmentation)
    try:
        return rle_bounds(checked_rle(segmentation, size))
    except ValueError:
        return None  # Reading the annotation reports the problem.


def _cut(corners: Sequence[float], size: tuple[int, int]) -> _Corners:
    height, width = size
    x1, y1, x2, y2 = corners
    return (min(max(x1, 0), width), min(max(y1, 0), height), min(max(x2, 0), width),
            min(max(y2, 0), height))


def _distance(corners: Sequence[float], others: Sequence[float]) -> float:
    return max(abs(corner - other) for corner, other in zip(corners, others))


def _agree(box: _Corners, extent: _Corners) -> bool:
    if _distance(box, extent) <= _NEAR:
        return True
    shared = (max(min(box[2], extent[2]) - max(box[0], extent[0]), 0)
              * max(min(box[3], extent[3]) - max(box[1], extent[1]), 0))
    union = sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (box, extent)) - shared
    return shared >= _MIN_IOU * union
