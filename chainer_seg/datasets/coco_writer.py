"""Writes any data set of (image, Instances) as a folder of images and a COCO annotation file."""

import io
import os
import pathlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

from chainer_seg import boxes
from chainer_seg.datasets.base import Dataset, Progress, as_dataset
from chainer_seg.datasets.coco_json import Entry
from chainer_seg.errors import DatasetError
from chainer_seg.files import atomic_write, check_inside, write_json
from chainer_seg.instances import Instances
from chainer_seg.locks import is_empty, sole_writer
from chainer_seg.rle import rle_counts

_JPEG_QUALITY = 95


def write_coco(dataset: Dataset, folder: str | os.PathLike, *, overwrite: bool = False, suffix: str = '.jpg',
               names: Sequence[str] | None = None, progress: Progress | None = None) -> pathlib.Path:
    """Writes ``folder/images/*`` and ``folder/annotations.json``.

    Masks are written as run-length encodings, which preserve holes and single pixels: compressed for
    objects, plain counts for crowds, as in COCO's files. Every file is written atomically, the
    annotation file last.

    Args:
        dataset: The data set.
        folder: The folder to write to; it is created if missing.
        overwrite: Replace an existing data set instead of raising an error.
        suffix: '.jpg' (small) or '.png' (exact pixels).
        names: The name of each image file without its extension; numbers by default.
        progress: Wraps the iteration over indices, such as tqdm.

    Returns:
        The annotation file.

    Raises:
        chainer_seg.errors.DatasetError: If the data set is empty, or the folder is not empty and
            overwrite is False, or its images are a link that leads out of it.
        chainer_seg.errors.FolderInUseError: Another run is writing to the folder.
        chainer_seg.errors.DiskFullError: If the files cannot be written.
    """
    dataset = as_dataset(dataset)
    if not len(dataset):
        raise DatasetError('The data set is empty; there are no images to write.')
    folder = pathlib.Path(folder)
    if folder.exists() and not folder.is_dir():
        raise DatasetError(f'{folder} is a file; give a folder to write the data set to.')
    with sole_writer(folder):
        _clear(folder, overwrite)
        return _write(dataset, folder, suffix, names, progress or iter)


def _write(dataset: Dataset, folder: pathlib.Path, suffix: str, names: Sequence[str] | None,
           progress: Progress) -> pathlib.Path:
    content: dict[str, list[Entry]] = {
        'images': [], 'annotations': [], 'categories': categories_of(dataset)}
    digits = max(6, len(str(len(dataset))))
    for index in progress(range(len(dataset))):
        image, instances = dataset[index]
        name = (names[index] if names else f'{index:0{digits}d}') + suffix
        with atomic_write(folder / 'images' / name) as temporary:
            temporary.write_bytes(encode_image(image, suffix))
        content['images'].append({'id': index + 1, 'file_name': name,
                                  'height': image.shape[0], 'width': image.shape[1]})
        first = len(content['annotations']) + 1
        content['annotations'] += annotations_of(instances, index + 1, first)
    path = folder / 'annotations.json'
    write_json(path, content)
    return path


def encode_image(image: npt.NDArray[np.uint8], suffix: str) -> bytes:
    """The bytes of an image file. (When Pillow itself writes to a full disk, it truncates silently.)"""
    file = io.BytesIO()
    Image.fromarray(image).save(file, Image.registered_extensions()[suffix], quality=_JPEG_QUALITY)
    return file.getvalue()


def _clear(folder: pathlib.Path, overwrite: bool) -> None:
    if is_empty(folder):
        return
    if not overwrite:
        raise DatasetError(f'The folder {folder} is not empty; choose another one, or replace its '
                           f'content with --overwrite.')
    check_inside(folder, 'images')
    # The annotations are removed first: a partly replaced data set must not look like a complete one.
    (folder / 'annotations.json').unlink(missing_ok=True)
    for path in sorted((folder / 'images').glob('*')):
        if path.stem.isdigit() and path.suffix in ('.jpg', '.png'):
            path.unlink()


def categories_of(dataset: Dataset) -> list[Entry]:
    """COCO's list of categories; if the data set has keypoints, every category names them."""
    categories = [{'id': label + 1, 'name': name} for label, name in enumerate(dataset.class_names)]
    if dataset.keypoint_names:
        skeleton = [[start + 1, end + 1] for start, end in dataset.skeleton]  # COCO counts from 1
        for category in categories:
            category.update(keypoints=list(dataset.keypoint_names), skeleton=skeleton)
    return categories


def annotations_of(instances: Instances, image_id: int, first_id: int) -> list[Entry]:
    """The COCO annotations of one image's objects."""
    codes = instances.runs.to_rle()
    areas = instances.pixel_areas
    written = []
    for number, code in enumerate(codes):
        crowd = bool(instances.crowds[number])
        entry = {'id': first_id + number, 'image_id': image_id,
                 'category_id': int(instances.labels[number]) + 1,
                 'segmentation': _plain_counts(code) if crowd else code,
                 'bbox': boxes.to_xywh(instances.bboxes[number:number + 1])[0].tolist(),
                 'area': float(areas[number]), 'iscrowd': int(crowd)}
        if instances.keypoints is not None:
            points = instances.keypoints[number]
            entry['keypoints'] = points[:, [1, 0, 2]].ravel().tolist()
            entry['num_keypoints'] = int((points[:, 2] > 0).sum())
        written.append(entry)
    return written


def _plain_counts(code: Entry) -> Entry:
    """COCO's uncompressed run-length encoding, which crowds have, of a compressed one."""
    return {'size': code['size'], 'counts': rle_counts(code['counts']).tolist()}
