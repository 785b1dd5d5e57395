"""The number of clicks that a segmentation needs of a simulated user (section 4 of arXiv 1603.04042)."""

import dataclasses
import functools
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypedDict

import numpy as np
import numpy.typing as npt

from chainer_seg import schema
from chainer_seg.bad_images import Loop, OnError, each_image
from chainer_seg.datasets.base import Dataset, Progress, as_dataset
from chainer_seg.errors import DatasetError
from chainer_seg.evaluation.click_benchmarks import CAP, LEAST_AREA, THRESHOLDS
from chainer_seg.evaluation.object_choice import objects_of_classes
from chainer_seg.instances import Instances
from chainer_seg.models.deeplab.clicks import Click
from chainer_seg.models.deeplab.simulated_user import next_click


class Session(Protocol):
    """The clicks on one object, and the mask (H, W) bool that they give."""

    @property
    def mask(self) -> npt.NDArray[np.bool_]: ...

    def add(self, click: Click, /) -> object: ...

    def reset(self) -> object: ...


class Segmenter(Protocol):
    """Anything that turns clicks into masks: a click model, or a baseline."""

    def session(self, image: npt.NDArray[np.uint8], /) -> Session: ...


class ClickResult(TypedDict):
    """What the simulated user's clicks on an object gave, JSON-ready."""

    object: schema.Count
    label: schema.Count
    ious: list[int | float]
    clicks: schema.Count
    seconds: int | float


@dataclasses.dataclass(frozen=True)
class ClickFigures:
    """The quality of N objects after each click of the simulated user.

    Attributes:
        ious: (N, cap) float64, intersection over union after 1, 2, ..., cap clicks.
        seconds_per_click: Mean time from a click to its mask.
        labels: (N,) int, the class of each object; 0 by default.
        class_names: The names of the classes; may be empty.
    """

    ious: npt.NDArray[np.float64]
    seconds_per_click: float = float('nan')
    labels: npt.NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()

    @property
    def mean_ious(self) -> npt.NDArray[np.float64]:
        """(cap,) float64, the mean over the objects after each click."""
        return self.ious.mean(axis=0)

    def clicks_needed(self, threshold: float) -> npt.NDArray[np.int64]:
        """(N,) int64: clicks until ``threshold`` was first reached, or else the cap."""
        reached = self.ious >= threshold
        return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, self.ious.shape[1])

    def noc(self, threshold: float) -> float:
        """NoC@threshold, the mean number of clicks needed, with the cap for objects that failed."""
        return float(self.clicks_needed(threshold).mean())

    def failures(self, threshold: float) -> int:
        """The number of objects that did not reach ``threshold`` within the cap."""
        return int((self.ious < threshold).all(axis=1).sum())

    def summary(self, thresholds: Sequence[float] = THRESHOLDS, clicks: Sequence[int] = (1, 3, 5)
                ) -> dict[str, float]:
        """The figures as a dict: ``noc@80``, ``failures@80``, ..., ``iou@1``, ..., ``objects``."""
        figures = {}
        for threshold in thresholds:
            figures[f'noc@{100 * threshold:g}'] = self.noc(threshold)
            figures[f'failures@{100 * threshold:g}'] = self.failures(threshold)
        figures.update({f'iou@{count}': float(self.mean_ious[count - 1]) for count in clicks})
        return {**figures, 'objects': len(self.ious)}

    def by_class(self) -> dict[str, 'ClickFigures']:
        """The figures of each class that has objects, by its name, in the order of labels."""
        labels = np.zeros(len(self.ious), int) if self.labels is None else np.asarray(self.labels)
        return {self.class_names[label] if self.class_names else str(label):
                dataclasses.replace(self, ious=self.ious[labels == label],
                                    labels=labels[labels == label])
                for label in np.unique(labels)}


def number_of_clicks(segmenter: Segmenter, dataset: Dataset, thresholds: Sequence[float] = THRESHOLDS,
                     cap: int = CAP, *, least_area: float = LEAST_AREA, labels: Sequence[int] | None = None,
                     chosen: Mapping[int, npt.NDArray[np.int64]] | None = None,
                     max_objects: int | None = None, progress: Progress = iter,
                     on_error: OnError | None = None, loop: Loop | None = None) -> ClickFigures:
    """Lets the simulated user click on the objects of a data set.

    It stops clicking on an object that has reached the highest threshold; the IoU of that click
    then stands for all later ones. Nothing here is random. Crowds are omitted. Pixels that the data
    set does not count, as its ``read_void`` tells, count for no IoU and are not clicked on.

    Args:
        segmenter: Anything with ``session(image)`` that returns an object with ``add(click)``,
            ``reset()`` and ``mask`` (H, W) bool: a :class:`chainer_seg.models.click_model.ClickModel` or
            one of :mod:`chainer_seg.evaluation.click_baselines`.
        dataset: Any data set of this package. Where it has ``read_void(number)``, that gives what is
            not counted, (H, W) bool for all objects of an image or (R, H, W) bool for each of them.
        thresholds: The IoUs to reach; empty to click ``cap`` times on every object.
        cap: Maximum number of clicks on an object.
        least_area: Smaller objects (pixels) are omitted.
        labels: Objects of other classes are omitted; None for all classes.
        chosen: The objects of each image, ``{number of the image: numbers of the objects}``, as
            :func:`chainer_seg.evaluation.sample_objects` gives them; None for all.
        max_objects: Stop after this many objects; None for all.
        progress: Wraps the iteration over images, as ``tqdm`` does.
        on_error: Called with the number and the error of an image that cannot be read, whose objects
            are then not clicked on; None raises the error.
        loop: Takes the place of the loop over the images, ``progress`` and ``on_error``, such as one that
            keeps results; see :data:`chainer_seg.bad_images.Loop`. A row is a list of
            :class:`ClickResult`.

    Returns:
        A :class:`ClickFigures`.

    Raises:
        chainer_seg.errors.DatasetError: The data set has no such object.
    """
    dataset, stop_at = as_dataset(dataset), max(thresholds, default=1.0)
    loop = loop or functools.partial(each_image, progress=progress, on_error=on_error)
    results: list[ClickResult] = []

    def click(number: int) -> list[ClickResult]:
        image, instances = dataset[number]
        places = objects_of_classes(instances, least_area, labels)
        if chosen is not None:
            places = np.intersect1d(places, chosen[number])
        if max_objects is not None:
            places = places[:max_objects - len(results)]
        voids = _voids(dataset, number, instances.masks.shape)
        watch = _Stopwatch(segmenter)
        return [_click_on(watch, image, instances, place, voids[place], cap, stop_at)
                for place in places.tolist()]

    for _, found in loop(range(len(dataset)) if chosen is None else sorted(chosen), click):
        results += found[:None if max_objects is None else max_objects - len(results)]
        if max_objects is not None and len(results) >= max_objects:
            break
    if not results:
        raise DatasetError(f'The data set has no object of at least {least_area} pixels to click '
                           f'on; give a lower least area or another data set.')
    return _figures(results, dataset.class_names)


