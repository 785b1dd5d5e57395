"""Evaluate a click model by a simulated user."""

import dataclasses
import logging
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any, ClassVar

import numpy as np
import tyro

from chainer_seg.bad_images import BadImages
from chainer_seg.cli.click_options import ClickView, refinement
from chainer_seg.cli.click_report import class_table, table, write
from chainer_seg.cli.common import CommonOfModel
from chainer_seg.cli.dispatch import ModelCommand, ModelName
from chainer_seg.cli.evaluation_data import EvaluationData, data_rules
from chainer_seg.errors import UserError
from chainer_seg.evaluation.click_baselines import BASELINES
from chainer_seg.evaluation.click_benchmarks import BENCHMARKS, CAP, LEAST_AREA, THRESHOLDS
from chainer_seg.models.deeplab.refine import REFINEMENTS
from chainer_seg.recipes.data import SYNTHETIC, synthetic_class
from chainer_seg.recipes.options import Flat, Positive, Switch, chosen, option
from chainer_seg.recipes.rules import only, where, with_any, without

log = logging.getLogger(__name__)

_CATEGORIES = tyro.conf.create_mutex_group(required=False)


@dataclasses.dataclass(frozen=True)
class Objects:
    """Objects; what --benchmark says if omitted.

    Attributes:
        benchmark: Data set whose usual objects and threshold are used, and whose published figures are shown.
        masks: Folder with a mask for each object, as in GrabCut, Berkeley and DAVIS; it, or --images alone,
            may also contain the folders of both.
        categories: Names of categories; only their objects are used.
        seen: Only objects of the 20 categories of COCO that Pascal VOC has.
        unseen: Only objects of the other 60.
        per_category: Number of objects sampled of each category, by --seed; all if omitted.
        least_area: Minimum area of an object, in pixels; 1024 if omitted, or 1 for --benchmark.
        max_objects: Maximum number of objects.
    """

    benchmark: Annotated[str | None, chosen(BENCHMARKS), option()] = None
    masks: Annotated[str | None, option(metavar='D')] = None
    categories: Annotated[tuple[str, ...] | None, option(metavar='NAME ...'), _CATEGORIES] = None
    seen: Annotated[Switch, _CATEGORIES] = False
    unseen: Annotated[Switch, _CATEGORIES] = False
    per_category: Annotated[Positive | None, option(metavar='N')] = None
    least_area: Annotated[Positive | None, option(metavar='PX')] = None
    max_objects: Annotated[Positive | None, option(metavar='N')] = None

    @property
    def is_narrowed(self) -> bool:
        """Whether less or others are asked for than the benchmark has."""
        return any((self.named_categories, self.per_category, self.least_area, self.max_objects))

    @property
    def named_categories(self) -> tuple[str, ...] | str | None:
        """The categories that are named, ``'seen'`` or ``'unseen'``; None for all."""
        return 'seen' if self.seen else 'unseen' if self.unseen else self.categories

    def settings(self) -> dict[str, Any]:
        """The categories, their number of objects and the least area, as they are used."""
        usual = BENCHMARKS[self.benchmark] if self.benchmark else None
        return {
            'categories': self.named_categories or (usual and usual.categories),
            'per_category': self.per_category or (usual and usual.per_category),
            'least_area': self.least_area or (usual.least_area if usual else LEAST_AREA)}

    def found(self, dataset: Any, seed: int, bad: BadImages) -> dict[str, Any]:
        """The objects to click on, as arguments of :func:`chainer_seg.jobs.evaluate_click_model`."""
        from chainer_seg.evaluation import find_labels, sample_objects
        settings = self.settings()
        categories, count = settings['categories'], settings['per_category']
        labels = None if categories is None else find_labels(dataset.class_names, categories)
        objects = {'least_area': settings['least_area'], 'labels': labels}
        if count is not None:
            objects['chosen'] = sample_objects(dataset, count, np.random.default_rng(seed), on_error=bad,
                                               **objects)
        return {**objects, 'max_objects': self.max_objects}


