"""Evaluate a detector by COCO's average precision and recall."""

import dataclasses
import functools
import math
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from chainer_seg.bad_images import BadImages
from chainer_seg.cli.common import CommonOfModel
from chainer_seg.cli.detector_options import Detection
from chainer_seg.cli.dispatch import ModelCommand, ModelName
from chainer_seg.cli.evaluation_data import (
    CLASS_RULE,
    Classes,
    EvaluationData,
    data_rules,
    refuse_without_objects,
    write_figures,
)
from chainer_seg.cli.detection_speed import detection_times, hashed_choice, speed_line
from chainer_seg.cli.synthetic_data import dataset_for_classes
from chainer_seg.recipes.options import Flat, Positive, Switch, chosen, option
from chainer_seg.recipes.rules import only, with_any, without

if TYPE_CHECKING:
    from chainer_seg.evaluation import ErrorAnalysis

_TITLES = {'bbox': 'boxes', 'segm': 'masks', 'keypoints': 'keypoints'}
_FIGURES = ('AP', 'AP50', 'AP75', 'APs', 'APm', 'APl', 'AR1', 'AR10', 'AR100', 'ARs', 'ARm', 'ARl')
_KEYPOINT_FIGURES = ('AP', 'AP50', 'AP75', 'APm', 'APl', 'AR', 'AR50', 'AR75', 'ARm', 'ARl')
_VOC_OVERLAPS = (0.5, 0.7)  # YOLACT's table of Pascal SBD, arXiv 1904.02689


@dataclasses.dataclass(frozen=True)
class EvaluateCoco(ModelCommand):
    """Evaluate a detector by COCO's average precision and recall of boxes, masks and keypoints.

    Without --annotations, the images are synthetic. With --results the detections are kept in a folder, image
    by image, and finally written to a file of each kind in the format of COCO's server; the same command
    resumes a run that was killed or interrupted.

    Attributes:
        model: Name of the model.
        protocol: Evaluation protocol.
        kinds: Kinds of figures; everything that model and data set have if omitted; for a YOLACT++, bbox
            alone uses the scores of the boxes.
        per_class: Also report the AP of each class.
        errors: Also report how many errors of each kind there are at IoU 0.5, and the AP50 that each kind
            costs (TIDE, arXiv 2008.08115).
        voc: Also report the AP at IoU 0.5 and at IoU 0.7, as for Pascal SBD.
        overlaps: Also report the AP at each IoU from 0.5 to 0.95, as YOLACT's eval.py.
        max_images: Evaluate this many images, those that YOLACT's eval.py chooses: the first ones by a hash
            of their ids.
        benchmark: Measure the speed on these images instead, without reading and evaluating them.
        out: File to write the figures to, as JSON.
        results: Folder to keep the detections in, in the format of COCO's server.
        overwrite: Replace the results in --results.
        data: Data.
        classes: Classes.
        detection: Detections.
        common: Common options.
    """

    model: ModelName
    protocol: Annotated[str, chosen(('coco', 'clicks'))] = 'coco'
    kinds: Annotated[tuple[Literal['bbox', 'segm', 'keypoints'], ...] | None,
                     option(metavar='{bbox,segm,keypoints} ...')] = None
    per_class: Switch = False
    errors: Switch = False
    voc: Switch = False
    overlaps: Switch = False
    max_images: Annotated[Positive | None, option(metavar='N')] = None
    benchmark: Switch = False
    out: Annotated[str | None, option(metavar='JSON')] = None
    results: Annotated[str | None, option(metavar='DIR')] = None
    overwrite: Switch = False
    data: Flat[EvaluationData] = EvaluationData()
    classes: Flat[Classes] = Classes()
    detection: Flat[Detection] = Detection()
    common: Flat[CommonOfModel] = CommonOfModel()

    rules: ClassVar = (
        *data_rules(), CLASS_RULE, only(with_any('--results'), '--overwrite'),
        only(without('--benchmark'), '--kinds', '--per-class', '--errors', '--voc', '--overlaps', '--out',
             '--results', '--match'))

    def work(self, model: Any) -> None:
        from chainer_seg.evaluation import ErrorAnalysis
        from chainer_seg.jobs import evaluate_detector
        started = time.time()
        dataset = self.data.open(self.common.seed, draw=functools.partial(
            dataset_for_classes, model.class_names, self.classes.drawn))
        if self.max_images is not None:
            dataset = dataset.part(hashed_choice(dataset.ids, self.max_images))
        if self.benchmark:
            print(speed_line(detection_times(model, dataset, progress=not self.common.quiet,
                                             **self.detection.settings(model))))
            return
        errors = ErrorAnalysis(dataset.class_names, self._compared(model)) if self.errors else None
        bad = BadImages(self.data.strict)
        with bad.reported(len(dataset), 'are not in the figures', self.common.verbose):
            evaluator = evaluate_detector(
                model, dataset, self.kinds, match=self.classes.match, folder=self.results,
                overwrite=self.overwrite, progress=not self.common.quiet, on_error=bad, errors=errors,
                **self.detection.settings(model))
            figures = evaluator.summary(self.per_class, self._overlaps())
            refuse_without_objects(figures)
            print(f'{len(evaluator)} images, {time.time() - started:.0f} s')
            self.show(figures, evaluator.kinds, dataset.class_names)
            if errors is not None:
                print('\n' + error_table(errors))

    def _overlaps(self) -> tuple[float, ...]:
        """The overlaps at which the AP is reported besides COCO's figures."""
        from chainer_seg.evaluation.coco import OVERLAPS
        return OVERLAPS if self.overlaps else _VOC_OVERLAPS if self.voc else ()

    def _compared(self, model: Any) -> str:
        """What errors are counted of: masks where they are measured."""
        with_masks = model.config.get('with_masks', True) and 'segm' in (self.kinds or ('segm',))
        return 'segm' if with_masks else 'bbox'

    def show(self, figures: dict[str, float], kinds: tuple[str, ...], class_names: tuple[str, ...]) -> None:
        """Prints and writes the figures that the options ask for."""
        print(table(figures, kinds))
        if self.voc:
            print('\n' + overlap_table(figures, kinds, _VOC_OVERLAPS))
        if self.overlaps:
            print('\n' + overlap_table(figures, kinds, self._overlaps()))
        if self.per_class:
            print('\n' + class_table(figures, kinds, class_names))
        if self.per_class and self._overlaps():
            for kind in kinds:
                print('\n' + class_overlap_table(figures, kind, class_names, self._overlaps()))
        if self.out:
            write_figures(self.out, figures)


