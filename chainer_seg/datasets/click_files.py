"""The click data files of the TensorFlow implementation of arXiv 1603.04042: maps, labels, lists.

A sample is an image, an object in it, and clicks for this object. A folder of samples contains for each

- ``data/SAMPLE_pnsamples.tif``: two pages of 8 bits, the distance of each pixel to the nearest positive
  and to the nearest negative click, multiplied by a scale and clipped to 255;
- ``labels/SAMPLE_label.tif``: a page of 8 bits, 0 outside the object.

Each line of a text file names an image, without its folder and extension ``.jpg``, and a sample.
"""

import io
import os
import pathlib
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from PIL import Image

from chainer_seg.datasets.list_files import Files, Line, is_inside, outside_error, read_lines
from chainer_seg.errors import DatasetError
from chainer_seg.files import atomic_write
from chainer_seg.images import IMAGE_SUFFIXES, decode_image, read_image_file, read_pages
from chainer_seg.mask_images import read_mask

MAPS_FOLDER, MAPS_ENDING = 'data', '_pnsamples.tif'
LABELS_FOLDER, LABEL_ENDING = 'labels', '_label.tif'
IMAGE_ENDING = '.jpg'

# The image folder, relative to a folder of samples: ours, and that of the TensorFlow implementation.
_IMAGE_FOLDERS = ('images', '../sourceData/JPEGImages')

# Deflate, as in the files of the TensorFlow implementation; every TIFF reader supports it.
_COMPRESSION = 'tiff_adobe_deflate'

_NO_DISTANCE = 255


def maps_path(folder: str | os.PathLike, sample: str) -> pathlib.Path:
    """The file of a sample's click maps."""
    return pathlib.Path(folder, MAPS_FOLDER, sample + MAPS_ENDING)


def label_path(folder: str | os.PathLike, sample: str) -> pathlib.Path:
    """The file of a sample's object."""
    return pathlib.Path(folder, LABELS_FOLDER, sample + LABEL_ENDING)


def write_sample(folder: str | os.PathLike, sample: str, maps: npt.NDArray[np.uint8],
                 label: npt.NDArray[np.bool_]) -> None:
    """Writes both files of a sample atomically, the maps last.

    Args:
        folder: The folder of samples.
        sample: Name of the sample.
        maps: (2, H, W) uint8, as returned by :func:`read_maps`.
        label: (H, W) bool, the object.

    Raises:
        chainer_seg.errors.DiskFullError: There is no space or no permission.
    """
    _write_pages(label_path(folder, sample), [np.where(label, np.uint8(255), np.uint8(0))])
    write_maps(maps_path(folder, sample), maps)


def has_sample(folder: str | os.PathLike, sample: str) -> bool:
    """Whether both files of a sample exist."""
    # The maps are written last.
    return maps_path(folder, sample).is_file() and label_path(folder, sample).is_file()


def write_maps(path: str | os.PathLike, maps: npt.NDArray[np.uint8]) -> None:
    """Writes click maps (2, H, W) uint8, as returned by :func:`read_maps`, to a TIFF file."""
    _write_pages(path, maps)


def read_maps(path: str | os.PathLike) -> npt.NDArray[np.uint8]:
    """The click maps of a file.

    Returns:
        (2, H, W) uint8: the positive map, then the negative one. A map is 0 at its clicks, and 255
        everywhere if it has none.

    Raises:
        chainer_seg.errors.ImageError: The file is missing or truncated.
        chainer_seg.errors.DatasetError: It is no file of click maps.
    """
    return _read_pages(path, 2, 'the distances to positive and to negative clicks')


def read_label(path: str | os.PathLike) -> npt.NDArray[np.bool_]:
    """The object of a label file, (H, W) bool.

    The files of the TensorFlow implementation use 255, 254, ... for the objects of an image, one number
    per file.

    Raises:
        chainer_seg.errors.ImageError: The file is missing or truncated.
        chainer_seg.errors.DatasetError: It is no label file, or has no object or several.
    """
    return read_mask(_read_pages(path, 1, 'an object')[0], f'The label file {path}')[0]


def stored_scale(maps: npt.NDArray[np.uint8]) -> int | None:
    """The integer factor of the distances in stored maps (2, H, W) uint8, which is the smallest of them.

    The nearest pixels to a click are one pixel away from it. None if there are no clicks.
    """
    distances = maps[(maps > 0) & (maps < _NO_DISTANCE)]
    return int(distances.min()) if len(distances) and (maps == 0).any() else None


def read_list(path: str | os.PathLike) -> list[tuple[str, str]]:
    """The lines of a list file: pairs of the names of an image and a sample.

    A line with one name stands for an image and a sample of that name.

    Raises:
        chainer_seg.errors.DatasetError: The file cannot be read or is empty, or a line has more than
            two names.
    """
    return [names for _, names in _read_pairs(path)]


def _read_pairs(path: str | os.PathLike) -> list[tuple[Line, tuple[str, str]]]:
    """The lines, each with the names of its image and sample."""
    pairs = []
    for line in read_lines(path, 'list of samples'):
        names = line.text.split()
        if len(names) > 2:
            raise DatasetError(f'Line {line.number} of {path} has {len(names)} names instead of an '
                               f'image and a sample; names must not contain spaces.')
        pairs.append((line, (names[0], names[-1])))
    return pairs


