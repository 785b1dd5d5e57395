"""All that is wrong with a COCO annotation file and its images, listed rather than raised."""

import collections
import dataclasses
import pathlib

import numpy as np

from chainer_seg.datasets.coco_json import is_id, is_number, keypoint_count, read_coco_json
from chainer_seg.datasets.segmentations import segmentation_faults
from chainer_seg.errors import DatasetError, ImageError
from chainer_seg.images import header_sizes, read_image

# COCO's borders between small, medium and large objects, in pixels of area.
SMALL_AREA, LARGE_AREA = 32**2, 96**2


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        kind (str): What it is, the same for like problems: 'duplicate id', 'missing file', ...
        where (str): The entry: 'image 12', 'annotation 7', 'category 3'.
        sentence (str): What is wrong with it.
    """

    kind: str
    where: str
    sentence: str

    def __str__(self):
        return f'{self.where}: {self.sentence}'


def validate_coco(annotations, images=None, *, read_pixels=True, progress=None):
    """List all problems of a COCO annotation file.

    Args:
        annotations: Path of the JSON file.
        images: Folder of the images; None leaves the files unchecked.
        read_pixels (bool): Decode every image instead of reading its header only.
        progress (callable): Wraps the iteration over images, such as tqdm.

    Returns:
        list of Problem: Empty for a clean data set.

    Raises:
        chainer_seg.errors.DatasetError: If the file is missing or not a COCO file at all, so
            that there is nothing to check.
    """
    coco = read_coco_json(annotations)
    if images is not None and not pathlib.Path(images).is_dir():
        raise DatasetError(f'There is no folder of images {images}; check the path.')
    problems = []
    if not coco['images']:
        problems.append(Problem('empty data set', 'images', 'the list of images is empty'))
    for name in ('images', 'annotations', 'categories'):
        problems += _check_ids(coco[name], name[:-1] if name != 'categories' else 'category')
    keypoint_counts = {category['id']: keypoint_count(category) for category in coco['categories']
                       if is_id(category.get('id'))}
    problems += _check_categories(coco['categories'])
    problems += _check_image_entries(coco['images'])
    sizes = {entry.get('id'): _size_of(entry) for entry in coco['images']
             if is_id(entry.get('id'))}
    if images is not None:
        problems += _check_files(coco['images'], pathlib.Path(images), sizes, read_pixels,
                                 progress or iter)
    for number, annotation in enumerate(coco['annotations']):
        where = _where('annotation', annotation, number)
        problems += [Problem(kind, where, sentence) for kind, sentence in
                     _annotation_faults(annotation, sizes, keypoint_counts)]
    return problems


def _where(noun, entry, number):
    return f'{noun} {entry["id"]}' if is_id(entry.get('id')) else f'{noun} number {number}'


def _size_of(entry):
    size = entry.get('height'), entry.get('width')
    return size if all(isinstance(side, int) and side > 0 for side in size) else None


def _check_ids(entries, noun):
    """Missing and repeated ids of a list of entries."""
    problems, seen = [], set()
    for number, entry in enumerate(entries):
        where = _where(noun, entry, number)
        if 'id' not in entry:
            problems.append(Problem('missing field', where, 'it has no id'))
        elif not is_id(entry['id']):
            problems.append(Problem('id', where, f'its id {entry["id"]!r} is no whole number'))
        elif entry['id'] in seen:
            problems.append(Problem('duplicate id', where, f'the id {entry["id"]} occurs twice'))
        else:
            seen.add(entry['id'])
    return problems


def _check_categories(categories):
    problems = []
    names = collections.Counter(c['name'] for c in categories if isinstance(c.get('name'), str))
    for number, category in enumerate(categories):
        where = _where('category', category, number)
        if not isinstance(category.get('name'), str) or not category['name']:
            problems.append(Problem('missing field', where, 'it has no name'))
        elif names[category['name']] > 1:
            problems.append(Problem('duplicate name', where,
                                    f'the name {category["name"]!r} occurs twice'))
    return problems


def _check_image_entries(images):
    problems = []
    names = collections.Counter(i['file_name'] for i in images
                                if isinstance(i.get('file_name'), str))
    for number, image in enumerate(images):
        where = _where('image', image, number)
        if not isinstance(image.get('file_name'), str) or not image['file_name']:
            problems.append(Problem('missing field', where, 'it has no file_name'))
        elif names[image['file_name']] > 1:
            problems.append(Problem('duplicate file', where,
                                    f'the file {image["file_name"]} is listed twice'))
        for side in ('height', 'width'):
            if side not in image:
                problems.append(Problem('missing field', where, f'it has no {side}'))
            elif not isinstance(image[side], int) or image[side] <= 0:
                problems.append(Problem('image size', where,
                                        f'its {side} {image[side]!r} is no whole number above 0'))
    return problems


def _check_files(images, folder, sizes, read_pixels, progress):
    """Missing and unreadable files and wrong sizes; fills in sizes that the JSON lacks."""
    problems = []
    for number, image in enumerate(progress(images)):
        where, name = _where('image', image, number), image.get('file_name')
        if not isinstance(name, str) or not name:
            continue
        path = folder / name
        if not path.is_file():
            problems.append(Problem('missing file', where, f'there is no file {path}'))
            continue
        try:
            if read_pixels:
                read_image(path)
            stored, turned = header_sizes(path, path)
        except ImageError as error:
            problems.append(Problem('unreadable file', where, str(error)))
            continue
        size = _size_of(image)
        if size is None and is_id(image.get('id')):
            sizes[image['id']] = turned
        elif size not in (None, stored, turned):
            problems.append(Problem(
                'size mismatch', where, f'the file {path} has {stored[0]}x{stored[1]} pixels, '
                f'the annotations say {size[0]}x{size[1]}'))
    return problems


def _annotation_faults(annotation, sizes, keypoint_counts):
    """All (kind, sentence) pairs of one annotation."""
    faults = []
    for field, known, noun in (('image_id', sizes, 'image'),
                               ('category_id', keypoint_counts, 'category')):
        if field not in annotation:
            faults.append(('missing field', f'it has no {field}'))
        elif not is_id(annotation[field]) or annotation[field] not in known:
            faults.append((f'dangling {noun} id',
                           f'there is no {noun} with the id {annotation[field]!r}'))
    image_id = annotation.get('image_id')
    size = sizes.get(image_id) if is_id(image_id) else None
    if annotation.get('iscrowd', 0) not in (0, 1):
        faults.append(('iscrowd', f'its iscrowd {annotation["iscrowd"]!r} is neither 0 nor 1'))
    faults += _area_faults(annotation)
    if 'bbox' in annotation:
        faults += _box_faults(annotation['bbox'], size)
    if 'segmentation' in annotation:
        faults += segmentation_faults(annotation['segmentation'], size) if size else []
    elif 'bbox' not in annotation:
        faults.append(('missing field', 'it has neither a segmentation nor a bbox'))
    category = annotation.get('category_id')
    expected = keypoint_counts.get(category, 0) if is_id(category) else 0
    if 'keypoints' in annotation:
        faults += _keypoint_faults(annotation, expected)
    return faults


def _area_faults(annotation):
    if 'area' not in annotation:
        return []
    area = annotation['area']
    if not is_number(area):
        return [('not a number', f'its area {area!r} is not a finite number')]
    return [('negative size', f'its area {area} is negative')] if area < 0 else []


def _box_faults(box, size):
    if not isinstance(box, list) or len(box) != 4:
        return [('box', 'its bbox is not a list of four numbers')]
    if not all(is_number(value) for value in box):
        return [('not a number', 'its bbox holds a value that is not a finite number')]
    x, y, width, height = box
    if width < 0 or height < 0:
        return [('negative size', f'its bbox has the size {width} x {height}')]
    if width == 0 or height == 0:
        return [('empty box', f'its bbox has the size {width} x {height}')]
    # Annotation tools round: half a pixel over the border is no fault of the data.
    if size and (min(x, y) < -0.5 or x + width > size[1] + 0.5 or y + height > size[0] + 0.5):
        return [('outside the image',
                 f'its bbox {box} reaches outside its image of {size[0]}x{size[1]} pixels')]
    return []


def _keypoint_faults(annotation, expected):
    points = annotation['keypoints']
    if not isinstance(points, list) or len(points) != 3 * expected:
        length = len(points) if isinstance(points, list) else 'no'
        return [('keypoints', f'it has {length} keypoint values where its category asks for '
                              f'3 x {expected}')]
    if not all(is_number(value) for value in points):
        return [('not a number', 'a keypoint value is not a finite number')]
    if not set(points[2::3]) <= {0, 1, 2}:
        return [('keypoints', 'a keypoint has a visibility other than 0, 1 and 2')]
    visible = sum(value > 0 for value in points[2::3])
    if annotation.get('num_keypoints', visible) != visible:
        return [('keypoints', f'its num_keypoints is {annotation["num_keypoints"]}, '
                              f'{visible} are marked')]
    return []


def coco_statistics(annotations):
    """What a COCO annotation file holds, in figures.

    Args:
        annotations: Path of the JSON file.

    Returns:
        dict: Numbers of images, images without objects, annotations, crowds, categories, mean
        objects per image, objects by COCO's sizes, and objects per category name.
    """
    coco = read_coco_json(annotations)
    objects = [a for a in coco['annotations'] if not a.get('iscrowd', 0)]
    areas = np.array([a['area'] for a in objects if is_number(a.get('area'))], float)
    names = {c['id']: str(c.get('name', c['id'])) for c in coco['categories']
             if is_id(c.get('id'))}
    per_category = collections.Counter(
        names.get(a['category_id'], str(a['category_id'])) for a in objects
        if is_id(a.get('category_id')))
    filled = {a['image_id'] for a in objects if is_id(a.get('image_id'))}
    images = len(coco['images'])
    return {
        'images': images,
        'images without objects': sum(i.get('id') not in filled for i in coco['images']
                                      if is_id(i.get('id'))),
        'objects': len(objects), 'crowds': len(coco['annotations']) - len(objects),
        'categories': len(coco['categories']),
        'objects per image': round(len(objects) / images, 2) if images else 0.0,
        'small': int((areas < SMALL_AREA).sum()),
        'medium': int(((areas >= SMALL_AREA) & (areas <= LARGE_AREA)).sum()),
        'large': int((areas > LARGE_AREA).sum()),
        'objects per category': dict(per_category.most_common())}
