"""Opens a data set of files in any supported format, which is recognised from the files."""

import os
import pathlib

from chainer_seg.datasets.base import ImageDataset
from chainer_seg.datasets.coco import CocoDataset
from chainer_seg.datasets.mask_folder import MaskFolder, davis_folders
from chainer_seg.datasets.packed import PackedDataset, is_packed
from chainer_seg.datasets.sbd import SbdDataset
from chainer_seg.datasets.tfrecord import TFRecordDataset
from chainer_seg.datasets.voc import VocDataset, is_voc
from chainer_seg.errors import DatasetError
from chainer_seg.stored_pixels import LabelsAs


def open_dataset(annotations: str | os.PathLike, images: str | os.PathLike | None = None, *,
                 skip_empty: bool = False, keypoints: bool | None = None, labels_as: LabelsAs = 'auto',
                 allow_outside: bool = False) -> ImageDataset:
    """The data set of a file.

    Args:
        annotations: A COCO JSON file; a file packed by ``chainer-seg data prepare``; a list of images
            of VOC, SBD or DAVIS with the extension ``.txt``; a folder of masks, or one of images and
            masks (see :class:`chainer_seg.datasets.MaskFolder`); or TFRecord files with ``.record`` or
            ``.tfrecord`` in their name (see :class:`chainer_seg.datasets.TFRecordDataset`).
        images: Folder of the images, which a COCO JSON file needs. If the list is elsewhere: the
            folder that contains VOC's ``JPEGImages``, or SBD's ``img`` and ``inst``; or ``JPEGImages``
            or ``img`` itself.
        skip_empty: Omit images without objects (crowds do not count).
        keypoints: Whether Instances have keypoints; None: if there are any.
        labels_as: How masks and label images encode objects and classes; see
            :data:`chainer_seg.stored_pixels.LabelsAs`. For other files, only 'auto' is allowed.
        allow_outside: Whether a list may name files outside its folder and that of the data set.

    Raises:
        chainer_seg.errors.DatasetError: Something is missing, or the format is not supported.
    """
    path = pathlib.Path(annotations)
    if path.suffix != '.txt' and allow_outside:
        raise DatasetError(f'{annotations} is not a list of images; omit --allow-outside.')
    if path.suffix != '.txt' and not path.is_dir() and labels_as != 'auto':
        raise DatasetError(f'{annotations} has no masks or label images; omit --labels-as.')
    if is_packed(annotations):
        _refuse_images(annotations, images)
        return PackedDataset(annotations, skip_empty=skip_empty, keypoints=keypoints)
    if path.is_dir():
        _refuse_keypoints(annotations, keypoints)
        folders = (annotations, None) if images is None else (images, annotations)
        return MaskFolder(*folders, labels_as=labels_as, skip_empty=skip_empty)
    if path.suffix == '.txt':
        _refuse_keypoints(annotations, keypoints)
        return _open_list(path, images, skip_empty, labels_as, allow_outside)
    if _is_tfrecord(annotations):
        _refuse_images(annotations, images)
        _refuse_keypoints(annotations, keypoints)
        return TFRecordDataset(annotations, skip_empty=skip_empty)
    if images is None:
        raise DatasetError(f'{path} needs its folder of images; give it with '
                           f'--images.')
    return CocoDataset(annotations, images, skip_empty=skip_empty, keypoints=keypoints)


def folder_for(annotations: str | os.PathLike, images: str | os.PathLike | None,
               others: str | os.PathLike | None = None) -> str | os.PathLike | None:
    """The folder of images of a data set: ``images``, or by default ``others``, that of another data set.

    Packed data sets and TFRecord files contain their images, so that ``others`` is not used for them.
    """
    if images is None and not is_packed(annotations) and not _is_tfrecord(annotations):
        return others
    return images


def _is_tfrecord(annotations: str | os.PathLike) -> bool:
    return any(ending in pathlib.Path(annotations).name for ending in ('.record', '.tfrecord'))


def _open_list(list_file: pathlib.Path, folder: str | os.PathLike | None, skip_empty: bool,
               labels_as: LabelsAs, allow_outside: bool) -> ImageDataset:
    davis = _davis_of(list_file, folder)
    if davis is not None:
        if allow_outside:
            raise DatasetError(f'{list_file} is a list of DAVIS, which names images by their sequences; '
                               f'omit --allow-outside.')
        return MaskFolder(*davis, list_file=list_file, labels_as=labels_as, skip_empty=skip_empty)
    if is_voc(list_file, folder):
        dataset = VocDataset(list_file, folder, skip_empty=skip_empty, labels_as=labels_as,
                             allow_outside=allow_outside)
        dataset.check_objects()
        return dataset
    if labels_as != 'auto':
        raise DatasetError(f'{list_file} is a list of SBD, which has no label images; omit '
                           f'--labels-as.')
    if folder is not None and pathlib.Path(folder).name == 'img':
        folder = pathlib.Path(folder).parent
    return SbdDataset(list_file, folder, skip_empty=skip_empty, allow_outside=allow_outside)


def _davis_of(list_file: pathlib.Path,
              folder: str | os.PathLike | None) -> tuple[pathlib.Path, pathlib.Path] | None:
    """The folders of images and of masks if a list is one of DAVIS; otherwise None."""
    roots = [pathlib.Path(folder)] if folder is not None else []
    for root in (*(parent for each in roots for parent in (each, *each.parents[:2])),
                 *list_file.parents[:3]):
        found = davis_folders(root)
        if found is not None:
            return found
    return None


def _refuse_images(annotations: str | os.PathLike, images: str | os.PathLike | None) -> None:
    if images is not None:
        raise DatasetError(f'{annotations} contains its images; omit --images {images}.')


def _refuse_keypoints(annotations: str | os.PathLike, keypoints: bool | None) -> None:
    if keypoints:
        raise DatasetError(f'{annotations} has no keypoints; do not ask for keypoints.')
