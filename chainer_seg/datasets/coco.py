"""The data set of a COCO annotation file and its folder of images."""

import logging
import os
import pathlib
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_seg import boxes
from chainer_seg.datasets.base import Boxes, Example, ImageDataset
from chainer_seg.datasets.coco_annotations import keypoint_faults
from chainer_seg.datasets.coco_boxes import box_conventions
from chainer_seg.datasets.coco_entries import normalise, size_fault, size_of
from chainer_seg.datasets.coco_json import Entry, Problem, collector_paused, keypoint_count, read_coco_json
from chainer_seg.datasets.image_names import find_images
from chainer_seg.datasets.segmentations import segmentation_to_rle
from chainer_seg.errors import DatasetError, ImageError, shortened
from chainer_seg.images import decode_image, read_image_file
from chainer_seg.instances import Instances
from chainer_seg.rle import rle_of_box
from chainer_seg.run_length_masks import RunLengthMasks

log = logging.getLogger(__name__)

_CHECK = 'run "chainer-seg data check" to list all problems'


class CocoDataset(ImageDataset):
    """Images and objects of a COCO annotation file.

    Masks are polygons or run-length encodings, compressed or not. An annotation whose segmentation
    is missing or encloses nothing gets the pixels that its box touches. Boxes and areas are the
    annotated ones if given, otherwise those of the mask. Labels number the categories in the order of
    their ids.

    COCO's coordinates refer to the pixels as stored in the image file: an image whose stored size is
    the one in the JSON is not rotated, whatever its EXIF orientation is. If only the rotated image has
    the size in the JSON, or the JSON has no size, it is rotated as viewers do.

    Numbers, ids and names as other programs write them are normalised by
    :mod:`chainer_seg.datasets.coco_entries` and :mod:`chainer_seg.datasets.image_names`. Unambiguous
    deviations are read, with one logged warning for each kind; others are errors.
    ``chainer-seg data check`` lists both.

    Args:
        annotations: Path of the JSON file.
        images: Folder of the images; None if only the objects are read.
        skip_empty: Omit images without objects (crowds do not count).
        keypoints: Whether Instances have keypoints; None: if a category has keypoints.

    Attributes:
        ids (list): The COCO image id of each image.
        image_names (list of str): The file of each image, relative to the folder.
        image_folder (pathlib.Path): This folder, or None.
        category_ids (list of int): The COCO category id of each label.
        class_names (tuple of str): The name of each label.
        coco (dict): The normalised content of the JSON file.

    Raises:
        chainer_seg.errors.DatasetError: If the file or folder is missing, not COCO, or empty, or an
            entry is invalid.
    """

    def __init__(self, annotations: str | os.PathLike, images: str | os.PathLike | None, *,
                 skip_empty: bool = False, keypoints: bool | None = None) -> None:
        self.path = pathlib.Path(annotations)
        self.image_folder = None if images is None else pathlib.Path(images)
        self.coco = read_coco_json(annotations)
        if self.image_folder is not None and not self.image_folder.is_dir():
            raise DatasetError(f'There is no folder of images {self.image_folder}; check the path.')
        self._warned_of_empty = False  # that a mask has no pixels
        self._check()
        self._read_categories(keypoints)
        self._by_image: dict[int | str, list[Entry]] = {image['id']: [] for image in self.coco['images']}
        for annotation in self.coco['annotations']:
            if annotation['image_id'] in self._by_image:
                self._by_image[annotation['image_id']].append(annotation)
        self._images = [image for image in self.coco['images']
                        if not skip_empty or self._has_objects(image['id'])]
        if not self._images:
            raise DatasetError(f'The data set {self.path} has no images{self._why_empty(skip_empty)}.')
        self._list([image['id'] for image in self._images],
                   [image['file_name'] for image in self._images])
        self._find_images()

    def __getitem__(self, index: int) -> Example:
        """One image (H, W, 3) uint8 RGB and its :class:`Instances`.

        Raises:
            IndexError: If index is out of range.
            chainer_seg.errors.ImageError: If the file is missing or unreadable.
            chainer_seg.errors.DatasetError: If the size of the image is not that in the JSON, or an
                annotation is invalid.
        """
        image = self.read_image(index)
        return image, self.read_instances(index, image.shape[:2])

    @property
    def annotations(self) -> list[list[Entry]]:
        """The annotations of each image, a list of lists."""
        return [self._by_image[image_id] for image_id in self.ids]

    def _keep(self, numbers: list[int]) -> None:
        super()._keep(numbers)
        self._images = [self._images[number] for number in numbers]

    def read_image(self, index: int) -> npt.NDArray[np.uint8]:
        """The image alone, (H, W, 3) uint8 RGB; raises as ``dataset[index]`` does."""
        data, rotate = self.read_file(index)
        return decode_image(data, pathlib.Path(self.image_folder or '', self.image_names[index]),
                            rotate=rotate)

    def read_file(self, index: int) -> tuple[bytes, bool]:
        """The bytes of the image file, and whether to rotate the image by its EXIF orientation."""
        name, image = self.image_names[index], self._images[index]
        if self.image_folder is None:
            raise DatasetError(f'The folder of the images of {self.path} was not given; give it.')
        if name in self._not_found:
            raise ImageError(f'The image {shortened(name)} of {self.path} was not found in '
                             f'{self.image_folder}: {self._not_found[name]}.')
        data, stored, turned = read_image_file(self.image_folder / name)
        fault = size_fault(image, stored, turned, self.path)
        if fault:
            raise DatasetError(f'The image {self.image_folder / name} has {fault}; use the annotated '
                               f'images.')
        return data, size_of(image) != stored

    def image_size(self, index: int) -> tuple[int, int]:
        """(H, W) in pixels; read from the image if the JSON has none."""
        size = size_of(self._images[index])
        if size is None:
            height, width, _ = self.read_image(index).shape
            size = height, width
        return size

    def read_instances(self, index: int, size: tuple[int, int] | None = None) -> Instances:
        """The objects of one image without reading the image.

        Args:
            index: Number of the image.
            size: (height, width), for images whose size is not in the JSON; read from the image by
                default.
        """
        size = size or self.image_size(index)
        annotations = self._by_image[self.ids[index]]
        if not annotations:
            return Instances.empty(
                *size, class_names=self.class_names,
                keypoints=self._keypoint_count if self._with_keypoints else None)
        runs = RunLengthMasks.from_rle([self._rle_of(a, size) for a in annotations], size)
        tight = runs.bboxes()
        if not self._warned_of_empty and not tight[:, 2].all():
            self._warned_of_empty = True
            log.warning('%s: annotation %s covers no pixel of its image; further ones are not reported',
                        self.path, annotations[int(tight[:, 2].argmin())].get('id'))
        keypoints = None
        if self._with_keypoints:
            keypoints = np.stack([self._keypoints_of(a) for a in annotations])
        return Instances(
            masks=runs,
            bboxes=np.stack([self._box_of(a, t) for a, t in zip(annotations, tight, strict=True)]),
            labels=[self._labels[a['category_id']] for a in annotations],
            keypoints=keypoints, class_names=self.class_names,
            crowds=[bool(a.get('iscrowd', 0)) for a in annotations],
            areas=[a.get('area', area) for a, area in zip(annotations, runs.areas(), strict=True)])

    def read_boxes(self, index: int) -> Boxes:
        """labels (R,), bboxes (R, 4), areas (R,) and crowds (R,) of one image.

        Masks are decoded only if an annotation has no box or no area.
        """
        annotations = self._by_image[self.ids[index]]
        if not all('bbox' in each and 'area' in each for each in annotations):
            return super().read_boxes(index)
        bboxes = [self._box_of(each, None) for each in annotations]
        return (np.array([self._labels[each['category_id']] for each in annotations], np.int32),
                np.array(bboxes, np.float32).reshape(-1, 4),
                np.array([each['area'] for each in annotations], np.float32),
                np.array([bool(each.get('iscrowd', 0)) for each in annotations], bool))

    def _check(self) -> None:
        """Raises the first fatal problem; warns once of each other kind, with the number of its problems."""
        with collector_paused():
            problems = normalise(self.coco)
        self._refuse(problems)
        conventions, doubt = box_conventions(self.coco)
        self._refuse(conventions)
        if doubt:
            problems.append(Problem('boxes', 'annotations', f'{doubt}; {_CHECK}'))
        kinds: dict[tuple[str, str], list[Problem]] = {}
        for problem in problems:
            kinds.setdefault((problem.kind, problem.where.split()[0]), []).append(problem)
        for (kind, _), found in kinds.items():
            count = f' ({len(found)} entries with this problem: {kind})' if len(found) > 1 else ''
            log.warning('%s: %s%s', self.path, found[0], count)

    def _refuse(self, problems: list[Problem]) -> None:
        fatal = [problem for problem in problems if problem.fatal]
        if fatal:
            where = fatal[0].where[0].upper() + fatal[0].where[1:]
            more = f' (and {len(fatal) - 1} more)' if len(fatal) > 1 else ''
            raise DatasetError(f'{where} of {self.path} cannot be used: {fatal[0].sentence}{more}; '
                               f'{_CHECK}.')

    def _read_categories(self, keypoints: bool | None) -> None:
        categories = sorted(self.coco['categories'], key=lambda category: category['id'])
        self.category_ids = [category['id'] for category in categories]
        self.class_names = tuple(str(c.get('name', c['id'])) for c in categories)
        self._labels = {category: label for label, category in enumerate(self.category_ids)}
        self._keypoint_counts = {c['id']: keypoint_count(c) for c in categories}
        self._keypoint_count = max(self._keypoint_counts.values(), default=0)
        if keypoints and not self._keypoint_count:
            raise DatasetError(f'{self.path} has no category with keypoints; use a '
                               f'person_keypoints file, or do not ask for keypoints.')
        self._with_keypoints = bool(self._keypoint_count) if keypoints is None else bool(keypoints)

    def _find_images(self) -> None:
        """Sets the names of the image files; warns once if they differ from those in the JSON."""
        self._not_found: dict[str, str] = {}
        if self.image_folder is None:
            return
        found = find_images(self.image_names, self.image_folder)
        self.image_names = [each.name for each in found]
        self._not_found = {each.name: each.fault for each in found if each.fault}
        renamed = [(image['file_name'], each) for image, each in zip(self._images, found) if each.how]
        if renamed:
            name, each = renamed[0]
            log.warning('%s: %d of %d images were found under another name than their file_name, such as '
                        '%s as %s (%s)', self.path, len(renamed), len(found), shortened(name), each.name,
                        each.how)

    def _has_objects(self, image_id: int | str) -> bool:
        return any(not a.get('iscrowd', 0) for a in self._by_image[image_id])

    def _why_empty(self, skip_empty: bool) -> str:
        """The end of the sentence that there are no images."""
        if not skip_empty or not self.coco['images']:
            return ''
        annotations = self.coco['annotations']
        if not annotations:
            return ' with objects: it has no annotations'
        if all(annotation.get('iscrowd') for annotation in annotations):
            return (f' with objects: all {len(annotations)} annotations are crowds (iscrowd 1), which '
                    f'training ignores; if each is one object, set iscrowd to 0')
        return ' with objects'

    def _fault(self, annotation: Entry, reason: str) -> DatasetError:
        return DatasetError(f'Annotation {annotation.get("id")} of {self.path} cannot be used: '
                            f'{reason}; {_CHECK}.')

    def _rle_of(self, annotation: Entry, size: tuple[int, int]) -> dict[str, Any]:
        segmentation, code = annotation.get('segmentation'), None
        if segmentation is not None:
            try:
                code = segmentation_to_rle(segmentation, size)
            except ValueError as error:
                raise self._fault(annotation, str(error)) from error
        if code is not None:
            return code
        if 'bbox' not in annotation:
            raise self._fault(annotation, 'its segmentation is empty, and it has no box')
        return rle_of_box(annotation['bbox'], size)

    @staticmethod
    def _box_of(annotation: Entry, tight: npt.NDArray[np.float32] | None) -> npt.NDArray[np.float32]:
        if 'bbox' not in annotation:
            assert tight is not None  # Given by all callers whose annotations may have no box.
            return tight
        return boxes.from_xywh(np.array([annotation['bbox']], np.float32))[0]

    def _keypoints_of(self, annotation: Entry) -> npt.NDArray[np.float32]:
        """(K, 3) float32 (y, x, visibility); zeros if the annotation has none."""
        points = np.zeros((self._keypoint_count, 3), np.float32)
        flat = annotation.get('keypoints') or []
        faults = keypoint_faults(annotation, self._keypoint_counts[annotation['category_id']])
        if any(fatal for _, _, fatal in faults):
            raise self._fault(annotation, faults[0][1])
        given = np.asarray(flat, np.float32).reshape(-1, 3)
        points[:len(given)] = given[:, [1, 0, 2]]
        return points
