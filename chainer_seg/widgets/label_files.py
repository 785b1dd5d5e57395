"""Labels as files: masks as images, and COCO JSON."""

import pathlib

import numpy as np

from chainer_seg.datasets import write_coco
from chainer_seg.errors import UserError
from chainer_seg.files import file_names
from chainer_seg.images import write_image

_LONGEST_PART = 100  # bytes, of the names of an image and of an object in that of a file
_NOTHING = 'There is nothing to save yet; click on an object first.'


def save_masks(labels, folder):
    """Writes each object as a black and white PNG, white on the object, as large as its image.

    Args:
        labels: :class:`chainer_seg.widgets.pictures.Labels`.
        folder: Where to; made if missing. Files of the same name are replaced.

    Returns:
        The files, a list of paths such as ``coffee_1_cup.png``.

    Raises:
        chainer_seg.errors.UserError: There is no object.
        chainer_seg.errors.DiskFullError: The files cannot be written.
    """
    if not len(labels):
        raise UserError(_NOTHING)
    written = []
    names = file_names(labels.image_names, _LONGEST_PART)
    for name, (_, instances) in zip(names, labels):
        for number, mask in enumerate(instances.masks):
            label, = file_names([instances.name(number)], _LONGEST_PART)
            written.append(pathlib.Path(folder) / f'{name}_{number + 1}_{label}.png')
            write_image(written[-1], mask.astype(np.uint8) * 255)
    return written


def save_coco(labels, folder, overwrite=False):
    """Writes ``folder/annotations.json`` and ``folder/images``, which ``CocoDataset`` reads.

    Args and errors: As those of :func:`save_masks`; a folder with something in it is an error
    unless ``overwrite`` is True.

    Returns:
        The path of the JSON file.
    """
    if not len(labels):
        raise UserError(_NOTHING)
    folder = pathlib.Path(folder)
    if not overwrite and folder.is_dir() and any(folder.iterdir()):
        raise UserError(f'The folder {folder} is not empty; choose another one, or save with '
                        f'overwrite=True.')
    return write_coco(labels, folder, overwrite=overwrite,
                      names=file_names(labels.image_names))


