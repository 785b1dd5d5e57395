"""Opens a data set of files in any of the forms that are read, told apart by the files themselves."""

import pathlib

from chainer_seg.datasets.coco import CocoDataset
from chainer_seg.datasets.mask_folder import MaskFolder
from chainer_seg.datasets.packed import PackedDataset, is_packed
from chainer_seg.datasets.sbd import SbdDataset
from chainer_seg.datasets.tfrecord import TFRecordDataset
from chainer_seg.datasets.voc import VocDataset, is_voc
from chainer_seg.errors import DatasetError


def open_dataset(annotations, images=None, *, skip_empty=False, keypoints=None):
    """The data set of a file.

    Args:
        annotations: A COCO JSON file; a file that scripts/prepare_dataset.py packed; a list of images
            of VOC or SBD, which ends in ``.txt``; a folder of masks, or one with images and masks as
            :class:`chainer_seg.datasets.MaskFolder` takes it; or TFRecord files as
            :class:`chainer_seg.datasets.TFRecordDataset` takes them, with ``.record`` or
            ``.tfrecord`` in their name.
        images: Folder of the images, which a COCO JSON file needs; of VOC the folder that has
            ``JPEGImages`` in it, and of SBD the one that has ``img`` and ``inst``, where the list does
            not lie in them; or ``JPEGImages`` or ``img`` itself.
        skip_empty (bool): Leave out images without a single object (crowds do not count).
        keypoints (bool): Whether Instances carry keypoints; None: where there are some.

    Returns:
        A data set with ``dataset[i] -> (image, Instances)``, ``class_names``, ``category_ids``,
        ``ids`` and ``image_names``.

    Raises:
        chainer_seg.errors.DatasetError: Something is missing, or not of a form that is read.
    """
    if is_packed(annotations):
        _refuse_images(annotations, images)
        return PackedDataset(annotations, skip_empty=skip_empty, keypoints=keypoints)
    if pathlib.Path(annotations).is_dir():
        _refuse_keypoints(annotations, keypoints)
        return MaskFolder(annotations) if images is None else MaskFolder(images, annotations)
    if pathlib.Path(annotations).suffix == '.txt':
        _refuse_keypoints(annotations, keypoints)
        return _open_list(annotations, images, skip_empty)
    if _is_tfrecord(annotations):
        _refuse_images(annotations, images)
        _refuse_keypoints(annotations, keypoints)
        return TFRecordDataset(annotations, skip_empty=skip_empty)
    if images is None:
        raise DatasetError(f'{pathlib.Path(annotations)} needs its folder of images; name it with '
                           f'--images.')
    return CocoDataset(annotations, images, skip_empty=skip_empty, keypoints=keypoints)


def folder_for(annotations, images, others=None):
    """The folder of images to open a data set with: ``images``, or else that of others.

    None of others for a data set that holds its images itself.
    """
    if images is None and not is_packed(annotations) and not _is_tfrecord(annotations):
        return others
    return images


def _is_tfrecord(annotations):
    return any(ending in pathlib.Path(annotations).name for ending in ('.record', '.tfrecord'))


def _open_list(list_file, folder, skip_empty):
    if is_voc(list_file, folder):
        dataset = VocDataset(list_file, folder, skip_empty=skip_empty)
        dataset.check_objects()
        return dataset
    if folder is not None and pathlib.Path(folder).name == 'img':
        folder = pathlib.Path(folder).parent
    return SbdDataset(list_file, folder, skip_empty=skip_empty)


def _refuse_images(annotations, images):
    if images is not None:
        raise DatasetError(f'{annotations} holds its images itself; leave --images {images} out.')


def _refuse_keypoints(annotations, keypoints):
    if keypoints:
        raise DatasetError(f'{annotations} has no keypoints; leave keypoints out.')
