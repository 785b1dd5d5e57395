"""A folder of images and one of masks, an object for each, as GrabCut, Berkeley and DAVIS have them.

The public copies of these sets are those of the authors of f-BRS (arXiv 2001.10331).
"""

import pathlib

import numpy as np

from chainer_seg.datasets.base import ImageDataset
from chainer_seg.errors import DatasetError
from chainer_seg.images import IMAGE_SUFFIXES, read_image_file, read_picture
from chainer_seg.instances import Instances

# The folders of images and of masks in GrabCut, in Berkeley, and in DAVIS and COCO_MVal.
LAYOUTS = (('data_GT', 'boundary_GT'), ('images', 'masks'), ('img', 'gt'))

_UNKNOWN = 128  # GrabCut's grey along the boundary, for what may belong to either side.
_VOID = 255  # VOC's index for it, and its colour.
_VOID_COLOUR = (224, 224, 192)


class MaskFolder(ImageDataset):
    """Images with one or more masks, each of one object.

    A mask has the name of its image, or that name, ``#`` and more: ``112082.png``, or ``112082#1.png``
    and ``112082#2.png`` for two objects. The files may have different endings. Images without a mask
    are left out. :func:`read_mask` says what a mask may look like.

    Args:
        images: Folder of the images.
        masks: Folder of the masks; left out, ``images`` holds both folders, named as in one of
            :data:`LAYOUTS`.

    Attributes:
        ids (list of str): The name of each image, without its ending.
        image_names (list of str): The file name of each image.
        category_ids (list of int): 1.
        class_names (tuple of str): 'object'.
        image_folder (pathlib.Path): Where the image files are.

    Raises:
        chainer_seg.errors.DatasetError: A folder is missing, there are no masks, or one has no image.
    """

    class_names = ('object',)

    def __init__(self, images, masks=None):
        images, masks = find_layout(images) if masks is None else (images, masks)
        self.image_folder, self.path = pathlib.Path(images), pathlib.Path(masks)
        self.category_ids = [1]
        self._masks = _masks_of_images(self.image_folder, self.path)
        self._list([path.stem for path in self._masks], [path.name for path in self._masks])
        self._masks = list(self._masks.values())

    def read_file(self, index):
        """The bytes of the image file, and whether the image is turned as its EXIF data ask."""
        path, size = self.image_folder / self.image_names[index], self.image_size(index)
        data, stored, turned = read_image_file(path)
        if size not in (stored, turned):
            raise DatasetError(f'The mask {self._mask_paths(index)[0]} has {_written(size)} pixels, but '
                               f'its image {path} has {_written(stored)}; give both in one size.')
        return data, size != stored

    def image_size(self, index):
        """(H, W) in pixels, which is the size of the mask."""
        return read_image_file(self._mask_paths(index)[0])[1]

    def read_instances(self, index):
        """The objects of one image, without reading the image."""
        return Instances(self._read_masks(index)[0], class_names=self.class_names)

    def read_void(self, index):
        """(R, H, W) bool: where the mask of an object does not tell whether a pixel belongs to it."""
        return self._read_masks(index)[1]

    def _read_masks(self, index):
        """The objects of an image, and what is unknown of each, both (R, H, W) bool."""
        paths = self._mask_paths(index)
        masks = [read_mask(path) for path in paths]
        for path, (mask, _) in zip(paths, masks):
            if mask.shape != masks[0][0].shape:
                raise DatasetError(f'The mask {path} has {_written(mask.shape)} pixels, but {paths[0]} '
                                   f'of the same image has {_written(masks[0][0].shape)}; give both in '
                                   f'one size.')
        return tuple(np.stack(part) for part in zip(*masks))

    def _mask_paths(self, index):
        return self._masks[self._rows[index]]


