"""The match of one image's detections with its ground truth through pycocotools, kept as small records."""

import collections
import contextlib
import io
import pickle
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from chainer_seg import boxes
from chainer_seg.errors import DatasetError
from chainer_seg.instances import Instances

_FLAGS = ('dtMatches', 'gtIgnore', 'dtIgnore')

# The matches of one image by category, packed; :class:`EvaluatedImages` unpacks them.
MatchRecords: TypeAlias = dict[int, bytes]

T = TypeVar('T')


def match_image(evaluation: COCOeval, truth: Instances, prediction: Instances, labels: Sequence[int],
                kind: str) -> MatchRecords:
    """Matches the detections of one image.

    Args:
        evaluation: A COCOeval with the settings.
        truth, prediction: The ground truth and the detections.
        labels: The labels that occur in either.
        kind: 'bbox', 'segm' or 'keypoints'.

    Raises:
        chainer_seg.errors.DatasetError: Keypoints are missing, or of another number than the sigmas.
    """
    evaluation.cocoGt = _as_coco(_truth_entries(truth, kind), truth)
    evaluation.cocoDt = _as_coco(_result_entries(prediction, kind), truth)
    return _match(evaluation, labels)


def silently(call: Callable[[], T]) -> T:
    """Calls a function of pycocotools without its output."""
    with contextlib.redirect_stdout(io.StringIO()):
        return call()


def _as_coco(entries: list[dict[str, Any]], instances: Instances) -> COCO:
    """A pycocotools COCO object with these annotations of a single image of id 1."""
    coco = COCO()
    height, width = instances.image_size
    coco.imgs = {1: {'id': 1, 'height': height, 'width': width}}
    coco.anns = {entry['id']: entry for entry in entries}
    coco.imgToAnns = collections.defaultdict(list, {1: entries})
    coco.dataset = {'annotations': entries}
    return coco


def _truth_entries(instances: Instances, kind: str) -> list[dict[str, Any]]:
    areas, entries = instances.pixel_areas, _entries(instances, kind)
    for number, entry in enumerate(entries):
        entry.update(area=float(areas[number]), iscrowd=int(instances.crowds[number]))
        if kind == 'keypoints' and instances.keypoints is not None:
            entry['num_keypoints'] = int((instances.keypoints[number, :, 2] > 0).sum())
    return entries


def _result_entries(instances: Instances, kind: str) -> list[dict[str, Any]]:
    """Results with the areas that pycocotools computes, of the box, the mask or the keypoints."""
    entries = _entries(instances, kind)
    if kind == 'bbox':
        areas = boxes.box_area(instances.bboxes)
    elif kind == 'segm':
        areas = instances.runs.areas()
    elif instances.keypoints is not None:
        extent = np.ptp(instances.keypoints[:, :, :2], axis=1)
        areas = extent[:, 0] * extent[:, 1]
    for number, entry in enumerate(entries):
        entry.update(area=float(areas[number]), iscrowd=0,
                     score=float(instances.scores[number]))
    return entries


def _entries(instances: Instances, kind: str) -> list[dict[str, Any]]:
    """The common fields of truth and results; ids count from 1 because 0 means no match."""
    entries = [{'id': number + 1, 'image_id': 1, 'category_id': int(label), 'bbox': box}
               for number, (label, box) in enumerate(zip(
                   instances.labels, boxes.to_xywh(instances.bboxes).tolist()))]
    if kind == 'segm':
        for entry, code in zip(entries, instances.runs.to_rle()):
            entry['segmentation'] = code
    if kind == 'keypoints' and entries:
        if instances.keypoints is None:
            raise DatasetError('Keypoints cannot be evaluated because the data set or the model has '
                               'none; omit the kind keypoints.')
        for entry, points in zip(entries, instances.keypoints):
            entry['keypoints'] = points[:, [1, 0, 2]].ravel().tolist()
    return entries


def _match(evaluation: COCOeval, labels: Sequence[int]) -> MatchRecords:
    """The records of one image, whose truth and results are in ``evaluation``."""
    parameters = evaluation.params
    points = {len(entry['keypoints']) // 3 for coco in (evaluation.cocoGt, evaluation.cocoDt)
              for entry in coco.anns.values() if 'keypoints' in entry}
    if points and points != {len(parameters.kpt_oks_sigmas)}:
        raise DatasetError(f'There are {sorted(points)} keypoints but '
                           f'{len(parameters.kpt_oks_sigmas)} sigmas; pass one for each keypoint.')
    parameters.imgIds, parameters.catIds = [1], labels
    silently(evaluation.evaluate)
    categories = parameters.catIds if parameters.useCats else [-1]
    images, count = evaluation.evalImgs, len(parameters.areaRng)
    # Without objects and detections of a category there is nothing for any of its area ranges.
    return {int(category): _packed(images[number * count:(number + 1) * count])
            for number, category in enumerate(categories) if images[number * count] is not None}


def _packed(areas: Sequence[Mapping[str, Any]]) -> bytes:
    """What is needed later of a category of one image, of all area ranges.

    As arrays of their own, the matches of an image with many classes and detections take half a megabyte.
    """
    flags = [np.array([image[field] for image in areas], bool) for field in _FLAGS]
    return zlib.compress(pickle.dumps((np.asarray(areas[0]['dtScores'], float), *flags)), level=1)


class EvaluatedImages:
    """The ``evalImgs`` of a COCOeval, unpacked category by category, in the order in which it reads them.

    Args:
        records: The matches of each image.
        categories: The categories, in the order of COCOeval.
        areas: Number of area ranges.
    """

    def __init__(self, records: Sequence[MatchRecords], categories: Sequence[int], areas: int) -> None:
        self._records, self._categories, self._areas = records, categories, areas
        self._number: int | None = None  # of the category that is unpacked
        self._unpacked: list[list[dict[str, np.ndarray]] | None] = []

    def __len__(self) -> int:
        return len(self._categories) * self._areas * len(self._records)

    def __getitem__(self, index: int) -> dict[str, np.ndarray] | None:
        place, image = divmod(index, len(self._records))
        number, area = divmod(place, self._areas)
        if number != self._number:
            category = self._categories[number]
            self._unpacked = [self._unpack(record.get(category)) for record in self._records]
            self._number = number
        found = self._unpacked[image]
        return None if found is None else found[area]

    def _unpack(self, packed: bytes | None) -> list[dict[str, np.ndarray]] | None:
        if packed is None:
            return None
        scores, *flags = pickle.loads(zlib.decompress(packed))
        return [{'dtScores': scores, **{field: values[area] for field, values in zip(_FLAGS, flags)}}
                for area in range(self._areas)]