@dataclasses.dataclass(frozen=True)
class EvaluateClicks(ModelCommand):
    """Evaluate a click model by a simulated user, who always clicks the center of the largest wrong region.

    NoC@85 is the mean number of clicks until the intersection over union is 85%; an object that does not
    reach it counts as --cap clicks and as a failure. IoU@3 is the mean intersection over union after three
    clicks. The simulated user stops once the highest of the --thresholds is reached. Without --annotations
    and --masks, the images are synthetic.

    Attributes:
        model: Name of the model.
        protocol: Evaluation protocol.
        compare: Further models to measure on the same objects: click models, detectors or proposal models.
        refine: Refinements of the models to compare.
        crf_parameters: Parameters of the dense CRF: deeplab or tensorflow, optionally with changes, as in
            tensorflow,steps=5.
        baselines: Classical methods to compare.
        thresholds: IoUs until which clicks are counted; 0.8, 0.85 and 0.9 if omitted, or that of --benchmark.
        cap: Maximum number of clicks per object.
        clicks: Numbers of clicks after which the intersection over union is reported.
        drawn: Kind of synthetic images: shapes, textured or plain, or people; textured shapes if omitted.
        per_class: Also report the clicks of each category.
        out: File to write all figures to, as JSON; their curves are written to a PNG next to it.
        results: Folder to keep the results in, so that an interrupted run can resume.
        overwrite: Replace the results in --results.
        objects: Objects.
        data: Data.
        view: Inference.
        common: Common options.
    """

    model: ModelName
    protocol: Annotated[str, chosen(('clicks', 'coco', 'proposals', 'patch'))] = 'clicks'
    compare: Annotated[tuple[str, ...], option(metavar='MODEL ...')] = ()
    refine: Annotated[tuple[Annotated[str, chosen(('none', *REFINEMENTS))], ...],
                      option(metavar=f'{{none,{",".join(REFINEMENTS)}}} ...')] = ('none',)
    crf_parameters: Annotated[str, option(metavar='P')] = 'deeplab'
    baselines: Annotated[tuple[Annotated[str, chosen(BASELINES)], ...],
                         option(metavar=f'{{{",".join(BASELINES)}}} ...')] = ()
    thresholds: Annotated[tuple[float, ...] | None, option(metavar='IOU ...')] = None
    cap: Annotated[Positive, option(metavar='N')] = CAP
    clicks: Annotated[tuple[int, ...], option(metavar='N ...')] = (1, 3, 5)
    drawn: Annotated[str | None, chosen(SYNTHETIC), option()] = None
    per_class: Switch = False
    out: Annotated[str | None, option(metavar='JSON')] = None
    results: Annotated[str | None, option(metavar='DIR')] = None
    overwrite: Switch = False
    objects: Flat[Objects] = Objects()
    data: Flat[EvaluationData] = EvaluationData(n=100)
    view: Flat[ClickView] = ClickView()
    common: Flat[CommonOfModel] = CommonOfModel()

    rules: ClassVar = (
        *data_rules('--masks', '--images'), only(where('--refine', 'crf'), '--crf-parameters'),
        only(without('--annotations', '--masks', '--images'), '--drawn'),
        only(with_any('--results'), '--overwrite'))

    def work(self, model: Any) -> None:
        thresholds = self.used_thresholds()
        started = time.time()
        self.view.apply(model, self.model)
        draw = synthetic_class(self.drawn) if self.drawn else None
        dataset = self.named_data().open(self.common.seed, draw=draw)
        bad = BadImages(self.data.strict)
        with bad.reported(len(dataset), 'are not in the figures', self.common.verbose):
            objects = self.objects.found(dataset, self.common.seed, bad)
            results = {title: self.evaluate(method, title, dataset, objects, thresholds, bad)
                       for title, method in self.methods(model).items()}
            print(table(results, thresholds, self.clicks, self.cap), *self.published(), sep='\n')
            if self.per_class:
                print('\n' + class_table(results, thresholds))
            if self.out:
                plot = write(self.out, results, thresholds, self.clicks,
                                {**self.settings(), 'seconds': round(time.time() - started, 1)})
                log.info('wrote %s and %s', self.out, plot)

    def used_thresholds(self) -> tuple[float, ...]:
        """The thresholds that are given, of the benchmark, or the usual ones.

        Raises:
            chainer_seg.errors.UserError: These or --clicks are out of range.
        """
        usual = (BENCHMARKS[self.objects.benchmark].threshold,) if self.objects.benchmark else THRESHOLDS
        thresholds = self.thresholds or usual
        if not 1 <= min(self.clicks) <= max(self.clicks) <= self.cap:
            raise UserError(f'--clicks must be from 1 to --cap, {self.cap}; got {max(self.clicks)}.')
        if not 0 < min(thresholds) <= max(thresholds) <= 1:
            raise UserError('--thresholds must be greater than 0 and at most 1.')
        return thresholds

    def named_data(self) -> EvaluationData:
        """The data, with a folder of masks as --annotations.

        Raises:
            chainer_seg.errors.UserError: The objects are defined twice, or there is no such folder.
        """
        data, masks = self.data, self.objects.masks
        if masks is None and (data.annotations is not None or data.images is None):
            return data
        if data.annotations is not None:
            raise UserError('--masks and --annotations both define the objects; give only one of them.')
        if masks is not None and not pathlib.Path(masks).is_dir():
            raise UserError(f'There is no folder of masks {masks}; check the path.')
        return dataclasses.replace(data, annotations=masks or data.images,
                                   images=data.images if masks else None)

    def methods(self, model: Any) -> 'dict[str, Method]':
        """The methods to compare, by their titles."""
        from chainer_seg.engines import compile
        from chainer_seg.model_file import load_model
        from chainer_seg.models.click_model import as_click_model
        # Here, so that a missing package or model is reported before the work begins.
        sharpen = {name: refinement(name, self.crf_parameters) for name in self.refine}
        models = {self.model: model, **{
            name: as_click_model(compile(load_model(name, self.common.device), self.common.engine))
            for name in self.compare}}
        methods = {}
        for title, each in models.items():
            for name, refine in sharpen.items():
                methods[title if refine is None else f'{title}, {name}'] = Method(
                    name, each, refine, None if title == self.model else title)
        return {**methods, **{name: Method(name, BASELINES[name]()) for name in self.baselines}}

    def evaluate(self, method: 'Method', title: str, dataset: Any, objects: Mapping[str, Any],
                 thresholds: tuple[float, ...], bad: BadImages) -> Any:
        """The :class:`chainer_seg.evaluation.ClickFigures` of one method."""
        from chainer_seg.jobs import evaluate_click_model
        folder = None if self.results is None else pathlib.Path(self.results, method.folder)
        return evaluate_click_model(
            method, dataset, thresholds, self.cap, folder=folder, overwrite=self.overwrite,
            method={} if folder is None else self.described(method), title=title,
            progress=not self.common.quiet, on_error=bad, **objects)

    def described(self, method: 'Method') -> dict[str, Any]:
        """All that the results of a method depend on besides data and objects, as a dict for JSON."""
        from chainer_seg.jobs.fingerprints import fingerprint_of_model
        settings: dict[str, Any] = {'method': method.name}
        if self.data.reading.labels_as != 'auto':
            settings['labels_as'] = self.data.reading.labels_as
        if method.name not in BASELINES:
            settings.update(model=fingerprint_of_model(method.segmenter), **method.segmenter.click_settings())
        if method.name == 'crf':
            from chainer_seg.cli.crf_options import crf_parameters
            settings['crf_parameters'] = repr(crf_parameters(self.crf_parameters))
        return settings

    def settings(self) -> dict[str, Any]:
        """What was measured, for the file of figures."""
        return {'model': self.model, 'cap': self.cap, 'benchmark': self.objects.benchmark,
                **self.objects.settings(), 'seed': self.common.seed}

    def published(self) -> list[str]:
        """Lines of what was published for the benchmark; none where less or other than that is measured."""
        rows = self.data.range
        if not self.objects.benchmark or self.objects.is_narrowed or self.thresholds or self.cap != CAP or (
                rows.start_at > 1 or rows.end_at):
            return []
        benchmark = BENCHMARKS[self.objects.benchmark]
        return [f'published for {benchmark.title}: NoC@{100 * benchmark.threshold:g} {clicks:.2f}, {method}'
                for method, clicks in benchmark.published.items()]


@dataclasses.dataclass(frozen=True)
class Method:
    """What turns clicks into masks: a click model with or without a refinement, or a classical method.

    Attributes:
        name: Name of the refinement, 'none', or name of the classical method.
        segmenter: The click model or the classical method.
        refine: The refinement, or None.
        model: Name of the model unless it is the command's own.
    """

    name: str
    segmenter: Any
    refine: Callable[..., Any] | None = None
    model: str | None = None

    @property
    def folder(self) -> str:
        """The folder of its results."""
        return self.name if self.model is None else f'{pathlib.Path(self.model).stem}-{self.name}'

    def session(self, image: Any) -> Any:
        """A session on an image (H, W, 3) uint8."""
        if self.refine is None:
            return self.segmenter.session(image)
        return self.segmenter.session(image, self.refine)
