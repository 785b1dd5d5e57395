"""The entries of a COCO annotation file in one form, and all that is wrong with their fields.

The data set and the check of a file both begin here, so that neither takes what the other refuses:

- A whole number written as a float (3.0) is that number: ids, image and category ids, sizes.
- Ids written as text match the numbers that they say ("3" and 3), and the reverse; this is told.
  Category ids become numbers.
- An annotation without an image_id or category_id, or with null, is refused, and so is one of a category
  that is not in the list. One of an image that is not in the list is told: people cut lists of images
  short, not those of annotations. If no annotation belongs to an image, the file is refused.
- ``iscrowd`` may be 0, 1, true, false, or these as text. Null is everywhere as if the field were not
  there.
- An area that is no number from 0 is told, and that of the mask is taken. A box must be four finite
  numbers with a width and a height that are not negative.
- A height and a width are whole numbers from 1, also as text, which is told. Where one is missing, which
  is told, both are read from the image.
"""

import collections
import dataclasses
import itertools
import urllib.parse

import numpy as np

from chainer_seg.datasets.coco_json import Ids, as_id, as_number, is_id, is_number
from chainer_seg.errors import quoted
from chainer_seg.run_lengths import checked_size

_CROWD = {0: 0, 1: 1, '0': 0, '1': 1, 'false': 0, 'true': 1, '0.0': 0, '1.0': 1}
_URLS = ('coco_url', 'flickr_url', 'url')


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        kind (str): What it is, the same for like problems: 'duplicate id', 'missing file', ...
        where (str): The entry: 'image 12', 'annotation 7', 'category 3'.
        sentence (str): What is wrong with it.
        fatal (bool): Whether :class:`chainer_seg.datasets.CocoDataset` refuses the file, or the entry
            when it is read, for it; else it goes on as the sentence says.
    """

    kind: str
    where: str
    sentence: str
    fatal: bool = False

    def __str__(self):
        return f'{self.where}: {self.sentence}'


def normalise(content):
    """Brings the entries of a file to one form, in place.

    Args:
        content: As :func:`chainer_seg.datasets.coco_json.read_coco_json` gives it. Afterwards ids are
            int, or text for images and annotations; image and category ids of annotations are those
            of entries where there is one; 'height' and 'width' are int and there both or not at all;
            'iscrowd' is 0 or 1; null fields are gone; 'area' is a number from 0.

    Returns:
        list of Problem: Of the images, the categories and the annotations, in the order of the file.
    """
    images, annotations, categories = (content[name] for name in ('images', 'annotations', 'categories'))
    problems = _check_ids(images, 'image', fatal=True)
    annotation_problems = []
    if not _is_clean(annotations, images, categories):
        annotation_problems = _annotations(annotations, images, categories)
        problems += _check_ids(annotations, 'annotation', fatal=False)
    problems += _category_ids(categories) + _category_names(categories) + _images(images)
    problems += annotation_problems
    if annotations and all(annotation.get('iscrowd') == 1 for annotation in annotations):
        problems.append(Problem(
            'all crowds', 'annotations', 'all annotations are crowds (iscrowd 1), which are neither '
            'learned from nor counted; if each is one object, set their iscrowd to 0'))
    return problems


def where_is(noun, entry, number):
    """What a problem calls an entry: by its id, or by its number in the list."""
    return f'{noun} {entry["id"]}' if is_id(entry.get('id')) else f'{noun} number {number}'


def size_of(image):
    """(height, width) that a normalised file gives for an image, or None."""
    return (image['height'], image['width']) if 'height' in image else None


def size_fault(image, stored, turned, path):
    """How the size of an image in a normalised file differs from its file's; '' where it does not.

    Args:
        image: The entry.
        stored, turned: (height, width) of the file, and when turned as its EXIF data ask.
        path: Of the annotation file.
    """
    size = size_of(image)
    if size in (None, stored, turned):
        return ''
    swapped = ': height and width are swapped' if size == stored[::-1] else ''
    return f'{stored[0]}x{stored[1]} pixels, but {path} says {size[0]}x{size[1]}{swapped}'


def keypoint_faults(annotation, expected):
    """(kind, sentence, fatal) of all that is wrong with the keypoints of an annotation.

    Args:
        annotation: An entry; without keypoints, or with none in their list, nothing is wrong.
        expected: The number of keypoints that its category names.
    """
    points = annotation.get('keypoints')
    if points is None or points == []:
        return []
    if not isinstance(points, list) or len(points) != 3 * expected:
        length = len(points) if isinstance(points, list) else 'no'
        return [('keypoints', f'it has {length} keypoint values where its category asks for '
                              f'3 x {expected}', True)]
    if not all(is_number(value) for value in points):
        return [('not a number', 'a keypoint value is not a finite number', True)]
    if not set(points[2::3]) <= {0, 1, 2}:
        return [('keypoints', 'a keypoint has a visibility other than 0, 1 and 2', False)]
    visible = sum(value > 0 for value in points[2::3])
    if annotation.get('num_keypoints', visible) != visible:
        return [('keypoints', f'its num_keypoints is {quoted(annotation["num_keypoints"])}, '
                              f'{visible} are marked', False)]
    return []


def _check_ids(entries, noun, fatal):
    """Missing and repeated ids of a list of entries."""
    problems, seen = [], set()
    for number, entry in enumerate(entries):
        given, identity = entry.get('id'), as_id(entry.get('id'))
        where = where_is(noun, entry, number)
        if given is None:
            problems.append(Problem('missing field', where, 'it has no id', fatal))
        elif identity is None:
            problems.append(Problem('id', where, f'its id {quoted(given)} is no whole number', fatal))
        elif identity in seen:
            problems.append(Problem('duplicate id', where, f'the id {quoted(identity)} occurs twice',
                                    fatal))
        else:
            seen.add(identity)
        if identity is not None:
            entry['id'] = identity
    return problems


def _category_ids(categories):
    """Category ids count labels, so they become numbers."""
    problems = []
    for number, category in enumerate(categories):
        given, where = category.get('id'), where_is('category', category, number)
        if isinstance(given, str) and as_number(given) is not None:
            problems.append(Problem('text id', where, f'its id {quoted(given)} is text; it is read as '
                                                      f'the number {as_number(given)}'))
        if isinstance(given, str):
            category['id'] = as_number(given)
            if category['id'] is None:
                problems.append(Problem('id', where, f'its id {quoted(given)} is no whole number', True))
                category['id'] = given
    return problems + _check_ids(categories, 'category', fatal=True)


def _category_names(categories):
    problems = []
    for category in categories:
        if category.get('name') is None or category['name'] == '':
            category.pop('name', None)
    names = collections.Counter(str(c['name']) for c in categories if 'name' in c)
    for number, category in enumerate(categories):
        where = where_is('category', category, number)
        if 'name' not in category:
            problems.append(Problem('missing field', where, 'it has no name; its id is taken'))
        elif not isinstance(category['name'], str):
            problems.append(Problem('name', where, f'its name {quoted(category["name"])} is not text'))
        elif names[category['name']] > 1:
            problems.append(Problem('duplicate name', where,
                                    f'the name {quoted(category["name"])} occurs twice'))
    return problems


def _images(images):
    """File names and sizes."""
    problems = []
    for number, image in enumerate(images):
        where = where_is('image', image, number)
        problems += [Problem(kind, where, sentence, fatal)
                     for kind, sentence, fatal in (*_name_faults(image), *_size_faults(image))]
    names = collections.Counter(image.get('file_name') for image in images)
    for number, image in enumerate(images):
        if image.get('file_name') is not None and names[image['file_name']] > 1:
            problems.append(Problem('duplicate file', where_is('image', image, number),
                                    f'the file {image["file_name"]} is listed twice'))
    return problems


def _name_faults(image):
    name = image.get('file_name')
    if isinstance(name, str) and name:
        return []
    image.pop('file_name', None)
    for field in _URLS:
        parts = urllib.parse.urlsplit(image[field]) if isinstance(image.get(field), str) else None
        last = urllib.parse.unquote(parts.path).rpartition('/')[2] if parts else ''
        if last:
            image['file_name'] = last
            return [('file name', f'it has no file_name; the name {last} is taken from its {field}',
                     False)]
    return [('missing field', 'it has no file_name', True)]


def _size_faults(image):
    given = {side: image.pop(side, None) for side in ('height', 'width')}
    given = {side: value for side, value in given.items() if value is not None}
    faults = [('missing field', f'it has no {side}; its size is read from the file', False)
              for side in ('height', 'width') if side not in given]
    size = [as_number(value) for value in given.values()]
    for (side, value), number in zip(given.items(), size):
        if number is None or number < 1:
            faults.append(('image size', f'its {side} {quoted(value)} is no whole number above 0; '
                                         f'without the field the size is read from the file', True))
        elif isinstance(value, str):
            faults.append(('image size', f'its {side} {quoted(value)} is text; it is read as a number',
                           False))
    if len(size) == 2 and not any(fatal for _, _, fatal in faults):
        try:
            image['height'], image['width'] = checked_size(size)
        except ValueError as error:
            faults.append(('image size', str(error), True))
    return faults


def _is_clean(annotations, images, categories):
    """Whether there is nothing to mend and nothing to report; far quicker than looking at each."""
    column = {name: [annotation.get(name) for annotation in annotations] for name in (
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
        numbers = np.array(numbers, np.float64)
    except (TypeError, OverflowError):  # lists where numbers should be, or numbers that are too large
        return False
    sides = numbers[:4 * len(annotations)].reshape(-1, 4)[:, 2:]
    areas = numbers[4 * len(annotations):]
    return bool(np.isfinite(numbers).all() and (sides > 0).all() and (areas >= 0).all())


def _annotations(annotations, images, categories):
    image_ids = Ids({as_id(image.get('id')) for image in images} - {None})
    given = {as_id(category.get('id')) for category in categories} - {None}
    category_ids = Ids(given)
    lost = True  # whether no annotation has been found to belong to an image
    problems = []
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


def _reference_faults(annotation, noun, known):
    """Faults of the ``image_id`` or ``category_id``; it becomes the id of the entry it refers to."""
    field = f'{noun}_id'
    if annotation.get(field) is None:
        return [('missing field', f'it has no {field}', True)]
    given, value = annotation[field], as_id(annotation[field])
    if value is None:
        annotation[field] = None
        return [(f'dangling {noun} id', f'its {field} {quoted(given)} is no id', True)]
    found = known.find(value)
    if found is None:
        annotation[field] = value
        # Of another type than all ids of images: no list cut short, but two kinds of ids.
        return [(f'dangling {noun} id', f'there is no {noun} with the id {quoted(value)}',
                 noun == 'category' or not known.like(value))]
    # The categories' own ids are turned into numbers later.
    annotation[field] = as_number(found) if noun == 'category' else found
    if isinstance(value, str) and (noun == 'category' or value != found):
        return [('text id', f'its {field} {quoted(value)} is text; it is taken for {as_number(value)}',
                 False)]
    if value != found:
        return [('text id', f'its {field} is {value}, which is the text {quoted(found)} in the list of '
                            f'{noun} ids', False)]
    return []


def _crowd_faults(annotation):
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


def _area_faults(annotation):
    area = annotation.get('area', 0)
    if is_number(area) and area >= 0:
        return []
    del annotation['area']
    if is_number(area):
        return [('negative size', f'its area {area} is negative; that of its mask is taken', False)]
    return [('not a number', f'its area {quoted(area)} is not a finite number; that of its mask is '
                             f'taken', False)]


def _box_faults(annotation):
    if 'bbox' not in annotation:
        return []
    box = annotation['bbox']
    if not isinstance(box, list) or len(box) != 4:
        length = f' but a list of {len(box)}' if isinstance(box, list) else ''
        return [('box', f'its box is not four numbers{length}', True)]
    if not all(is_number(value) for value in box):
        return [('not a number', f'its box {quoted(box)} is not four numbers: one is not a finite '
                                 f'number', True)]
    if min(box[2:]) < 0:
        return [('negative size', f'its box has the size {box[2]} x {box[3]}; COCO\'s boxes are x, y, '
                                  f'width and height', True)]
    if min(box[2:]) == 0:
        return [('empty box', f'its box has the size {box[2]} x {box[3]}', False)]
    return []
