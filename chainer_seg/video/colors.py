"""Colours that the objects of a video keep from frame to frame."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from chainer_seg.boxes import box_iou
from chainer_seg.colors import instance_colors
from chainer_seg.instances import Instances

_MIN_IOU = 0.3  # between the boxes of one object in two frames
_MEMORY = 10  # frames for which an object that is not detected keeps its colour


class ObjectColors:
    """Gives each object the colour of the object in the previous frames that it overlaps most.

    Objects are matched within a class only. A new object gets the first free colour.
    """

    def __init__(self) -> None:
        self._bboxes, self._labels = np.zeros((0, 4), np.float32), np.zeros(0, int)
        self._numbers, self._ages = np.zeros(0, int), np.zeros(0, int)

    def __call__(self, instances: Instances) -> npt.NDArray[np.uint8]:
        """The colours (R, 3) uint8 RGB of the instances of the next frame."""
        numbers = np.full(len(instances), -1)
        overlap = box_iou(instances.bboxes, self._bboxes)
        overlap = np.where(instances.labels[:, None] == self._labels, overlap, 0)
        now, before = linear_sum_assignment(overlap, maximize=True)
        is_same = overlap[now, before] >= _MIN_IOU
        numbers[now[is_same]] = self._numbers[before[is_same]]
        self._forget(before[is_same])
        is_new = numbers < 0
        free = np.setdiff1d(np.arange(len(self._numbers) + len(numbers)), [*self._numbers, *numbers])
        numbers[is_new] = free[:is_new.sum()]
        self._remember(instances, numbers)
        return instance_colors(max(numbers, default=-1) + 1)[numbers]

    def _forget(self, seen: npt.NDArray[np.integer]) -> None:
        """Keeps the objects not seen in this frame, for at most ``_MEMORY`` frames."""
        kept = np.ones(len(self._numbers), bool)
        kept[seen] = False
        kept &= self._ages < _MEMORY
        self._bboxes, self._labels = self._bboxes[kept], self._labels[kept]
        self._numbers, self._ages = self._numbers[kept], self._ages[kept] + 1

    def _remember(self, instances: Instances, numbers: npt.NDArray[np.integer]) -> None:
        self._bboxes = np.concatenate([self._bboxes, instances.bboxes])
        self._labels = np.concatenate([self._labels, instances.labels])
        self._numbers = np.concatenate([self._numbers, numbers])
        self._ages = np.concatenate([self._ages, np.zeros(len(numbers), int)])
