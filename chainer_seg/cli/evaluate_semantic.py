"""Evaluate a DeepLab."""

import dataclasses
import functools
import logging
import time
from typing import Annotated, Any, ClassVar

from chainer_seg.bad_images import BadImages
from chainer_seg.cli.common import CommonOfModel
from chainer_seg.cli.dispatch import ModelCommand, ModelName
from chainer_seg.cli.evaluation_data import CLASS_RULE, Classes, EvaluationData, data_rules, write_figures
from chainer_seg.cli.semantic_options import SemanticInference
from chainer_seg.cli.semantic_report import class_table
from chainer_seg.cli.synthetic_data import dataset_for_classes
from chainer_seg.recipes.options import Flat, Switch, option
from chainer_seg.recipes.rules import When, only, with_any

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class EvaluateSemantic(ModelCommand):
    """Evaluate a DeepLab by the intersection over union of classes, and by their accuracy.

    Void pixels are not counted. Classes that neither occur nor are found have no figures, and the means omit
    them. Without --annotations, the images are synthetic. With --save-labels, the same command resumes a run
    that was killed or interrupted.

    Attributes:
        model: Name of the model.
        sbd: Folder of SBD, for images of a list without annotations in VOC.
        class_names: Names of the classes 1, 2, ... in the label images of a list; VOC's if omitted.
        out: File to write the figures and the confusion matrix to, as JSON.
        save_labels: Folder to keep the labels in, as images with VOC's palette in the format of its server.
        overwrite: Replace the labels in --save-labels.
        data: Data.
        classes: Classes.
        inference: Inference.
        common: Common options.
    """

    model: ModelName
    sbd: Annotated[str | None, option(metavar='DIR')] = None
    class_names: Annotated[tuple[str, ...] | None, option(metavar='NAME ...')] = None
    out: Annotated[str | None, option(metavar='JSON')] = None
    save_labels: Annotated[str | None, option(metavar='DIR')] = None
    overwrite: Switch = False
    data: Flat[EvaluationData] = EvaluationData()
    classes: Flat[Classes] = Classes()
    inference: Flat[SemanticInference] = SemanticInference()
    common: Flat[CommonOfModel] = CommonOfModel()

    rules: ClassVar = (
        *data_rules(), CLASS_RULE,
        only(When('to a list of images (.txt) as --annotations',
                  lambda options: str(options['annotations']).endswith('.txt')), '--sbd', '--class-names'),
        only(with_any('--save-labels'), '--overwrite'))

    def work(self, model: Any) -> None:
        from chainer_seg.jobs import evaluate_segmenter
        started = time.time()
        dataset, bad = self.dataset(model), BadImages(self.data.strict)
        with bad.reported(len(dataset), 'are not in the figures', self.common.verbose):
            evaluator = evaluate_segmenter(
                model, dataset, match=self.classes.match, folder=self.save_labels, overwrite=self.overwrite,
                progress=not self.common.quiet, on_error=bad, **self.inference.settings())
            figures = evaluator.summary()
            print(f'{len(evaluator)} images, {time.time() - started:.0f} s')
            print(class_table(figures, dataset.class_names))
            if self.out:
                write_figures(self.out, figures, class_names=evaluator.class_names,
                              confusion=evaluator.confusion.tolist())
                log.info('wrote %s', self.out)

    def dataset(self, model: Any) -> Any:
        """The data set that the options name, with a class for each pixel."""
        from chainer_seg.datasets import SemanticDataset, open_semantic

        def draw(*arguments: Any) -> SemanticDataset:
            return SemanticDataset(dataset_for_classes(
                model.class_names[1:], self.classes.drawn, *arguments))

        return self.data.open(self.common.seed, draw=draw, open_files=functools.partial(
            open_semantic, sbd=self.sbd, class_names=self.class_names))
