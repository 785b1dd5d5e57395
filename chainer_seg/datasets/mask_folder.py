"""A folder of images and one of masks, the layout of GrabCut, Berkeley and DAVIS.

The public copies of these sets are those of the authors of f-BRS (arXiv 2001.10331); DAVIS
(arXiv 1704.00675) is also read in the layout of its own archives.
"""

import os
import pathlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from chainer_seg.datasets.base import ImageDataset
from chainer_seg.datasets.list_files import read_lines
from chainer_seg.errors import DatasetError, quoted
from chainer_seg.images import IMAGE_SUFFIXES, read_image_file
from chainer_seg.instances import Instances
from chainer_seg.label_images import Guesses, LabelsAs
from chainer_seg.mask_images import ObjectMasks, read_mask, read_objects

__all__ = ['LAYOUTS', 'MaskFolder', 'davis_folders', 'find_layout', 'read_mask']

# The folders of images and of masks in GrabCut, in Berkeley, and in f-BRS's DAVIS and COCO_MVal.
LAYOUTS = (('data_GT', 'boundary_GT'), ('images', 'masks'), ('img', 'gt'))
_DAVIS = ('JPEGImages', 'Annotations')
_RESOLUTIONS = ('480p', 'Full-Resolution', '1080p')  # subfolders of both; the first one found is read


class MaskFolder(ImageDataset):
    """Images with one or more masks, each of one or more objects.

    A mask has the name of its image, optionally followed by ``#`` and more: ``112082.png``, or
    ``112082#1.png`` and ``112082#2.png`` for two objects. Extensions may differ, and the files may be in
    subfolders of equal names, like DAVIS's sequences. Images without a mask are omitted.
    :mod:`chainer_seg.mask_images` describes the formats of masks; each object in a mask is a row.

    Args:
        images: Folder of the images.
        masks: Folder of the masks; by default, ``images`` contains both folders, named as in one of
            :data:`LAYOUTS` or as in DAVIS.
        list_file: A text file that names an image, an image and its mask, or a folder of images in each
            line; all other images are omitted.
        labels_as: How masks encode objects; see :func:`chainer_seg.mask_images.read_objects`.
        skip_empty: Omit images without objects, which only sequences may have; reads all masks.

    Attributes:
        ids (list of str): The name of each image, without its ending.
        image_names (list of str): The file name of each image.
        category_ids (list of int): 1.
        class_names (tuple of str): 'object'.
        image_folder (pathlib.Path): The folder of the images.

    Raises:
        chainer_seg.errors.DatasetError: A folder is missing, there are no masks, or a mask has no image.
    """

    class_names = ('object',)
    image_folder: pathlib.Path

    def __init__(self, images: str | os.PathLike, masks: str | os.PathLike | None = None, *,
                 list_file: str | os.PathLike | None = None, labels_as: LabelsAs = 'auto',
                 skip_empty: bool = False) -> None:
        images, masks = find_layout(images) if masks is None else (images, masks)
        self.image_folder, self.path = pathlib.Path(images), pathlib.Path(masks)
        self.category_ids = [1]
        self._labels_as, self._guesses = labels_as, Guesses()
        masks_of = _masks_of_images(self.image_folder, self.path)
        if list_file is not None:
            masks_of = _listed(masks_of, pathlib.Path(list_file))
        self._masks = list(masks_of.values())
        self._list([str(pathlib.PurePosixPath(name).with_suffix('')) for name in masks_of], masks_of)
        if skip_empty and any('/' in name for name in masks_of):
            self._keep_filled([len(self.read_instances(number)) > 0 for number in range(len(self))])

    def read_file(self, index: int) -> tuple[bytes, bool]:
        """The bytes of the image file, and whether to rotate the image by its EXIF orientation."""
        path, size = self.image_folder / self.image_names[index], self.image_size(index)
        data, stored, turned = read_image_file(path)
        if size not in (stored, turned):
            raise DatasetError(f'The mask {self._mask_paths(index)[0]} has {_written(size)} pixels, but '
                               f'its image {path} has {_written(stored)}; both must have the same size.')
        return data, size != stored

    def image_size(self, index: int) -> tuple[int, int]:
        """(H, W) in pixels, which is the size of the mask."""
        return read_image_file(self._mask_paths(index)[0])[1]

    def read_instances(self, index: int) -> Instances:
        """The objects of one image, without reading the image."""
        masks = np.concatenate([each.masks for each in self._read_masks(index)])
        return Instances(masks, class_names=self.class_names)

    def read_void(self, index: int) -> npt.NDArray[np.bool_]:
        """(R, H, W) bool: the pixels that the mask of an object marks as unknown."""
        return np.concatenate([np.broadcast_to(each.unknown, each.masks.shape)
                               for each in self._read_masks(index)])

    def _read_masks(self, index: int) -> list[ObjectMasks]:
        """The objects of each mask of an image."""
        paths = self._mask_paths(index)
        # In a sequence, an object may be invisible for a while.
        found = [read_objects(path, labels_as=self._labels_as, empty='/' in self.image_names[index])
                 for path in paths]
        for path, each in zip(paths, found):
            if each.guess is not None:
                self._guesses(path, each.guess)
            if each.unknown.shape != found[0].unknown.shape:
                raise DatasetError(f'The mask {path} has {_written(each.unknown.shape)} pixels, but '
                                   f'{paths[0]} of the same image has '
                                   f'{_written(found[0].unknown.shape)}; both must have the same size.')
        return found

    def _mask_paths(self, index: int) -> list[pathlib.Path]:
        return self._masks[self._rows[index]]


