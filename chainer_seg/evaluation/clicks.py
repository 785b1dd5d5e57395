"""The number of clicks that a segmentation needs of a robot user (section 4 of arXiv 1603.04042)."""

import dataclasses
import time

import numpy as np

from chainer_seg.errors import DatasetError
from chainer_seg.models.deeplab.robot import next_click

LEAST_AREA = 32 * 32  # Smaller objects are "small" in COCO's terms and are left out by default.
CAP = 20  # The paper's robot user gives up after so many clicks.
THRESHOLDS = (0.8, 0.85, 0.9)


@dataclasses.dataclass(frozen=True)
class ClickFigures:
    """How good N objects were after each click of the robot user.

    Attributes:
        ious: (N, cap) float64, intersection over union after 1, 2, ..., cap clicks.
        seconds_per_click: Mean time from a click to its mask.
    """

    ious: np.ndarray
    seconds_per_click: float = float('nan')

    @property
    def mean_ious(self):
        """(cap,) float64, the mean over the objects after each click."""
        return self.ious.mean(axis=0)

    def clicks_needed(self, threshold):
        """(N,) int64: clicks until ``threshold`` was reached for the first time, or else the cap."""
        reached = self.ious >= threshold
        return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, self.ious.shape[1])

    def noc(self, threshold):
        """NoC@threshold, the mean number of clicks needed; the cap for objects that failed."""
        return float(self.clicks_needed(threshold).mean())

    def failures(self, threshold):
        """The number of objects that did not reach ``threshold`` within the cap."""
        return int((self.ious < threshold).all(axis=1).sum())

    def summary(self, thresholds=THRESHOLDS, clicks=(1, 3, 5)):
        """The figures as a dict: ``noc@80``, ``failures@80``, ..., ``iou@1``, ..., ``objects``."""
        figures = {}
        for threshold in thresholds:
            figures[f'noc@{100 * threshold:g}'] = self.noc(threshold)
            figures[f'failures@{100 * threshold:g}'] = self.failures(threshold)
        figures.update({f'iou@{count}': float(self.mean_ious[count - 1]) for count in clicks})
        return {**figures, 'objects': len(self.ious)}


def number_of_clicks(segmenter, dataset, thresholds=THRESHOLDS, cap=CAP, *, least_area=LEAST_AREA,
                     max_objects=None, progress=iter):
    """Lets the robot user click on every object of a data set.

    It stops clicking on an object that has reached the highest threshold; the IoU of that click
    then stands for all later ones. Nothing here is random.

    Args:
        segmenter: Anything with ``session(image)`` that returns an object with ``add(click)`` and
            ``mask`` (H, W) bool: a :class:`chainer_seg.models.deeplab.ClickSegmenter` or one of
            :mod:`chainer_seg.evaluation.click_baselines`.
        dataset: Any data set of this package.
        thresholds: The IoUs to reach; empty to click ``cap`` times on every object.
        cap: The most clicks on an object.
        least_area: Smaller objects (pixels) are left out, and so are crowds.
        max_objects: Stop after so many objects; None for all.
        progress: Wraps the iteration over images, as ``tqdm`` does.

    Returns:
        A :class:`ClickFigures`.

    Raises:
        chainer_seg.errors.DatasetError: The data set has no such object.
    """
    watch = _Stopwatch(segmenter)
    stop_at = max(thresholds, default=1.0)
    ious = []
    for number in progress(range(len(dataset))):
        image, instances = dataset[number]
        usable = ~instances.crowds & (instances.masks.sum(axis=(1, 2)) >= least_area)
        for truth in instances.masks[usable]:
            ious.append(click_ious(watch, image, truth, cap, stop_at))
            if len(ious) == max_objects:
                return ClickFigures(np.array(ious), watch.mean())
    if not ious:
        raise DatasetError(f'The data set has no object of at least {least_area} pixels to click '
                           f'on; give a lower least area or another data set.')
    return ClickFigures(np.array(ious), watch.mean())


def evaluate_clicks(model, dataset, clicks=(1, 3, 5), *, least_area=LEAST_AREA, max_objects=None,
                    progress=iter):
    """Mean intersection over union after some clicks of the robot user.

    Args:
        model, dataset, least_area, max_objects, progress: As :func:`number_of_clicks` takes them.
        clicks: The numbers of clicks to report.

    Returns:
        A dict of ``iou@1``, ``iou@3``, ... for the given ``clicks``, and ``objects``, their number.

    Raises:
        chainer_seg.errors.DatasetError: The data set has no such object.
    """
    figures = number_of_clicks(model, dataset, (), max(clicks), least_area=least_area,
                               max_objects=max_objects, progress=progress)
    return figures.summary((), clicks)


def click_ious(segmenter, image, truth, count, stop_at=1.0):
    """Lets the robot user click ``count`` times on one object.

    A pixel that was clicked counts as right from then on: like a person, the robot does not click
    once more where a click did nothing.

    Args:
        segmenter: As :func:`number_of_clicks` takes it.
        image: (H, W, 3) uint8.
        truth: (H, W) bool, the object.
        count: Number of clicks.
        stop_at: No more clicks are made once this IoU is reached.

    Returns:
        (count,) float64, the intersection over union after each click; after the last click that
        was made it stays as it is.
    """
    session = segmenter.session(image)
    ious, iou = np.ones(count), 1.0
    clicked = np.zeros_like(truth)
    for number in range(count):
        click = next_click(np.where(clicked, truth, session.mask), truth)
        if click is None or (number and iou >= stop_at):
            ious[number:] = iou
            break
        session.add(click)
        clicked[round(click.y), round(click.x)] = True
        ious[number] = iou = _iou(session.mask, truth)
    return ious


class _Stopwatch:
    """A segmenter whose sessions add up the time that their clicks take."""

    def __init__(self, segmenter):
        self._segmenter = segmenter
        self._seconds, self._clicks = 0.0, 0

    def session(self, image):
        self._session = self._segmenter.session(image)
        return self

    def add(self, click):
        started = time.perf_counter()
        self._session.add(click)
        self._seconds += time.perf_counter() - started
        self._clicks += 1

    @property
    def mask(self):
        return self._session.mask

    def mean(self):
        return self._seconds / max(1, self._clicks)


def _iou(mask, truth):
    return (mask & truth).sum() / max(1, (mask | truth).sum())
