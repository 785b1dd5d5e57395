"""Normalises the annotations of a COCO file by the rules of :mod:`chainer_seg.datasets.coco_entries`."""

import dataclasses
import itertools
from typing import Any

import numpy as np

from chainer_seg.datasets.coco_json import (
    LARGEST_NUMBER,
    Entry,
    Fault,
    Ids,
    Problem,
    as_id,
    as_number,
    is_number,
    where_is,
)
from chainer_seg.errors import quoted

_CROWD = {0: 0, 1: 1, '0': 0, '1': 1, 'false': 0, 'true': 1, '0.0': 0, '1.0': 1}


def is_clean(annotations: list[Entry], images: list[Entry], categories: list[Entry]) -> bool:
    """Whether there is nothing to normalise or report; far faster than checking each annotation."""
    column: dict[str, list[Any]] = {name: [annotation.get(name) for annotation in annotations] for name in (
        'id', 'image_id', 'category_id', 'iscrowd', 'area', 'bbox', 'segmentation')}
    try:
        for name in ('id', 'image_id', 'category_id'):
            if not set(map(type, column[name])) <= {int}:
                return False
        if not set(map(type, column['bbox'])) <= {list}:
            return False
        numbers = [*itertools.chain.from_iterable(column['bbox']), *column['area']]
        if (len(set(column['id'])) < len(annotations)
                or not set(column['image_id']) <= {image.get('id') for image in images}
                or not set(column['category_id']) <= {category.get('id') for category in categories}
                or not set(map(type, column['iscrowd'])) <= {int}
                or not set(column['iscrowd']) <= {0, 1}
                or not set(map(type, numbers)) <= {int, float}
                or not set(map(len, column['bbox'])) <= {4}
                or None in column['segmentation']):
            return False
        values = np.array(numbers, np.float64)
    except (TypeError, OverflowError):  # lists where numbers should be, or numbers that are too large
        return False
    sides = values[:4 * len(annotations)].reshape(-1, 4)[:, 2:]
    areas = values[4 * len(annotations):]
    return bool((np.abs(values) < LARGEST_NUMBER).all() and (sides > 0).all() and (areas >= 0).all())


def normalise_annotations(annotations: list[Entry], images: list[Entry], categories: list[Entry]
                          ) -> list[Problem]:
    """Normalises annotations in place and returns the problems found.

    Args:
        annotations, images, categories: The lists of a file; the ids of images are normalised.
    """
    image_ids = Ids(found for image in images if (found := as_id(image.get('id'))) is not None)
    category_ids = Ids(found for category in categories
                       if (found := as_id(category.get('id'))) is not None)
    lost = True  # whether no annotation so far belongs to an image
    problems: list[Problem] = []
    for number, annotation in enumerate(annotations):
        for name in [name for name, value in annotation.items() if value is None]:
            if name not in ('id', 'image_id', 'category_id'):
                del annotation[name]
        faults = [*_reference_faults(annotation, 'image', image_ids),
                  *_reference_faults(annotation, 'category', category_ids),
                  *_crowd_faults(annotation), *_area_faults(annotation), *_box_faults(annotation)]
        if 'bbox' not in annotation and not annotation.get('segmentation'):
            faults.append(('missing field', 'it has neither a segmentation nor a box', True))
        lost = lost and annotation.get('image_id') not in image_ids
        problems += [Problem(kind, where_is('annotation', annotation, number), sentence, fatal)
                     for kind, sentence, fatal in faults]
    if lost:
        problems = [dataclasses.replace(problem, fatal=True) if problem.kind == 'dangling image id'
                    else problem for problem in problems]
    return problems


