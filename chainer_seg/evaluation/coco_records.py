"""The match of one image's detections with its ground truth through pycocotools, kept as small records."""

import collections
import contextlib
import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from chainer_seg import boxes
from chainer_seg.errors import DatasetError
from chainer_seg.instances import Instances

_FIELDS = ('dtMatches', 'dtScores', 'gtIgnore', 'dtIgnore')

# The matches of one image by category and number of the area range.
MatchRecords: TypeAlias = dict[tuple[int, int], dict[str, np.ndarray]]

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
    keys = [(int(category), area) for category in categories
            for area in range(len(parameters.areaRng))]
    return {key: _compact(image) for key, image in zip(keys, evaluation.evalImgs)
            if image is not None}


def _compact(image: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The fields that are needed later, in the smallest types."""
    compact = {field: np.asarray(image[field]) for field in _FIELDS}
    for field in ('dtMatches', 'gtIgnore', 'dtIgnore'):
        compact[field] = compact[field].astype(bool)
    return compact
