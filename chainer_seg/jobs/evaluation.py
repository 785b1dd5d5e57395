"""Evaluation of models on data sets, image by image, with results that are kept."""

import contextlib
import dataclasses
import functools
import logging
import os
import pathlib
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import msgspec
import numpy as np
import numpy.typing as npt
from tqdm.auto import tqdm

from chainer_seg import schema
from chainer_seg.bad_images import OnError, passing_over
from chainer_seg.datasets.base import Dataset
from chainer_seg.datasets.coco_results import CONTENT, CocoResult, result_ids
from chainer_seg.datasets.semantic import SemanticDataset
from chainer_seg.errors import DatasetError, ImageError, UserError
from chainer_seg.evaluation.classes import ClassMatch, match_classes
from chainer_seg.evaluation.click_benchmarks import CAP, THRESHOLDS
from chainer_seg.evaluation.clicks import ClickFigures, ClickResult, Segmenter, number_of_clicks
from chainer_seg.evaluation.coco import CocoEvaluator
from chainer_seg.evaluation.error_analysis import ErrorAnalysis
from chainer_seg.evaluation.semantic import SemanticEvaluator
from chainer_seg.instances import Instances
from chainer_seg.jobs.coco_rows import write_results
from chainer_seg.jobs.fingerprints import fingerprint_of_dataset, fingerprint_of_model
from chainer_seg.jobs.result_paths import result_stems
from chainer_seg.jobs.results import Results
from chainer_seg.label_images import write_label_image

if typing.TYPE_CHECKING:
    from chainer_seg.models.deeplab import DeepLab
    from chainer_seg.models.detector import InstanceDetector

log = logging.getLogger(__name__)

_COCO_KEYPOINTS = 17  # the only number for which COCO has the annotators' variation

Folder = str | os.PathLike | None
Match = Literal['name', 'number'] | None


def evaluate_detector(model: 'InstanceDetector', dataset: Dataset, kinds: Sequence[str] | None = None, *,
                      match: Match = None, folder: Folder = None, overwrite: bool = False,
                      progress: bool = True, on_error: OnError | None = None,
                      errors: ErrorAnalysis | None = None, **options: Any) -> CocoEvaluator:
    """Detects the objects of a data set's images, and compares them with the true ones.

    In a folder, the detections are kept image by image, and finally written to ``bbox.json``,
    ``segm.json`` and ``keypoints.json``, as COCO's server takes them.

    Args:
        model: A Mask R-CNN or a YOLACT.
        dataset: The images with their objects.
        kinds: Some of 'bbox', 'segm' and 'keypoints'; None for all that both the model and the data set have.
        match: How classes correspond, as of :func:`chainer_seg.evaluation.match_classes`.
        folder: Where the detections are kept, and from where an interrupted run resumes; None for nowhere.
        overwrite: Start over where the folder holds results.
        progress: Show a progress bar.
        on_error: Called with the number and the error of an image that cannot be used, which is then not
            measured; None raises the error.
        errors: Sorts the errors of the same detections; None for none.
        options: Of ``model.detect``. The defaults are those of the model, and for a YOLACT those of its own
            evaluation.

    Returns:
        A :class:`chainer_seg.evaluation.CocoEvaluator` with all images, whose ``summary`` has the figures.

    Raises:
        chainer_seg.errors.UserError: The model and the data set do not fit each other, or the folder
            cannot be used: see :class:`chainer_seg.jobs.Results`.
    """
    matched = find_classes(model, dataset, match, model.config.get('classes'))
    kinds = _measurable_kinds(model, dataset, kinds)
    options = _detection_options(model, kinds, options)
    evaluator, category_ids = CocoEvaluator(dataset.class_names, kinds=kinds), dataset.category_ids
    ids = result_ids(dataset)

    def detect(number: int, image: np.ndarray) -> list[dict[str, Any]]:
        found = matched.found(model.detect(image, **options))
        return found.to_coco_results(ids[number], category_ids)

    def add(truth: Instances, results: list[dict[str, Any]]) -> None:
        found = Instances.from_coco_results(results, truth.image_size, category_ids, matched.names)
        evaluator.add(matched.truth(truth), found)
        if errors is not None:
            errors.add(matched.truth(truth), found)

    files = {kind: pathlib.Path(folder or '', f'{kind}.json') for kind in CONTENT}
    settings = {**_inputs(model, dataset, folder), 'match': match, **options}
    with Results(folder, settings, list[CocoResult], files=files.values, overwrite=overwrite) as results:
        used = _measure(results, dataset, dataset.read_instances, detect, add, progress, on_error)
        for kind in kinds if folder is not None else ():
            write_results(files[kind], results, used, kind)
            log.info('wrote %s', files[kind])
        results.write_settings()
    return evaluator