def table(figures: Mapping[str, float], kinds: Sequence[str]) -> str:
    """All figures of COCO in percent, a row for each kind below the names of its figures."""
    parts = [_rows(figures, [kind for kind in kinds if kind != 'keypoints'], _FIGURES),
             _rows(figures, [kind for kind in kinds if kind == 'keypoints'], _KEYPOINT_FIGURES)]
    return '\n'.join(part for part in parts if part)


def overlap_table(figures: Mapping[str, float], kinds: Sequence[str], ious: Sequence[float]) -> str:
    """The AP at single overlaps, as YOLACT reports it."""
    return _rows(figures, [kind for kind in kinds if kind != 'keypoints'], list(map(_at, ious)))


def _rows(figures: Mapping[str, float], kinds: Sequence[str], names: Sequence[str]) -> str:
    if not kinds:
        return ''
    heads = f'{"":10}' + ''.join(f'{name:>7}' for name in names)
    return '\n'.join([heads, *(
        f'{_TITLES[kind]:10}' + ''.join(_cell(figures[f'{kind}/{name}']) for name in names)
        for kind in kinds)])


def class_table(figures: Mapping[str, float], kinds: Sequence[str], class_names: Sequence[str]) -> str:
    """The AP of each class in percent."""
    width = max(10, *(len(name) + 1 for name in class_names))
    lines = [f'{"AP":{width}}' + ''.join(f'{_TITLES[kind]:>10}' for kind in kinds)]
    for name in class_names:
        lines.append(f'{name:{width}}' + ''.join(
            f'{_cell(figures[f"{kind}/AP/{name}"]):>10}' for kind in kinds))
    return '\n'.join(lines)


def class_overlap_table(figures: Mapping[str, float], kind: str, class_names: Sequence[str],
                        ious: Sequence[float]) -> str:
    """The AP of each class in percent, over all overlaps and at single ones."""
    names, width = ['AP', *map(_at, ious)], max(10, *(len(name) + 1 for name in class_names))
    return '\n'.join([f'{_TITLES[kind]:{width}}' + ''.join(f'{name:>7}' for name in names), *(
        f'{each:{width}}' + ''.join(_cell(figures[f'{kind}/{name}/{each}']) for name in names)
        for each in class_names)])


def _at(iou: float) -> str:
    return f'AP{100 * iou:.0f}'


def error_table(errors: 'ErrorAnalysis') -> str:
    """The number of errors of each kind, and the AP50 in percent that would be gained without them."""
    counts, gains = errors.counts(), errors.gains()
    return '\n'.join([f'{"errors of " + _TITLES[errors.kind]:18}{"number":>8}{"AP50 lost":>11}', *(
        f'{kind:18}{counts[kind].sum():8}{100 * gain:11.1f}' for kind, gain in gains.items())])


def _cell(value: float) -> str:
    return f'{"-" if math.isnan(value) else f"{100 * value:.1f}":>7}'