def read_mask(path):
    """The object of a mask file.

    - Grey levels, also as a palette or RGB: a single level besides black is the object; otherwise what
      is brighter than 128, and 128 itself is unknown, as in GrabCut; or 1, where only 0 and 255 occur
      besides, and 255 is unknown.
    - Colours: the object is what is not black; VOC's index or colour of its void is unknown.
    - With transparency that differs between pixels, the object is what is more opaque than not.

    Args:
        path: A picture file.

    Returns:
        Two (H, W) bool: the object, and where it is unknown whether a pixel belongs to it.

    Raises:
        chainer_seg.errors.ImageError: The file is missing or not a picture.
        chainer_seg.errors.DatasetError: It marks no object, or is no mask.
    """
    picture = read_picture(path)
    mask, unknown = _parts(picture, path)
    if not mask.any():
        raise DatasetError(f'The mask {path} marks no object; draw one in white, or take the file away.')
    return mask, unknown


def find_layout(folder):
    """The folders of images and of masks in ``folder``, named as in one of :data:`LAYOUTS`.

    Raises:
        chainer_seg.errors.DatasetError: There are none.
    """
    folder = pathlib.Path(folder)
    for names in LAYOUTS:
        if all((folder / name).is_dir() for name in names):
            return tuple(folder / name for name in names)
    layouts = ', or '.join(' and '.join(names) for names in LAYOUTS)
    raise DatasetError(f'{folder} does not hold a folder of images and one of masks named {layouts}; '
                       f'name both folders.')


def _parts(picture, path):
    """The object and what is unknown, (H, W) bool, of a Pillow picture."""
    if picture.mode == 'P' and not _is_grey(np.asarray(picture.convert('RGB'))):
        indices = np.asarray(picture)
        return (indices != 0) & (indices != _VOID), indices == _VOID
    if picture.mode in ('LA', 'RGBA', 'PA'):
        alpha = np.asarray(picture.getchannel('A'))
        if np.ptp(alpha):
            return alpha > 127, np.zeros(alpha.shape, bool)
    if picture.mode in ('1', 'L') or picture.mode.startswith('I'):
        return _levels_parts(np.asarray(picture), path)
    colours = np.asarray(picture.convert('RGB'))
    if _is_grey(colours):
        return _levels_parts(colours[:, :, 0], path)
    unknown = (colours == _VOID_COLOUR).all(axis=2)
    return colours.any(axis=2) & ~unknown, unknown


def _levels_parts(levels, path):
    """The object and what is unknown by grey levels (H, W)."""
    occurring = set(np.unique(levels).tolist()) - {0}
    if len(occurring) == 1 and occurring != {_UNKNOWN}:
        return levels > 0, np.zeros(levels.shape, bool)
    if occurring == {1, _VOID}:
        return levels == 1, levels == _VOID
    brightest = max(occurring, default=0)
    if brightest > 255:  # 16 bits
        levels = levels // 257
    elif 0 < brightest < _UNKNOWN:
        raise DatasetError(f'{path} is no mask of one object, for it has {len(occurring)} dark greys, '
                           f'up to {brightest}; give black and white, or 0 and 1.')
    return levels > _UNKNOWN, levels == _UNKNOWN


def _is_grey(colours):
    return (colours == colours[:, :, :1]).all()


def _masks_of_images(images, masks):
    """The masks of each image that has some: ``{image file: [mask file, ...]}``, both sorted."""
    image_of = _files_by_name(images, 'images')
    found, alone = {}, []
    for name, mask in _files_by_name(masks, 'masks').items():
        image = image_of.get(name, image_of.get(name.rpartition('#')[0]))
        if image is None:
            alone.append(mask)
        else:
            found.setdefault(image, []).append(mask)
    if alone:
        others = f' and {len(alone) - 1} others have' if len(alone) > 1 else ' has'
        raise DatasetError(f'The mask {alone[0]}{others} no image of that name in {images}; add the '
                           f'image, or take the mask away.')
    return dict(sorted(found.items()))


def _files_by_name(folder, content):
    """The picture files of a folder by their names without ending, sorted."""
    if not folder.is_dir():
        raise DatasetError(f'There is no folder of {content} {folder}; check the path.')
    files = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in IMAGE_SUFFIXES or path.name.startswith('.'):
            continue
        if path.stem in files:
            raise DatasetError(f'{files[path.stem].name} and {path.name} in the folder of {content} '
                               f'{folder} have one name; take one of them away.')
        files[path.stem] = path
    if not files:
        raise DatasetError(f'The folder of {content} {folder} holds no pictures.')
    return files


def _written(size):
    return 'x'.join(map(str, size))