def find_layout(folder: str | os.PathLike) -> tuple[pathlib.Path, pathlib.Path]:
    """The folders of images and of masks in ``folder``, named as in :data:`LAYOUTS` or as in DAVIS.

    Raises:
        chainer_seg.errors.DatasetError: There are none.
    """
    folder = pathlib.Path(folder)
    for names in LAYOUTS:
        if all((folder / name).is_dir() for name in names):
            return folder / names[0], folder / names[1]
    davis = davis_folders(folder)
    if davis is not None:
        return davis
    layouts = ', or '.join(' and '.join(names) for names in LAYOUTS)
    raise DatasetError(f'{folder} does not contain folders of images and masks named {layouts}, or '
                       f'JPEGImages/480p and Annotations/480p; give both folders.')


def davis_folders(folder: str | os.PathLike) -> tuple[pathlib.Path, pathlib.Path] | None:
    """The folders of images and of masks if ``folder`` is an unpacked archive of DAVIS, or None."""
    for resolution in _RESOLUTIONS:
        images, masks = (pathlib.Path(folder, name, resolution) for name in _DAVIS)
        if images.is_dir() and masks.is_dir():
            return images, masks
    return None


def _masks_of_images(images: pathlib.Path, masks: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """The masks of each image that has some: ``{image file: [mask file, ...]}``, both sorted."""
    image_of = _files_by_name(images, 'images')
    found: dict[str, list[pathlib.Path]] = {}
    alone = []
    for name, mask in _files_by_name(masks, 'masks').items():
        image = image_of.get(name, image_of.get(name.rpartition('#')[0]))
        if image is None:
            alone.append(mask)
        else:
            found.setdefault(image.relative_to(images).as_posix(), []).append(mask)
    if alone:
        others = f' and {len(alone) - 1} others have' if len(alone) > 1 else ' has'
        raise DatasetError(f'The mask {alone[0]}{others} no image with that name in {images}; add the '
                           f'image, or remove the mask.')
    return dict(sorted(found.items()))


def _listed(masks_of: dict[str, list[pathlib.Path]],
            list_file: pathlib.Path) -> dict[str, list[pathlib.Path]]:
    """The items of ``{image file: masks}`` that a list names, in the order of the list."""
    by_name = {str(pathlib.PurePosixPath(name).with_suffix('')): name for name in masks_of}
    by_folder: dict[str, list[str]] = {}
    for name in masks_of:
        for folder in pathlib.PurePosixPath(name).parents:
            by_folder.setdefault(str(folder), []).append(name)
    chosen: dict[str, list[pathlib.Path]] = {}
    unknown = []
    for line in read_lines(list_file):
        found, pair = None, line.pair()
        for name in [pair[0]] if pair else line.names():
            parts = [part for part in name.split('/') if part not in ('', '.')]
            for start in range(len(parts)):
                path = pathlib.PurePosixPath(*parts[start:])
                stem = str(path.with_suffix('') if path.suffix.lower() in IMAGE_SUFFIXES else path)
                found = found or ([by_name[stem]] if stem in by_name else by_folder.get(stem))
        if found is None:
            unknown.append(line)
        chosen.update({name: masks_of[name] for name in found or ()})
    if unknown:
        others = f' and {len(unknown) - 1} other lines name' if len(unknown) > 1 else ' names'
        raise DatasetError(f'Line {unknown[0].number} of {list_file}{others} no image with a mask: '
                           f'{quoted(unknown[0].text)}; use the names of images or folders of images.')
    return chosen


def _files_by_name(folder: pathlib.Path, content: str) -> dict[str, pathlib.Path]:
    """The image files in a folder and its subfolders by their relative paths without extension, sorted."""
    if not folder.is_dir():
        raise DatasetError(f'There is no folder of {content} {folder}; check the path.')
    files: dict[str, pathlib.Path] = {}
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith('.'))
        for path in (pathlib.Path(parent, name) for name in sorted(names)):
            if path.suffix.lower() not in IMAGE_SUFFIXES or path.name.startswith('.'):
                continue
            name = path.relative_to(folder).with_suffix('').as_posix()
            if name in files:
                raise DatasetError(f'{files[name].name} and {path.name} in the folder of {content} '
                                   f'{path.parent} have the same name; remove one of them.')
            files[name] = path
    if not files:
        raise DatasetError(f'The folder of {content} {folder} contains no images; check the path.')
    return files


def _written(size: Iterable[int]) -> str:
    return 'x'.join(map(str, size))
