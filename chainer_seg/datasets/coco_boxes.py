"""Boxes of a COCO file that do not belong to their segmentations, and coordinates that are no pixels."""

import numpy as np

from chainer_seg.datasets.coco_entries import size_of
from chainer_seg.datasets.coco_json import Entry, Problem, is_id, is_number
from chainer_seg.datasets.segmentations import segmentation_extent
from chainer_seg.run_lengths import checked_code, code_box

_LOOKED_AT = 200  # annotations from all over the file, to see whether all are written in another way
# Tools round, and people draw boxes by hand: a box of another thing overlaps less.
_LEAST_OVERLAP, _NEAR = 0.75, 2.0  # IoU of box and segmentation; pixels
_PIXELS = 'COCO\'s are pixels; multiply x by the width and y by the height of the image'


def is_box(box: object) -> bool:
    """Whether a JSON value is four finite numbers."""
    return isinstance(box, list) and len(box) == 4 and all(map(is_number, box))


def contradiction(annotation: Entry, size: tuple[int, int]) -> str:
    """How an annotation's box and segmentation contradict each other; '' where they do not.

    Args:
        annotation: With a box of four numbers that are not negative.
        size: (height, width) of the image.
    """
    pair = _corners(annotation, size)
    if pair is None or _agree(*pair):
        return ''
    box, extent = pair
    x, y, right, bottom = (round(value, 2) for value in extent)
    meant = ''
    if _distance(_cut(annotation['bbox'], size), extent) <= _NEAR:
        meant = ': it is x1, y1, x2, y2 and not x, y, width, height'
    elif _are_shares(annotation['bbox']):
        meant = f': it is in shares of the image; {_PIXELS}'
    return (f'its box {annotation["bbox"]} contradicts its segmentation, which has the box '
            f'{[x, y, round(right - x, 2), round(bottom - y, 2)]}{meant}')


def box_habits(content: dict[str, list[Entry]]) -> tuple[list[Problem], str]:
    """Ways of writing boxes and polygons that are not COCO's, where the whole file has them.

    Args:
        content: A normalised file.

    Returns:
        (list of Problem, str): fatal ones, and what the data set says of single boxes that contradict
        their segmentations; '' where those looked at do not.
    """
    sizes = {image.get('id'): size_of(image) for image in content['images']
             if is_id(image.get('id'))}
    annotations = content['annotations']
    chosen = np.unique(np.linspace(0, max(0, len(annotations) - 1), _LOOKED_AT).astype(int))
    looked_at = [(annotations[number], sizes.get(annotations[number].get('image_id')))
                 for number in chosen if annotations]
    looked_at = [(annotation, size) for annotation, size in looked_at if size is not None]
    shares = _shares([annotation for annotation, _ in looked_at])
    if shares:
        return [Problem('coordinates as shares', 'annotations', shares, True)], ''
    pairs = [(_cut(annotation['bbox'], size), *pair) for annotation, size in looked_at
             if (pair := _corners(annotation, size))]
    wrong = sum(not _agree(box, extent) for _, box, extent in pairs)
    near = sum(_distance(box, extent) <= _NEAR for _, box, extent in pairs)
    corners = sum(_distance(other, extent) <= _NEAR for other, _, extent in pairs)
    if wrong and corners >= 0.9 * len(pairs) and near < 0.5 * len(pairs):
        return [Problem('boxes as corners', 'annotations', 'the boxes are x1, y1, x2, y2, as their '
                        'segmentations show; COCO\'s are x, y, width, height', True)], ''
    text = ''
    if wrong:
        text = f'of {len(pairs)} boxes looked at, {wrong} contradict their segmentations'
    return [], text


def _shares(annotations):
    """What is written in shares of the image in all ``annotations``; '' where there is nothing."""
    boxes = [annotation['bbox'] for annotation in annotations if is_box(annotation.get('bbox'))]
    extents = [extent for extent in (segmentation_extent(annotation.get('segmentation'))
                                     for annotation in annotations) if extent is not None]
    found = [noun for noun, values in (('boxes', boxes), ('polygons', extents))
             if values and _are_shares([each for value in values for each in value])
             and all(map(_are_inside, values))]
    if not found:
        return ''
    return f'all {" and ".join(found)} lie in 0..1, in shares of the image; {_PIXELS}'


def _are_shares(values):
    return _are_inside(values) and any(value != int(value) for value in values)


def _are_inside(values):
    return all(0 <= value <= 1 for value in values)


def _corners(annotation, size):
    """Box and extent of the segmentation as x1, y1, x2, y2 in the image; None without both."""
    if not is_box(annotation.get('bbox')) or annotation.get('iscrowd'):
        return None
    extent = _extent(annotation.get('segmentation'), size)
    x, y, width, height = annotation['bbox']
    if extent is None or width <= 0 or height <= 0:
        return None
    box, extent = _cut((x, y, x + width, y + height), size), _cut(extent, size)
    return (box, extent) if extent[2] > extent[0] and extent[3] > extent[1] else None


def _extent(segmentation, size):
    if not isinstance(segmentation, dict):
        return segmentation_extent(segmentation)
    try:
        return code_box(checked_code(segmentation, size))
    except ValueError:
        return None  # Reading the annotation says what is wrong.


def _cut(corners, size):
    height, width = size
    x1, y1, x2, y2 = corners
    return (min(max(x1, 0), width), min(max(y1, 0), height), min(max(x2, 0), width),
            min(max(y2, 0), height))


def _distance(corners, others):
    return max(abs(corner - other) for corner, other in zip(corners, others))


def _agree(box, extent):
    if _distance(box, extent) <= _NEAR:
        return True
    shared = (max(min(box[2], extent[2]) - max(box[0], extent[0]), 0)
              * max(min(box[3], extent[3]) - max(box[1], extent[1]), 0))
    union = sum((x2 - x1) * (y2 - y1) for x1, y1, x2, y2 in (box, extent)) - shared
    return shared >= _LEAST_OVERLAP * union