class ClickFilesDataset:
    """The samples of a list file.

    Args:
        list_file: A file with an image and a sample in each line; see :func:`read_list`. Names may
            contain folders and may be absolute paths.
        folder: The folder that contains ``data`` and ``labels``; that of the list if omitted.
        images: Folder of the images; if omitted, ``images`` in ``folder``, or that of the TensorFlow
            implementation.
        allow_outside: Whether the list may name files outside these folders.
        labels: Whether the files of the objects must exist; :meth:`read_clicked` needs none.

    ``dataset[i]`` is a tuple: the image (H, W, 3) uint8 RGB, its maps (2, H, W) uint8 and the object
    (H, W) bool.

    Attributes:
        ids (list of str): The name of each sample.
        image_names (list of str): The path of each image, relative to the folder of images.

    Raises:
        chainer_seg.errors.DatasetError: The list is invalid, or names files that do not exist.
    """

    def __init__(self, list_file: str | os.PathLike, folder: str | os.PathLike | None = None,
                 images: str | os.PathLike | None = None, *, allow_outside: bool = False,
                 labels: bool = True) -> None:
        self.path = pathlib.Path(list_file)
        self.folder = self.path.parent if folder is None else pathlib.Path(folder)
        pairs = _read_pairs(self.path)
        self.image_folder = _find_images(self.folder) if images is None else pathlib.Path(images)
        if not allow_outside:
            self._refuse_outside(pairs)
        self.ids = [sample for _, (_, sample) in pairs]
        files = Files()
        self.image_names = [_with_ending(self.image_folder, name, files) for _, (name, _) in pairs]
        self._check_files(files, labels)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int
                    ) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
        """The image (H, W, 3) uint8 RGB, its maps (2, H, W) uint8 and the object (H, W) bool.

        Raises:
            IndexError: If index is out of range.
            chainer_seg.errors.ImageError: A file cannot be read.
            chainer_seg.errors.DatasetError: A file has another format, or sizes differ.
        """
        sample = self.ids[index]
        maps = read_maps(maps_path(self.folder, sample))
        label = read_label(label_path(self.folder, sample))
        if maps.shape[1:] != label.shape:
            raise _sizes_differ(maps_path(self.folder, sample), maps.shape[1:],
                                label_path(self.folder, sample), label.shape)
        return self._read_image(index, label.shape), maps, label

    def read_clicked(self, index: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """The image (H, W, 3) uint8 RGB and its maps (2, H, W) uint8; raises the same errors."""
        maps = read_maps(maps_path(self.folder, self.ids[index]))
        return self._read_image(index, maps.shape[1:]), maps

    def _read_image(self, index: int, size: tuple[int, ...]) -> npt.NDArray[np.uint8]:
        """The image, rotated by its EXIF orientation only if that gives it the size of the maps."""
        path = self.image_folder / self.image_names[index]
        data, stored, turned = read_image_file(path)
        if size not in (stored, turned):
            raise _sizes_differ(path, stored, maps_path(self.folder, self.ids[index]), size)
        return decode_image(data, path, rotate=size != stored)

    def _refuse_outside(self, pairs: list[tuple[Line, tuple[str, str]]]) -> None:
        folders = self.image_folder, self.folder, self.path.parent
        for line, names in pairs:
            for folder, name in zip(folders, names):
                if not any(is_inside(folder / name, each) for each in folders):
                    raise outside_error(self.path, line, name)

    def _check_files(self, files: Files, labels: bool) -> None:
        missing = [path for name, sample in zip(self.image_names, self.ids)
                   for path in (self.image_folder / name, maps_path(self.folder, sample),
                                *([label_path(self.folder, sample)] if labels else []))
                   if not files.has(path)]
        if missing:
            others = f' and {len(missing) - 1} others' if len(missing) > 1 else ''
            raise DatasetError(f'{self.path} lists files that do not exist: {missing[0]}{others}; '
                               f'give the folder that contains {MAPS_FOLDER} and {LABELS_FOLDER}, and '
                               f'the folder of the images.')


def _find_images(folder: pathlib.Path) -> pathlib.Path:
    for name in _IMAGE_FOLDERS:
        if (folder / name).is_dir():
            return folder / name
    raise DatasetError(f'{folder} has no folder {_IMAGE_FOLDERS[0]}; give the folder of the images '
                       f'with --images.')


def _with_ending(folder: pathlib.Path, name: str, files: Files) -> str:
    """The file name of a listed image: with the omitted extension, or another one."""
    if files.has(folder / (name + IMAGE_ENDING)):
        return name + IMAGE_ENDING
    found = files.find(folder / name, (IMAGE_ENDING, *sorted(IMAGE_SUFFIXES - {IMAGE_ENDING})))
    return name + IMAGE_ENDING if found is None else os.path.relpath(found, folder)


def _sizes_differ(path: str | os.PathLike, size: tuple[int, ...], other: str | os.PathLike,
                  other_size: tuple[int, ...]) -> DatasetError:
    return DatasetError(f'{path} has {size[0]}x{size[1]} pixels, but {other} has {other_size[0]}x'
                        f'{other_size[1]}; sample clicks again for these images.')


def _write_pages(path: str | os.PathLike, pages: Iterable[npt.NDArray[np.uint8]]) -> None:
    first, *others = map(Image.fromarray, pages)
    encoded = io.BytesIO()
    first.save(encoded, 'TIFF', save_all=True, append_images=others, compression=_COMPRESSION)
    with atomic_write(path) as temporary:
        temporary.write_bytes(encoded.getvalue())


def _read_pages(path: str | os.PathLike, count: int, what: str) -> npt.NDArray[np.uint8]:
    """(count, H, W) uint8."""
    pages = read_pages(path, count + 1)
    kinds = {(page.mode, page.size) for page in pages}
    if len(pages) != count or len(kinds) > 1 or pages[0].mode != 'L':
        found = ', '.join(f'{page.width}x{page.height} {page.mode}' for page in pages)
        raise DatasetError(f'{path} must have {count} 8-bit pages of one size for {what}, but has '
                           f'{found}; sample clicks again.')
    return np.stack([np.asarray(page) for page in pages])
