"""Opens a data set of files in any of the forms that are read, told apart by the files themselves."""

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
        annotations: A COCO JSON file; a file that chainer-seg data prepare packed; a list of images
            of VOC, SBD or DAVIS, which ends in ``.txt``; a folder of masks, or one with images and masks
            as :class:`chainer_seg.datasets.MaskFolder` takes it; or TFRecord files as
            :class:`chainer_seg.datasets.TFRecordDataset` takes them, with ``.record`` or
            ``.tfrecord`` in their name.
        images: Folder of the images, which a COCO JSON file needs; of VOC the folder that has
            ``JPEGImages`` in it, and of SBD the one that has ``img`` and ``inst``, where the list does
            not lie in them; or ``JPEGImages`` or ``img`` itself.
        skip_empty (bool): Omit images without a single object (crowds do not count).
        keypoints (bool): Whether Instances carry keypoints; None: where there are some.
        labels_as: How masks and label images say what a pixel belongs to; see
            :data:`chainer_seg.stored_pixels.LabelsAs`. Other files take 'auto' alone.
        allow_outside: Whether a list may name files outside its folder and that of the data set.

    Returns:
        A data set with ``dataset[i] -> (image, Instances)``, ``class_names``, ``category_ids``,
        ``ids`` and ``image_names``.

    Raises:
        chainer_seg.errors.DatasetError: Something is missing, or not of a form that is read.
    """
    path = pathlib.Path(annotations)
    if path.suffix != '.txt' and allow_outside:
        raise DatasetError(f'{annotations} is not a list of images; leave --allow-outside out.')
    if path.suffix != '.txt' and not path.is_dir() and labels_as != 'auto':
        raise DatasetError(f'{annotations} has no masks or label images; leave --labels-as out.')
    if is_packed(annotations):
        _refuse_images(annotations, images)
        return PackedDataset(annotations, skip_empty=skip_empty, keypoints=keypoints)
    if path.is_dir():
        _refuse_keypoints(annotations, keypoints)
        folders = (annotations,) if images is None else (images, annotations)
        return MaskFolder(*folders, labels_as=labels_as, skip_empty=skip_empty)
    if path.suffix == '.txt':
        _refuse_keypoints(annotations, keypoints)
        return _open_list(path, images, skip_empty, labels_as, allow_outside)
    if _is_tfrecord(annotations):
        _refuse_images(annotations, images)
        _refuse_keypoints(annotations, keypoints)
        return TFRecordDataset(annotations, skip_empty=skip_empty)
    if images is None:
        raise DatasetError(f'{path} needs its folder of images; name it with '
                           f'--images.')
    return CocoDataset(annotations, images, skip_empty=skip_empty, keypoints=keypoints)


def folder_for(annotations: str | os.PathLike, images: str | os.PathLike | None,
               others: str | os.PathLike | None = None) -> str | os.PathLike | None:
    """The folder of images to open a data set with: ``images``, or else that of others.

    None of others for a data set that holds its images itself.
    """
    if images is None and not is_packed(annotations) and not _is_tfrecord(annotations):
        return others
    return images


def _is_tfrecord(annotations):
    return any(ending in pathlib.Path(annotations).name for ending in ('.record', '.tfrecord'))


def _open_list(list_file, folder, skip_empty, labels_as, allow_outside):
    davis = _davis_of(list_file, folder)
    if davis is not None:
        if allow_outside:
            raise DatasetError(f'{list_file} is a list of DAVIS, which names images by their sequences; '
                               f'leave --allow-outside out.')
        return MaskFolder(*davis, list_file=list_file, labels_as=labels_as, skip_empty=skip_empty)
    if is_voc(list_file, folder):
        dataset = VocDataset(list_file, folder, skip_empty=skip_empty, labels_as=labels_as,
                             allow_outside=allow_outside)
        dataset.check_objects()
        return dataset
    if labels_as != 'auto':
        raise DatasetError(f'{list_file} is a list of SBD, which has no label images; leave --labels-as '
                           f'out.')
    if folder is not None and pathlib.Path(folder).name == 'img':
        folder = pathlib.Path(folder).parent
    return SbdDataset(list_file, folder, skip_empty=skip_empty, allow_outside=allow_outside)


def _davis_of(list_file, folder):
    """DAVIS's folders of images and of masks, where a list is one of DAVIS; None where it is not."""
    roots = [pathlib.Path(folder)] if folder is not None else []
    for root in (*(parent for each in roots for parent in (each, *each.parents[:2])),
                 *list_file.parents[:3]):
        found = davis_folders(root)
        if found is not None:
            return found
    return None


def _refuse_images(annotations, images):
    if images is not None:
        raise DatasetError(f'{annotations} holds its images itself; leave --images {images} out.')


def _refuse_keypoints(annotations, keypoints):
    if keypoints:
        raise DatasetError(f'{annotations} has no keypoints; leave keypoints out.')