def evaluate_clicks(model: Segmenter, dataset: Dataset, clicks: Sequence[int] = (1, 3, 5), *,
                    least_area: float = LEAST_AREA, max_objects: int | None = None, progress: Progress = iter,
                    loop: Loop | None = None) -> dict[str, float]:
    """Mean intersection over union after some clicks of the simulated user.

    Args:
        model, dataset, least_area, max_objects, progress, loop: As :func:`number_of_clicks` takes them.
        clicks: The numbers of clicks to report.

    Returns:
        A dict of ``iou@1``, ``iou@3``, ... for the given ``clicks``, and ``objects``, their number.

    Raises:
        chainer_seg.errors.DatasetError: The data set has no such object.
    """
    figures = number_of_clicks(model, dataset, (), max(clicks), least_area=least_area,
                               max_objects=max_objects, progress=progress, loop=loop)
    return figures.summary((), clicks)


def click_ious(segmenter: Segmenter, image: npt.NDArray[np.uint8], truth: npt.NDArray[np.bool_], count: int,
               stop_at: float = 1.0, void: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.float64]:
    """Lets the simulated user click ``count`` times on one object.

    Clicked pixels count as correct: like a person, the simulated user does not click again where a click
    had no effect.

    Args:
        segmenter: As that of :func:`number_of_clicks`.
        image: (H, W, 3) uint8.
        truth: (H, W) bool, the object.
        count: Number of clicks.
        stop_at: Intersection over union at which to stop.
        void: (H, W) bool, ignored pixels; None for none.

    Returns:
        (count,) float64, the intersection over union after each click; that of the last click is repeated
        to the end.
    """
    session = segmenter.session(image)
    ious, iou = np.ones(count), 1.0
    given = np.zeros_like(truth) if void is None else void.copy()
    counted = ~given
    truth = truth & counted
    for number in range(count):
        click = next_click(np.where(given, truth, session.mask), truth)
        if click is None or (number and iou >= stop_at):
            ious[number:] = iou
            break
        session.add(click)
        given[round(click.y), round(click.x)] = True
        ious[number] = iou = _iou(session.mask & counted, truth)
    return ious


def _click_on(watch: '_Stopwatch', image: np.ndarray, instances: Instances, place: int,
              void: npt.NDArray[np.bool_], cap: int, stop_at: float) -> ClickResult:
    """The result of one object, ready for JSON."""
    ious = click_ious(watch, image, instances.masks[place], cap, stop_at, void)
    return {'object': place, 'label': int(instances.labels[place]), 'ious': ious.tolist(),
            'clicks': watch.clicks, 'seconds': watch.seconds}


def _voids(dataset: Dataset, number: int, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """(R, H, W) bool, the ignored pixels of each object of an image."""
    void = dataset.read_void(number)
    return np.broadcast_to(False if void is None else void, shape)


def _figures(results: Sequence[ClickResult], class_names: Sequence[str]) -> ClickFigures:
    clicks = sum(result['clicks'] for result in results)
    return ClickFigures(
        np.array([result['ious'] for result in results]),
        sum(result['seconds'] for result in results) / max(1, clicks),
        np.array([result['label'] for result in results]), tuple(class_names))


class _Stopwatch:
    """A segmenter for one image whose session measures the time of the clicks on an object.

    The session serves all objects of the image, because some models compute much once for an image.
    """

    def __init__(self, segmenter: Segmenter) -> None:
        self._segmenter = segmenter
        self._session: Any = None

    def session(self, image: np.ndarray) -> '_Stopwatch':
        self.seconds, self.clicks = 0.0, 0
        if self._session is None:
            self._session = self._segmenter.session(image)
        else:
            self._session.reset()
        return self

    def reset(self) -> None:
        self._session.reset()

    def add(self, click: Click) -> None:
        started = time.perf_counter()
        self._session.add(click)
        self.seconds += time.perf_counter() - started
        self.clicks += 1

    @property
    def mask(self) -> np.ndarray:
        return self._session.mask


def _iou(mask: np.ndarray, truth: np.ndarray) -> float:
    return (mask & truth).sum() / max(1, (mask | truth).sum())
