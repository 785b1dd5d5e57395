"""Lists all problems of a COCO annotation file and its images instead of raising the first one."""

import collections
import os
import pathlib
from typing import Any

import numpy as np

from chainer_seg.datasets.base import Progress
from chainer_seg.datasets.coco_annotations import keypoint_faults
from chainer_seg.datasets.coco_boxes import box_conventions, contradiction, is_box
from chainer_seg.datasets.coco_entries import normalise, size_fault, size_of
from chainer_seg.datasets.coco_json import (
    Entry, Fault, Problem, is_id, keypoint_count, read_coco_json, where_is)
from chainer_seg.datasets.image_names import find_images
from chainer_seg.datasets.segmentations import segmentation_faults, segmentation_to_rle
from chainer_seg.errors import DatasetError, ImageError, quoted, shortened
from chainer_seg.images import header_sizes, read_image

# COCO's limits of small and large objects: areas in pixels.
SMALL_AREA, LARGE_AREA = 32**2, 96**2


def validate_coco(annotations: str | os.PathLike, images: str | os.PathLike | None = None, *,
                  read_pixels: bool = True, progress: Progress | None = None) -> list[Problem]:
    """Lists all problems of a COCO annotation file.

    Args:
        annotations: Path of the JSON file.
        images: Folder of the images; None to skip the checks of image files.
        read_pixels: Decode every image instead of reading its header only.
        progress: Wraps the iteration over images, such as tqdm.

    Returns:
        The problems; an empty list for a clean data set.

    Raises:
        chainer_seg.errors.DatasetError: If the file is missing or is not a COCO file at all.
    """
    coco = read_coco_json(annotations)
    if images is not None and not pathlib.Path(images).is_dir():
        raise DatasetError(f'There is no folder of images {images}; check the path.')
    problems = normalise(coco)
    if not coco['images']:
        problems.insert(0, Problem('empty data set', 'images', 'the list of images is empty', True))
    problems += box_conventions(coco)[0]
    counts = {category['id']: keypoint_count(category) for category in coco['categories']
              if is_id(category.get('id'))}
    sizes = {image['id']: size_of(image) for image in coco['images'] if is_id(image.get('id'))}
    if images is not None:
        problems += _check_files(coco['images'], annotations, pathlib.Path(images), sizes, read_pixels,
                                 progress or iter)
    for number, annotation in enumerate(coco['annotations']):
        where = where_is('annotation', annotation, number)
        problems += [Problem(kind, where, sentence, fatal) for kind, sentence, fatal in
                     _shape_faults(annotation, sizes.get(annotation.get('image_id')),
                                   counts.get(annotation.get('category_id'), 0))]
    return problems


def _check_files(images: list[Entry], annotations: str | os.PathLike, folder: pathlib.Path,
                 sizes: dict[Any, tuple[int, int] | None], read_pixels: bool,
                 progress: Progress) -> list[Problem]:
    """Problems of missing and unreadable files and wrong sizes; adds sizes that are not in the JSON."""
    problems: list[Problem] = []
    found = find_images([image.get('file_name', '') for image in images], folder)
    for number, (image, file) in enumerate(zip(progress(images), found)):
        where = where_is('image', image, number)
        if 'file_name' not in image:
            continue
        if file.fault:
            problems.append(Problem('missing file', where, f'there is no file '
                                    f'{shortened(str(folder / file.name))}: {file.fault}', True))
            continue
        if file.how:
            problems.append(Problem('file name', where, f'its file_name {quoted(image["file_name"])} is '
                                                        f'found as {file.name} ({file.how})'))
        path = folder / file.name
        try:
            if read_pixels:
                read_image(path)
            stored, turned = header_sizes(path, path)
        except ImageError as error:
            problems.append(Problem('unreadable file', where, str(error), True))
            continue
        fault = size_fault(image, stored, turned, annotations)
        if fault:
            problems.append(Problem('size mismatch', where, f'the file {path} has {fault}', True))
        elif size_of(image) is None and is_id(image.get('id')):
            sizes[image['id']] = turned
    return problems


def _shape_faults(annotation: Entry, size: tuple[int, int] | None, keypoints: int) -> list[Fault]:
    """(kind, sentence, fatal) of each fault of the box, the mask and the keypoints.

    Args:
        annotation: A normalised entry.
        size: (height, width) of its image; None if unknown.
        keypoints: The number of keypoints of its category.
    """
    faults: list[Fault] = []
    if size and 'segmentation' in annotation:
        faults += segmentation_faults(annotation['segmentation'], size)
        if 'bbox' not in annotation and not _encloses(annotation['segmentation'], size):
            faults.append(
                ('missing field', 'its segmentation is empty, and it has no box', True))
    if size and 'bbox' in annotation and is_box(annotation['bbox']):
        faults += _place_faults(annotation['bbox'], size)
        doubt = '' if faults else contradiction(annotation, size)
        if doubt:
            faults.append(('box and mask', doubt, False))
    return faults + keypoint_faults(annotation, keypoints)


def _encloses(segmentation: Any, size: tuple[int, int]) -> bool:
    """Whether a segmentation has pixels; True for other faults, which are reported elsewhere."""
    try:
        return segmentation == [] or segmentation_to_rle(segmentation, size) is not None
    except ValueError:
        return True


def _place_faults(box: list[float], size: tuple[int, int]) -> list[Fault]:
    x, y, width, height = box
    if min(width, height) <= 0:
        return []  # Reported where fields are checked.
    # Annotation tools round, so half a pixel beyond the border is valid.
    if min(x, y) < -0.5 or x + width > size[1] + 0.5 or y + height > size[0] + 0.5:
        return [('outside the image',
                 f'its bbox {box} reaches outside its image of {size[0]}x{size[1]} pixels', False)]
    return []


def coco_statistics(annotations: str | os.PathLike) -> dict[str, Any]:
    """Statistics of a COCO annotation file.

    Args:
        annotations: Path of the JSON file.

    Returns:
        The numbers of images, images without objects, annotations, crowds and categories, the mean
        number of objects per image, and the numbers of objects by COCO's sizes and by category name.
    """
    coco = read_coco_json(annotations)
    normalise(coco)
    objects = [a for a in coco['annotations'] if a.get('iscrowd') != 1]
    areas = np.array([a['area'] for a in objects if 'area' in a], float)
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