def _reference_faults(annotation: Entry, noun: str, known: Ids) -> list[Fault]:
    """Faults of the ``image_id`` or ``category_id``, which becomes the id of the entry it refers to."""
    field = f'{noun}_id'
    if annotation.get(field) is None:
        return [('missing field', f'it has no {field}', True)]
    given, value = annotation[field], as_id(annotation[field])
    if value is None:
        annotation[field] = None
        return [(f'dangling {noun} id', f'its {field} {quoted(given)} is not an id', True)]
    found = known.find(value)
    if found is None:
        annotation[field] = value
        # An id of another type than those of all images does not come from a shortened list of images.
        fatal = noun == 'category' or not known.like(value)
        return [(f'dangling {noun} id', f'there is no {noun} with the id {quoted(value)}'
                 f'{"" if fatal else "; it is skipped"}', fatal)]
    # The ids of the categories themselves become numbers later.
    annotation[field] = as_number(found) if noun == 'category' else found
    if isinstance(value, str) and (noun == 'category' or value != found):
        return [('text id', f'its {field} {quoted(value)} is text; it is read as {as_number(value)}',
                 False)]
    if value != found:
        return [('text id', f'its {field} is {value}, but the {noun} has the text {quoted(found)} as id',
                 False)]
    return []


def _crowd_faults(annotation: Entry) -> list[Fault]:
    if 'iscrowd' not in annotation:
        return []
    given = annotation['iscrowd']
    key = given.strip().lower() if isinstance(given, str) else given
    crowd = _CROWD.get(key) if isinstance(key, (int, float, str)) else None
    if crowd is None:
        return [('iscrowd', f'its iscrowd {quoted(given)} is neither 0 nor 1', True)]
    annotation['iscrowd'] = crowd
    if isinstance(given, str):
        return [('iscrowd', f'its iscrowd {quoted(given)} is text; it is read as {crowd}', False)]
    return []


def _area_faults(annotation: Entry) -> list[Fault]:
    area = annotation.get('area', 0)
    if is_number(area) and area >= 0:
        return []
    del annotation['area']
    if is_number(area):
        return [('negative size', f'its area {area} is negative; the area of its mask is used', False)]
    return [('not a number', f'its area {quoted(area)} is not a finite number; the area of its mask is '
                             f'used', False)]


def _box_faults(annotation: Entry) -> list[Fault]:
    if 'bbox' not in annotation:
        return []
    box = annotation['bbox']
    if not isinstance(box, list) or len(box) != 4:
        length = f' but a list of {len(box)}' if isinstance(box, list) else ''
        return [('box', f'its box is not four numbers{length}', True)]
    if not all(is_number(value) for value in box):
        return [('not a number', f'its box {quoted(box)} contains something other than finite numbers',
                 True)]
    if min(box[2:]) < 0:
        return [('negative size', f'its box has the size {box[2]} x {box[3]}; COCO\'s boxes are x, y, '
                                  f'width and height', True)]
    if min(box[2:]) == 0:
        return [('empty box', f'its box has the size {box[2]} x {box[3]}', False)]
    return []


def keypoint_faults(annotation: Entry, expected: int) -> list[Fault]:
    """(kind, sentence, fatal) of each fault of the keypoints of an annotation.

    Args:
        annotation: An entry; missing keypoints and an empty list are valid.
        expected: The number of keypoints of its category.
    """
    points = annotation.get('keypoints')
    if points is None or points == []:
        return []
    if not isinstance(points, list) or len(points) != 3 * expected:
        length = len(points) if isinstance(points, list) else 'no'
        return [('keypoints', f'it has {length} keypoint values, but its category has 3 x {expected}',
                 True)]
    if not all(is_number(value) for value in points):
        return [('not a number', 'a keypoint value is not a finite number', True)]
    if not set(points[2::3]) <= {0, 1, 2}:
        return [('keypoints', 'a keypoint has a visibility other than 0, 1 and 2', False)]
    visible = sum(value > 0 for value in points[2::3])
    if annotation.get('num_keypoints', visible) != visible:
        return [('keypoints', f'its num_keypoints is {quoted(annotation["num_keypoints"])}, but '
                              f'{visible} are visible', False)]
    return []
