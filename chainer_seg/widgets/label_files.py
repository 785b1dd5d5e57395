"""Saving labels as masks and as COCO JSON, and opening COCO files."""

import os
import pathlib
import tempfile
from collections.abc import Sequence

import numpy as np

from chainer_seg.datasets import CocoDataset, append_coco, write_coco
from chainer_seg.errors import DatasetError, UserError, writing
from chainer_seg.files import file_names
from chainer_seg.images import write_image
from chainer_seg.models.click_history import Moment
from chainer_seg.models.click_state import ClickObject
from chainer_seg.widgets.events import count_of
from chainer_seg.widgets.image_sources import ImageSource, Labels, objects_of, of_dataset

_MAX_NAME = 100  # maximum length in bytes of an image's and of an object's name in a file name
_NOTHING = 'There is nothing to save yet; click an object first.'


class FolderNotEmptyError(UserError):
    """The folder to save to has content of others."""


def save_masks(labels: Labels, folder: str | os.PathLike) -> list[pathlib.Path]:
    """Writes each object as a black-and-white PNG of the size of its image, white on the object.

    Args:
        labels: :class:`chainer_seg.widgets.image_sources.Labels`.
        folder: The target folder; created if missing. Files of the same name are replaced.

    Returns:
        The files, a list of paths such as ``coffee_1_cup.png``.

    Raises:
        chainer_seg.errors.UserError: There is no object.
        chainer_seg.errors.DiskFullError: The files cannot be written.
    """
    if not len(labels):
        raise UserError(_NOTHING)
    written: list[pathlib.Path] = []
    names = file_names(labels.image_names, _MAX_NAME)
    for index, name in enumerate(names):
        _, instances = labels[index]
        for number, mask in enumerate(instances.masks):
            label, = file_names([instances.name(number)], _MAX_NAME)
            written.append(pathlib.Path(folder) / f'{name}_{number + 1}_{label}.png')
            write_image(written[-1], mask.astype(np.uint8) * 255)
    return written


def save_coco(labels: Labels, folder: str | os.PathLike, overwrite: bool = False) -> pathlib.Path:
    """Writes ``folder/annotations.json`` and ``folder/images``, which ``CocoDataset`` reads.

    Arguments and errors are those of :func:`save_masks`; a folder that is not empty is a
    :class:`FolderNotEmptyError` unless ``overwrite`` is True.

    Returns:
        The path of the JSON file.
    """
    if not len(labels):
        raise UserError(_NOTHING)
    folder = pathlib.Path(folder)
    if not overwrite and folder.is_dir() and any(folder.iterdir()):
        raise FolderNotEmptyError(f'The folder {folder} is not empty; choose another folder, add to its '
                                  f'labels with add_to_coco(), or replace them with overwrite=True.')
    return write_coco(labels, folder, overwrite=overwrite,
                      names=file_names(labels.image_names))


def add_to_coco(labels: Labels, folder: str | os.PathLike) -> pathlib.Path:
    """Adds to ``folder/annotations.json`` and ``folder/images``, as :func:`append_coco` does.

    Arguments, result and errors are those of :func:`save_coco`.
    """
    if not len(labels):
        raise UserError(_NOTHING)
    return append_coco(labels, folder, file_names(labels.image_names))


def open_coco(file: str | os.PathLike | bytes,
              sources: Sequence[ImageSource]) -> tuple[list[ImageSource], str]:
    """Adds the objects of a COCO file to the images that it is about.

    An image belongs to an entry of the file if the names are the same, without folders and extensions.
    Objects that an image has already, and crowds, are not added. Nothing is changed if there is an error.

    Args:
        file: The path of the file, or its content. Further images are looked for in the folder ``images``
            beside it.
        sources: The images that are open.

    Returns:
        tuple: the other images of the file, where they were found, with their objects; and a sentence about
        what was opened.

    Raises:
        chainer_seg.errors.DatasetError: The file cannot be used, or an image has another size there.
    """
    dataset = _read_coco(file)
    stems = file_names([pathlib.PurePath(name.replace('\\', '/')).stem for name in dataset.image_names])
    entries = dict(zip(stems, range(len(dataset))))
    changes = [(source, *_merged(source, dataset, entries.pop(name)))
               for source, name in zip(sources, file_names([source.name for source in sources]))
               if name in entries]
    folder = dataset.image_folder
    others = [] if folder is None else [
        of_dataset(dataset, index) for index in sorted(entries.values())
        if (folder / dataset.image_names[index]).is_file()]
    if not changes and not others:
        raise DatasetError(f'None of the images of {_named(file)} is open; open them first, or put them in a '
                           f'folder "images" beside it.')
    for source, moment, _ in changes:
        source.replace(moment)
    told = [f'{count_of(sum(added for _, _, added in changes), "object")} on '
            f'{count_of(len(changes), "open image")}'] if changes else []
    if others:
        told.append(f'{count_of(len(others), "more image")} with their objects')
    return others, f'Opened {" and ".join(told)} from {_named(file)}.'


def _read_coco(file: str | os.PathLike | bytes) -> CocoDataset:
    if isinstance(file, bytes):
        with tempfile.TemporaryDirectory() as temporary:
            path = pathlib.Path(temporary, 'uploaded.json')
            with writing(path):
                path.write_bytes(file)
            return CocoDataset(path, None)
    path = pathlib.Path(file).expanduser()
    folder = path.parent / 'images'
    return CocoDataset(path, folder if folder.is_dir() else None)


def _named(file: str | os.PathLike | bytes) -> str:
    return 'the uploaded file' if isinstance(file, bytes) else str(file)


def _merged(source: ImageSource, dataset: CocoDataset, index: int) -> tuple[Moment, int]:
    """What an image has with the objects of a data set, and how many of them are new."""
    image, moment = source.read()
    size = image.shape[0], image.shape[1]
    if dataset.image_size(index) != size:
        height, width = dataset.image_size(index)
        raise DatasetError(f'{source.name} has {size[0]}x{size[1]} pixels, but {height}x{width} in '
                           f'{dataset.path}; open the image that was annotated.')
    instances = dataset.read_instances(index, size)
    found = objects_of(instances[~instances.crowds])
    new = tuple(each for each in found if not any(_are_same(each, other) for other in moment.objects))
    return Moment(moment.objects + new, moment.state), len(new)


def _are_same(one: ClickObject, other: ClickObject) -> bool:
    names = {each.name or 'object' for each in (one, other)}
    return len(names) == 1 and np.array_equal(one.mask, other.mask)
