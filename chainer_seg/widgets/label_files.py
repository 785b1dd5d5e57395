"""Saving labels: masks as images, and COCO JSON."""

import os
import pathlib

import numpy as np

from chainer_seg.datasets import write_coco
from chainer_seg.errors import UserError
from chainer_seg.files import file_names
from chainer_seg.images import write_image
from chainer_seg.widgets.image_sources import Labels

_MAX_NAME = 100  # maximum length in bytes of an image's and of an object's name in a file name
_NOTHING = 'There is nothing to save yet; click an object first.'


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

    Arguments and errors are those of :func:`save_masks`; a folder that is not empty is an error
    unless ``overwrite`` is True.

    Returns:
        The path of the JSON file.
    """
    if not len(labels):
        raise UserError(_NOTHING)
    folder = pathlib.Path(folder)
    if not overwrite and folder.is_dir() and any(folder.iterdir()):
        raise UserError(f'The folder {folder} is not empty; choose another folder, or pass '
                        f'overwrite=True.')
    return write_coco(labels, folder, overwrite=overwrite,
                      names=file_names(labels.image_names))