class Labels(msgspec.Struct):
    """The row of an image of labelled pixels: (height, width) uint16, line by line."""

    height: schema.Side
    width: schema.Side
    pixels: bytes

    def __post_init__(self) -> None:
        if len(self.pixels) != 2 * self.height * self.width:
            raise ValueError('not as many pixels as the size says')

    @classmethod
    def of(cls, labels: npt.NDArray[np.integer]) -> 'Labels':
        """The row of labels (H, W)."""
        height, width = labels.shape
        return cls(height, width, labels.astype('<u2').tobytes())

    def array(self) -> npt.NDArray[np.int32]:
        """The labels, (H, W) int32."""
        return np.frombuffer(self.pixels, '<u2').reshape(self.height, self.width).astype(np.int32)


def evaluate_segmenter(model: 'DeepLab', dataset: SemanticDataset, *, match: Match = None,
                       folder: Folder = None, overwrite: bool = False, progress: bool = True,
                       on_error: OnError | None = None, **options: Any) -> SemanticEvaluator:
    """Labels the pixels of a data set's images, and compares the labels with the true ones.

    In a folder, the labels are kept image by image, and finally written as images with VOC's palette, as
    its server takes them.

    Args:
        model: A DeepLab.
        dataset: The images with the class of each pixel.
        match, folder, overwrite, progress, on_error: As of :func:`evaluate_detector`.
        options: Of ``model.segment``.

    Returns:
        A :class:`chainer_seg.evaluation.SemanticEvaluator` with all images.

    Raises:
        chainer_seg.errors.UserError: As of :func:`evaluate_detector`.
    """
    matched = find_classes(model, dataset, match, model.config['n_class'])
    evaluator = SemanticEvaluator(dataset.class_names)

    def segment(number: int, image: np.ndarray) -> Labels:
        return Labels.of(matched.found_labels(model.segment(image, **options)))

    def add(truth: np.ndarray, row: Labels) -> None:
        evaluator.add(matched.truth_labels(truth), row.array())

    settings = {**_inputs(model, dataset.dataset, folder), 'match': match, **_described(model, options)}
    paths = [stem.with_name(f'{stem.name}.png') for _, stem in result_stems(
        map(pathlib.Path, dataset.image_names), pathlib.Path(folder or ''))]
    with Results(folder, settings, Labels, content='labels', files=lambda: paths,
                 overwrite=overwrite) as results:
        _measure(results, dataset, lambda number: dataset[number][1], segment, add, progress, on_error)
        if folder is not None:
            for number in tqdm(sorted(results.done), desc='writing', unit='image', disable=not progress):
                if not paths[number].exists():
                    write_label_image(paths[number], results.read(number).array())
            log.info('wrote %d label images to %s', len(results.done), folder)
        results.write_settings()
    return evaluator


def evaluate_click_model(segmenter: Segmenter, dataset: Dataset, thresholds: Sequence[float] = THRESHOLDS,
                         cap: int = CAP, *, method: Mapping[str, Any] | None = None, folder: Folder = None,
                         overwrite: bool = False, title: str = 'evaluating', progress: bool = True,
                         on_error: OnError | None = None, **objects: Any) -> ClickFigures:
    """Lets the simulated user click on the objects of a data set, and keeps what each click gave.

    Args:
        segmenter, dataset, thresholds, cap: As of :func:`chainer_seg.evaluation.number_of_clicks`.
        method: A dict, JSON-ready, of all that the segmenter depends on, such as the model's fingerprint.
        folder, overwrite, progress, on_error: As of :func:`evaluate_detector`.
        title: Stands before the progress bar.
        objects: Which objects are clicked on: ``least_area``, ``labels``, ``chosen`` and ``max_objects`` of
            :func:`chainer_seg.evaluation.number_of_clicks`.

    Returns:
        A :class:`chainer_seg.evaluation.ClickFigures`.

    Raises:
        chainer_seg.errors.DatasetError: The data set has no such object.
        chainer_seg.errors.UserError: The folder cannot be used: see :class:`chainer_seg.jobs.Results`.
    """
    settings = {} if folder is None else {
        'data': fingerprint_of_dataset(dataset), **(method or {}), 'stop_at': max(thresholds, default=1.0),
        'cap': cap, **objects, 'chosen': {number: places.tolist() for number, places
                                          in (objects.get('chosen') or {}).items()}}
    with Results(folder, settings, list[ClickResult], overwrite=overwrite) as results:
        figures = number_of_clicks(
            segmenter, dataset, thresholds, cap, **objects, loop=functools.partial(
                results.rows, title=title, progress=progress, on_error=on_error))
        results.write_settings()
    return figures


