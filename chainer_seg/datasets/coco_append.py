"""Adds the images and objects of a data set to an existing COCO annotation file and its images."""

import os
import pathlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_seg.datasets.base import Dataset
from chainer_seg.datasets.coco import CocoDataset
from chainer_seg.datasets.coco_json import Entry
from chainer_seg.datasets.coco_writer import annotations_of, encode_image
from chainer_seg.errors import DatasetError, UserError
from chainer_seg.files import atomic_write, check_inside, write_json
from chainer_seg.images import decode_image
from chainer_seg.locks import sole_writer

_SUFFIX = '.jpg'


def append_coco(dataset: Dataset, folder: str | os.PathLike, names: Sequence[str]) -> pathlib.Path:
    """Adds to ``folder/annotations.json`` and ``folder/images``; what is there stays as it is.

    Objects of an image that is in the folder already, with the same name and content, are added to it, unless
    it has the same object. Other images are written under names that are free. Classes are matched by name.

    Args:
        dataset: The data set.
        folder: The folder of a COCO data set, as written by :func:`chainer_seg.datasets.write_coco`.
        names: The name of each image file without its extension.

    Returns:
        The annotation file, which is replaced atomically, after all images have been written.

    Raises:
        chainer_seg.errors.DatasetError: There are no annotations in the folder, or they cannot be read.
        chainer_seg.errors.FolderInUseError: Another run is writing to the folder.
        chainer_seg.errors.DiskFullError: The files cannot be written.
    """
    folder = pathlib.Path(folder)
    path = folder / 'annotations.json'
    if not path.is_file():
        raise DatasetError(f'The folder {folder} has no annotations.json to add to; choose another folder.')
    with sole_writer(folder):
        check_inside(folder, 'images')
        content = CocoDataset(path, None).coco
        categories = _add_categories(content, dataset.class_names)
        for index, name in enumerate(names):
            image, instances = dataset[index]
            entry = _entry_of(content, image, name, folder / 'images')
            present = {_key(each) for each in content['annotations'] if each['image_id'] == entry['id']}
            new = [{**each, 'category_id': categories[each['category_id'] - 1]}
                   for each in annotations_of(instances, entry['id'], _next_id(content['annotations']))]
            content['annotations'] += [each for each in new if _key(each) not in present]
        write_json(path, content)
    return path


def _add_categories(content: dict[str, list[Entry]], names: Iterable[str]) -> list[Any]:
    """The id of the category of each name; missing ones are added."""
    ids = {category.get('name'): category['id'] for category in content['categories']}
    for name in names:
        if name not in ids:
            ids[name] = _next_id(content['categories'])
            content['categories'].append({'id': ids[name], 'name': name})
    return [ids[name] for name in names]


def _entry_of(content: dict[str, list[Entry]], image: npt.NDArray[np.uint8], name: str,
              folder: pathlib.Path) -> Entry:
    """The entry of an image; the image is written and its entry added where there is none."""
    data = encode_image(image, _SUFFIX)
    used = {each['file_name']: each for each in content['images']}
    for file_name, entry in used.items():
        if pathlib.PurePath(file_name).stem == name and _is_same(folder / file_name, data, image):
            return entry
    free, copies = name + _SUFFIX, 1
    while free in used or (folder / free).exists():
        copies += 1
        free = f'{name}-{copies}{_SUFFIX}'
    with atomic_write(folder / free) as temporary:
        temporary.write_bytes(data)
    entry = {'id': _next_id(content['images']), 'file_name': free,
             'height': image.shape[0], 'width': image.shape[1]}
    content['images'].append(entry)
    return entry


def _is_same(path: pathlib.Path, data: bytes, image: npt.NDArray[np.uint8]) -> bool:
    """Whether a file holds an image, as the bytes that would be written or as its pixels."""
    try:
        stored = path.read_bytes()
        return stored == data or np.array_equal(decode_image(stored, path), image)
    except (OSError, UserError):
        return False


def _key(annotation: Entry) -> tuple[Any, str]:
    """What is equal for the same object written twice."""
    return annotation['category_id'], repr(annotation.get('segmentation'))


def _next_id(entries: Sequence[Entry]) -> int:
    return 1 + max((each['id'] for each in entries if isinstance(each['id'], int)), default=0)
