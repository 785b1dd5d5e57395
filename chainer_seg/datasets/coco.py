"""The data set of a COCO annotation file and its folder of images."""

import copy
import pathlib

import numpy as np

from chainer_seg import boxes, masks
from chainer_seg.datasets.coco_json import is_id, is_number, keypoint_count, read_coco_json
from chainer_seg.datasets.segmentations import box_to_rle, segmentation_to_rle
from chainer_seg.errors import DatasetError
from chainer_seg.images import decode_image, read_image_file
from chainer_seg.instances import Instances

_CHECK = 'run scripts/check_dataset.py to see all that is wrong'


class CocoDataset:
    """Images and objects of a COCO annotation file.

    Masks come from polygons, run lengths or compressed run lengths. An annotation without a
    segmentation, or with one that encloses nothing, gets the pixels that its box touches. Boxes
    and areas are the annotated ones where given, otherwise those of the mask. Labels count the
    categories in the order of their ids.

    COCO's coordinates refer to the pixels as stored in the image file: a picture whose stored
    size is the one in the JSON is not turned, whatever its EXIF orientation says. Where only
    the turned picture has the JSON's size, or the JSON gives no size, it is turned as viewers do.

    Args:
        annotations: Path of the JSON file.
        images: Folder of the images.
        skip_empty (bool): Leave out images without a single object (crowds do not count).
        keypoints (bool): Whether Instances carry keypoints; None: where a category names some.

    Attributes:
        ids (list): The COCO image id of each image.
        image_names (list of str): The file name of each image, relative to the folder.
        image_folder (pathlib.Path): This folder.
        category_ids (list of int): The COCO category id of each label.
        class_names (tuple of str): The name of each label.
        coco (dict): The content of the JSON file.

    Raises:
        chainer_seg.errors.DatasetError: If the file or folder is missing, not COCO, or empty.
    """

    def __init__(self, annotations, images, *, skip_empty=False, keypoints=None):
        self.path, self.image_folder = pathlib.Path(annotations), pathlib.Path(images)
        self.coco = read_coco_json(annotations)
        if not self.image_folder.is_dir():
            raise DatasetError(f'There is no folder of images {self.image_folder}; check the path.')
        self._read_categories(keypoints)
        self._group_annotations()
        self._images = [image for image in self._checked_images()
                        if not skip_empty or self._has_objects(image['id'])]
        self.ids = [image['id'] for image in self._images]
        self.image_names = [image['file_name'] for image in self._images]
        if not self._images:
            without = ' with objects' if skip_empty else ''
            raise DatasetError(f'The data set {self.path} has no images{without}.')

    def __len__(self):
        return len(self._images)

    def __getitem__(self, index):
        """One image and its objects.

        Returns:
            tuple: image (H, W, 3) uint8 RGB and its :class:`Instances`.

        Raises:
            IndexError: If index is out of range.
            chainer_seg.errors.ImageError: If the file is missing or unreadable.
            chainer_seg.errors.DatasetError: If the file's size is not the JSON's, or an
                annotation makes no sense.
        """
        image = self.read_image(index)
        return image, self.read_instances(index, image.shape[:2])

    def part(self, numbers):
        """The same data set with only the images of these numbers, in this order."""
        part = copy.copy(self)
        part._images = [self._images[number] for number in numbers]
        part.ids = [image['id'] for image in part._images]
        part.image_names = [image['file_name'] for image in part._images]
        return part

    def read_image(self, index):
        """The image alone, (H, W, 3) uint8 RGB; raises as ``dataset[index]`` does."""
        data, rotate = self.read_file(index)
        return decode_image(data, self.image_folder / self.image_names[index], rotate=rotate)

    def read_file(self, index):
        """The bytes of the image file, and whether the image is turned as its EXIF data ask."""
        path, size = self.image_folder / self.image_names[index], _size_of(self._images[index])
        data, stored, turned = read_image_file(path)
        if size not in (None, stored, turned):
            raise DatasetError(
                f'The image {path} has {stored[0]}x{stored[1]} pixels, but {self.path} '
                f'says {size[0]}x{size[1]}; use the images that were annotated.')
        return data, size != stored

    def image_size(self, index):
        """(H, W) in pixels; read from the image where the JSON does not give it."""
        return _size_of(self._images[index]) or self.read_image(index).shape[:2]

    def read_instances(self, index, size=None):
        """The objects of one image without reading the image.

        Args:
            index (int): Number of the image.
            size: (height, width); needed where the JSON does not give it, and read from the
                image where left out.
        """
        entry = self._images[index]
        size = size or self.image_size(index)
        annotations = self._by_image.get(entry['id'], [])
        if not annotations:
            return Instances.empty(
                *size, class_names=self.class_names,
                keypoints=self._keypoint_count if self._with_keypoints else None)
        decoded = masks.decode_rle([self._rle_of(a, size) for a in annotations], size)
        tight = masks.mask_to_bbox(decoded)
        keypoints = None
        if self._with_keypoints:
            keypoints = np.stack([self._keypoints_of(a) for a in annotations])
        return Instances(
            masks=decoded,
            bboxes=np.stack([self._box_of(a, t) for a, t in zip(annotations, tight, strict=True)]),
            labels=[self._label_of(a) for a in annotations],
            keypoints=keypoints, class_names=self.class_names,
            crowds=[bool(a.get('iscrowd', 0)) for a in annotations],
            areas=[a['area'] if is_number(a.get('area')) else mask.sum()
                   for a, mask in zip(annotations, decoded, strict=True)])

    def read_boxes(self, index):
        """labels (R,), bboxes (R, 4), areas (R,) and crowds (R,) of one image.

        Masks are decoded only where an annotation lacks its box or its area.
        """
        annotations = self._by_image.get(self.ids[index], [])
        if not all('bbox' in each and is_number(each.get('area')) for each in annotations):
            instances = self.read_instances(index)
            return instances.labels, instances.bboxes, instances.areas, instances.crowds
        bboxes = [self._box_of(each, None) for each in annotations]
        return (np.array([self._label_of(each) for each in annotations], np.int32),
                np.array(bboxes, np.float32).reshape(-1, 4),
                np.array([each['area'] for each in annotations], np.float32),
                np.array([bool(each.get('iscrowd', 0)) for each in annotations], bool))

    def _read_categories(self, keypoints):
        for category in self.coco['categories']:
            if not isinstance(category.get('id'), int):
                raise DatasetError(f'{self.path} has a category without a whole number as id; '
                                   f'{_CHECK}.')
        categories = sorted(self.coco['categories'], key=lambda category: category['id'])
        self.category_ids = [category['id'] for category in categories]
        self.class_names = tuple(str(c.get('name', c['id'])) for c in categories)
        self._labels = {category: label for label, category in enumerate(self.category_ids)}
        if len(self._labels) < len(categories):
            raise DatasetError(f'{self.path} gives one category id twice; {_CHECK}.')
        self._keypoint_count = max(map(keypoint_count, categories), default=0)
        if keypoints and not self._keypoint_count:
            raise DatasetError(f'{self.path} has no category with keypoints; use a '
                               f'person_keypoints file or leave keypoints out.')
        self._with_keypoints = bool(self._keypoint_count) if keypoints is None else bool(keypoints)

    def _group_annotations(self):
        self._by_image = {}
        for annotation in self.coco['annotations']:
            if is_id(annotation.get('image_id')):
                self._by_image.setdefault(annotation['image_id'], []).append(annotation)

    def _checked_images(self):
        seen = set()
        for image in self.coco['images']:
            if not is_id(image.get('id')) or not isinstance(image.get('file_name'), str):
                raise DatasetError(f'{self.path} has an image without an id or a file_name; '
                                   f'{_CHECK}.')
            if image['id'] in seen:
                raise DatasetError(f'{self.path} gives the image id {image["id"]} twice; {_CHECK}.')
            seen.add(image['id'])
        return self.coco['images']

    def _has_objects(self, image_id):
        return any(not a.get('iscrowd', 0) for a in self._by_image.get(image_id, ()))

    def _fault(self, annotation, reason):
        return DatasetError(f'Annotation {annotation.get("id")} of {self.path} cannot be used: '
                            f'{reason}; {_CHECK}.')

    def _label_of(self, annotation):
        category = annotation.get('category_id')
        if not is_id(category) or category not in self._labels:
            raise self._fault(annotation, f'its category {category} is not in the list')
        return self._labels[category]

    def _rle_of(self, annotation, size):
        code = None
        if annotation.get('segmentation'):
            try:
                code = segmentation_to_rle(annotation['segmentation'], size)
            except ValueError as error:
                raise self._fault(annotation, str(error)) from error
        if code is not None:
            return code
        if 'bbox' not in annotation:
            raise self._fault(annotation, 'it has neither a segmentation nor a box')
        self._box_of(annotation, None)
        return box_to_rle(annotation['bbox'], size)

    def _box_of(self, annotation, tight):
        if 'bbox' not in annotation:
            return tight
        box = annotation['bbox']
        if not isinstance(box, list) or len(box) != 4 or not all(is_number(v) for v in box):
            raise self._fault(annotation, 'its box is not four numbers')
        return boxes.from_xywh(np.array([box], np.float32))[0]

    def _keypoints_of(self, annotation):
        """(K, 3) float32 (y, x, visibility); zeros where the annotation has none."""
        points = np.zeros((self._keypoint_count, 3), np.float32)
        flat = annotation.get('keypoints') or []
        if (not isinstance(flat, list) or len(flat) % 3 or len(flat) > 3 * len(points)
                or not all(is_number(value) for value in flat)):
            raise self._fault(annotation, f'its keypoints are not 3 times {len(points)} numbers')
        given = np.asarray(flat, np.float32).reshape(-1, 3)
        points[:len(given)] = given[:, [1, 0, 2]]
        return points


def _size_of(entry):
    """(height, width) that the JSON gives for an image, or None."""
    size = entry.get('height'), entry.get('width')
    return size if all(isinstance(s, int) and s > 0 for s in size) else None