def find_classes(model: Any, dataset: Any, by: Match, count: int | None) -> ClassMatch:
    """:func:`chainer_seg.evaluation.match_classes` of a model and a data set; logs what has no match."""
    matched = match_classes(model.class_names, dataset.class_names, by=by, count=count)
    if matched.missing:
        log.info('skipped classes, which the model does not know: %s', ', '.join(matched.missing))
    return matched


def _measure(results: Results, dataset: Any, read_truth: Callable[[int], Any],
             compute: Callable[[int, Any], Any], add: Callable[[Any, Any], None], progress: bool,
             on_error: OnError | None) -> list[int]:
    """The loop of an evaluation: adds the truth and the row of each image; gives the images added.

    Images are added in the order of the data set, which decides between equal scores. What is measured is
    what the rows say, so that a run in two parts measures the same.
    """
    used: list[int] = []
    last: dict[int, Any] = {}

    def computed(number: int) -> Any:
        last.clear()
        image, last[number] = dataset[number]
        return compute(number, image)

    for number, row in results.rows(range(len(dataset)), computed, title='evaluating', progress=progress,
                                    on_error=on_error):
        with passing_over(number, on_error):
            # A synthetic image is not made twice.
            add(last[number] if number in last else read_truth(number), row)
            used.append(number)
    return used


def _inputs(model: Any, dataset: Any, folder: Folder) -> dict[str, Any]:
    """The fingerprints that results in a folder depend on."""
    return {} if folder is None else {'model': fingerprint_of_model(model),
                                      'data': fingerprint_of_dataset(dataset)}


def _measurable_kinds(model: 'InstanceDetector', dataset: Dataset, wanted: Sequence[str] | None
                      ) -> tuple[str, ...]:
    """The kinds of results that both the model and the data set have, or those of them that are wanted."""
    truth = _first_truth(dataset).keypoints
    counts = model.config.get('keypoints', 0), 0 if truth is None else truth.shape[1]
    possible = ['bbox', *(['segm'] if model.config.get('with_masks', True) else []),
                *(['keypoints'] if counts == (_COCO_KEYPOINTS, _COCO_KEYPOINTS) else [])]
    impossible = sorted(set(wanted or ()) - set(possible))
    if impossible:
        raise UserError(f'The model or the data set has no {impossible[0]} to measure (the model has '
                        f'{counts[0]} keypoints, the data set {counts[1]}); omit {impossible[0]}.')
    return tuple(kind for kind in possible if not wanted or kind in wanted)


def _first_truth(dataset: Dataset) -> Instances:
    """The true objects of the first image that can be read."""
    for number in range(len(dataset)):
        with contextlib.suppress(ImageError, DatasetError):
            return dataset.read_instances(number)
    return dataset.read_instances(0)


def _detection_options(model: 'InstanceDetector', kinds: tuple[str, ...], options: dict[str, Any]
                       ) -> dict[str, Any]:
    """The options of ``model.detect``; the defaults are those of YOLACT's own evaluation."""
    if 'anchor_threshold' not in model.option_names:
        return options
    # There, only the best class of an anchor must exceed a threshold.
    return {'score_threshold': 0.0, **options, 'rescore': kinds != ('bbox',)}


def _described(model: 'DeepLab', options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of ``model.segment`` as a dict for JSON."""
    refinement = options.get('refinement')
    if dataclasses.is_dataclass(refinement) and not isinstance(refinement, type):
        refinement = dataclasses.asdict(refinement)
    return {'scales': list(options.get('scales', (1,))), 'mirror': options.get('mirror', False),
            'crf': refinement, 'longest_side': options.get('longest_side') or model.longest_side}
