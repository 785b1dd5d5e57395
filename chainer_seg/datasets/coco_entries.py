"""Normalises the entries of a COCO annotation file and finds the problems of their fields.

The data set and the check of a file both use these rules, so that they accept the same files:

- A whole number written as a float (3.0) is that number: ids, image and category ids, sizes.
- Ids written as text match the equal numbers ("3" and 3), and vice versa; this is reported. Category ids
  become numbers.
- An annotation whose image_id or category_id is missing or null is rejected, and so is one whose category
  is not in the list. One whose image is not in the list is only reported, because lists of images are
  often shortened without their annotations. If no annotation belongs to an image, the file is rejected.
- ``iscrowd`` may be 0, 1, true, false, or these as text. Null is the same as a missing field.
- An area that is negative or not a number is reported, and that of the mask is used. A box must be four
  finite numbers with a width and a height that are not negative.
- A height and a width are whole numbers from 1; text is read and reported. If one is missing, this is
  reported and both are read from the image.
"""

import collections
import os
import urllib.parse

from chainer_seg.datasets.coco_annotations import is_clean, normalise_annotations
from chainer_seg.datasets.coco_json import Entry, Fault, Problem, as_id, as_number, where_is
from chainer_seg.errors import quoted
from chainer_seg.rle import checked_size

_URLS = ('coco_url', 'flickr_url', 'url')


def normalise(content: dict[str, list[Entry]]) -> list[Problem]:
    """Normalises the entries of a file in place.

    Args:
        content: As returned by :func:`chainer_seg.datasets.coco_json.read_coco_json`. Afterwards ids
            are int, or text for images and annotations; the image and category ids of annotations are
            those of their entries, if there are any; 'height' and 'width' are int and either both
            present or both missing; 'iscrowd' is 0 or 1; 'area' is a number from 0; there are no null
            fields.

    Returns:
        The problems of the images, the categories and the annotations, in the order of the file.
    """
    images, annotations, categories = (content[name] for name in ('images', 'annotations', 'categories'))
    problems = _check_ids(images, 'image', fatal=True)
    annotation_problems: list[Problem] = []
    if not is_clean(annotations, images, categories):
        annotation_problems = normalise_annotations(annotations, images, categories)
        problems += _check_ids(annotations, 'annotation', fatal=False)
    problems += _category_ids(categories) + _category_names(categories) + _images(images)
    problems += annotation_problems
    if annotations and all(annotation.get('iscrowd') == 1 for annotation in annotations):
        problems.append(Problem(
            'all crowds', 'annotations', 'all annotations are crowds (iscrowd 1), which training and '
            'evaluation ignore; if each is one object, set iscrowd to 0'))
    return problems


def size_of(image: Entry) -> tuple[int, int] | None:
    """(height, width) of an image in a normalised file, or None."""
    return (image['height'], image['width']) if 'height' in image else None


def size_fault(image: Entry, stored: tuple[int, int], turned: tuple[int, int],
               path: str | os.PathLike) -> str:
    """How the size of an image in a normalised file differs from that of its file; '' if it does not.

    Args:
        image: The entry.
        stored: (height, width) of the image file.
        turned: (height, width) after rotation by its EXIF orientation.
        path: The annotation file.
    """
    size = size_of(image)
    if size in (None, stored, turned):
        return ''
    swapped = ': height and width are swapped' if size == stored[::-1] else ''
    return f'{stored[0]}x{stored[1]} pixels, but {path} says {size[0]}x{size[1]}{swapped}'


def _check_ids(entries: list[Entry], noun: str, fatal: bool) -> list[Problem]:
    """Missing and repeated ids of a list of entries."""
    problems: list[Problem] = []
    seen: set[int | str] = set()
    for number, entry in enumerate(entries):
        given, identity = entry.get('id'), as_id(entry.get('id'))
        where = where_is(noun, entry, number)
        if given is None:
            problems.append(Problem('missing field', where, 'it has no id', fatal))
        elif identity is None:
            problems.append(Problem('id', where, f'its id {quoted(given)} is not a whole number', fatal))
        elif identity in seen:
            problems.append(Problem('duplicate id', where, f'the id {quoted(identity)} occurs twice',
                                    fatal))
        else:
            seen.add(identity)
        if identity is not None:
            entry['id'] = identity
    return problems


def _category_ids(categories: list[Entry]) -> list[Problem]:
    """Category ids become numbers, because their order is that of the labels."""
    problems = []
    for number, category in enumerate(categories):
        given, where = category.get('id'), where_is('category', category, number)
        if isinstance(given, str) and as_number(given) is not None:
            problems.append(Problem('text id', where, f'its id {quoted(given)} is text; it is read as '
                                                      f'the number {as_number(given)}'))
        if isinstance(given, str):
            category['id'] = as_number(given)
            if category['id'] is None:
                problems.append(Problem('id', where, f'its id {quoted(given)} is not a whole number', True))
                category['id'] = given
    return problems + _check_ids(categories, 'category', fatal=True)


def _category_names(categories: list[Entry]) -> list[Problem]:
    problems = []
    for category in categories:
        if category.get('name') is None or category['name'] == '':
            category.pop('name', None)
    names = collections.Counter(str(c['name']) for c in categories if 'name' in c)
    for number, category in enumerate(categories):
        where = where_is('category', category, number)
        if 'name' not in category:
            problems.append(Problem('missing field', where, 'it has no name; its id is used'))
        elif not isinstance(category['name'], str):
            problems.append(Problem('name', where, f'its name {quoted(category["name"])} is not text'))
        elif names[category['name']] > 1:
            problems.append(Problem('duplicate name', where,
                                    f'the name {quoted(category["name"])} occurs twice'))
    return problems


def _images(images: list[Entry]) -> list[Problem]:
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


def _name_faults(image: Entry) -> list[Fault]:
    name = image.get('file_name')
    if isinstance(name, str) and name:
        return []
    image.pop('file_name', None)
    for field in _URLS:
        parts = urllib.parse.urlsplit(image[field]) if isinstance(image.get(field), str) else None
        last = urllib.parse.unquote(parts.path).rpartition('/')[2] if parts else ''
        if last:
            image['file_name'] = last
            return [('file name', f'it has no file_name; the name {last} from its {field} is used',
                     False)]
    return [('missing field', 'it has no file_name', True)]


def _size_faults(image: Entry) -> list[Fault]:
    given = {side: image.pop(side, None) for side in ('height', 'width')}
    given = {side: value for side, value in given.items() if value is not None}
    faults = [('missing field', f'it has no {side}; its size is read from the file', False)
              for side in ('height', 'width') if side not in given]
    size = [as_number(value) for value in given.values()]
    for (side, value), number in zip(given.items(), size):
        if number is None or number < 1:
            faults.append(('image size', f'its {side} {quoted(value)} is not a whole number above 0; '
                                         f'without the field, the size is read from the file', True))
        elif isinstance(value, str):
            faults.append(('image size', f'its {side} {quoted(value)} is text; it is read as a number',
                           False))
    if len(size) == 2 and not any(fatal for _, _, fatal in faults):
        try:
            image['height'], image['width'] = checked_size(size)
        except ValueError as error:
            faults.append(('image size', str(error), True))
    return faults
