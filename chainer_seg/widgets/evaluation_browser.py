"""Browses an evaluation: from a figure to the errors behind it, and from there to the image."""

import base64
import html
import math
import os
from collections.abc import Callable
from typing import Any

import ipywidgets
import numpy as np
import numpy.typing as npt

from chainer_seg.datasets import open_dataset
from chainer_seg.datasets.base import Dataset
from chainer_seg.errors import DatasetError
from chainer_seg.evaluation import Case, DetectionAnalysis, analyse_detections
from chainer_seg.evaluation.detection_errors import CORRECT, ERROR_KINDS
from chainer_seg.visualization import draw_error_kinds, draw_precision_recall
from chainer_seg.visualization.figures import figure_png
from chainer_seg.widgets.choices import ChoiceTable, Thumbnails
from chainer_seg.widgets.events import (
    button, reporting_errors, row, status_html, status_line, without_errors)
from chainer_seg.widgets.mask_data import encode_jpeg
from chainer_seg.widgets.named_image import NamedImage
from chainer_seg.widgets.notebook_cell import NotebookBox

_TABS = ('Classes', 'Precision and recall', 'Confusion', 'Error kinds')
_FIGURES = ('AP', 'AP50', 'AP75', 'APs', 'APm', 'APl', 'AR1', 'AR10', 'AR100', 'ARs', 'ARm', 'ARl')
_COUNTED = (CORRECT, *ERROR_KINDS)
_OVERLAPS = (slice(None), slice(1), slice(5, 6))  # of AP, AP50 and AP75, among 0.5, 0.55, ..., 0.95
_PAGE = 12  # thumbnails
_ALL = 'all classes'


class EvaluationBrowser(NotebookBox):
    """AP and AR, curves, confusions and errors of a detector, down to every single detection.

    A number of the table of classes leads to its errors, worst first: the AP to all false positives of the
    class, the others to errors of one kind. A thumbnail leads to the image, truth on the left and detections
    on the right. The kinds of errors are those of TIDE (:mod:`chainer_seg.evaluation.detection_errors`).

    Args:
        detections: Anything that :func:`chainer_seg.evaluation.analyse_detections` accepts, such as the
            folder that ``chainer-seg evaluate MODEL --results DIR`` wrote; or a
            :class:`chainer_seg.evaluation.DetectionAnalysis`. If omitted, fields ask for files.
        dataset: The data set, or the path of its annotations.
        images: Folder of the images, if ``dataset`` is a path.
        score_threshold: Detections of a lower score are hidden at first.
        longest_side: Longer side in pixels of the images in a pair.

    Attributes:
        analysis: The :class:`chainer_seg.evaluation.DetectionAnalysis`; None before files are opened.
        cases: The cases that the thumbnails show.

    Raises:
        chainer_seg.errors.UserError: The files cannot be read, or do not belong together.
    """

    def __init__(self, detections: Any = None, dataset: Dataset | str | os.PathLike | None = None,
                 images: str | os.PathLike | None = None, score_threshold: float = 0.0,
                 longest_side: int = 480) -> None:
        self.analysis: DetectionAnalysis | None = None
        self.cases: list[Case] = []
        self._case: Case | None = None
        self._longest_side, self._shown = longest_side, 0
        self._make_fields(detections, dataset, images)
        self._make_views(score_threshold)
        super().__init__([self._fields, self._summary, self._score, self._tabs, self._found, self._thumbnails,
                          self._more, self._image, self._status])
        self._show_parts()
        if isinstance(detections, DetectionAnalysis):
            self._show_analysis(detections)
        elif detections is not None:
            self.load(detections, dataset, images)
        else:
            self._say('Give the results and the annotations, and press Open.')

    def _make_fields(self, *given: Any) -> None:
        texts = (('results', 'folder or file of chainer-seg evaluate --results'),
                 ('annotations', 'COCO JSON file'), ('images', 'folder of the images'))
        self._paths = [ipywidgets.Text(
            os.fspath(value) if isinstance(value, (str, os.PathLike)) else '', placeholder=text,
            description=name, layout={'flex': '1 1 240px'}) for (name, text), value in zip(texts, given)]
        self._fields = row([
            *self._paths, button('Open', 'folder-open', 'Open these files', self._open_fields)])

    def _make_views(self, score_threshold: float) -> None:
        self._summary, self._found, self._status = ipywidgets.HTML(), ipywidgets.HTML(), status_line()
        self._score = ipywidgets.FloatSlider(
            score_threshold, min=0, max=1, step=0.05, description='Minimum score', continuous_update=False,
            style={'description_width': '110px'}, layout={'width': '380px'})
        self._score.observe(lambda _: without_errors(self._show_tables)(), 'value')
        self._classes = ChoiceTable(
            caption='AP in percent, and detections by kind: choose a number to see its errors',
            columns=['name', 'objects', 'AP', 'AP50', 'AP75', *_COUNTED],
            choosable=['', '', *['all false positives'] * 3, *_COUNTED])
        self._confusion = ChoiceTable(caption='Rows: true class; columns: predicted class')
        for table, choose in ((self._classes, self._choose_class), (self._confusion, self._choose_confusion)):
            table.observe(self._following(choose), 'chosen')
        self._curves, self._kinds = (NamedImage(name, 'png') for name in (_TABS[1], _TABS[3]))
        self._tabs = ipywidgets.Tab([self._classes, self._curves, self._confusion, self._kinds], titles=_TABS)
        self._thumbnails = Thumbnails()
        self._thumbnails.observe(lambda change: without_errors(self.show)(change['new']), 'chosen')
        self._more = button('More', 'plus', 'Show more of these', self._show_more)
        self._image = NamedImage('Truth on the left, detections on the right', 'jpeg')

    @staticmethod
    def _following(choose: Callable[[int, int], None]) -> Callable[[Any], None]:
        return lambda change: without_errors(choose)(*change['new']) if change['new'] != [-1, -1] else None

    @property
    def score_threshold(self) -> float:
        """Detections of a lower score are hidden; can be set."""
        return self._score.value

    @score_threshold.setter
    def score_threshold(self, score: float) -> None:
        self._score.value = score

    @property
    def case(self) -> Case | None:
        """The case in the large image."""
        return self._case

    @property
    def message(self) -> str:
        """The status line, as plain text."""
        return self._message

    def load(self, detections: Any, dataset: Dataset | str | os.PathLike | None,
             images: str | os.PathLike | None = None) -> None:
        """Evaluates and shows other detections; arguments and errors as for the class."""
        with reporting_errors(self._say, 'The evaluation failed'):
            if not isinstance(dataset, Dataset):
                if not dataset:
                    raise DatasetError('The annotations are missing; give the file that was evaluated.')
                dataset = open_dataset(dataset, images or None)
            analysis = analyse_detections(detections, dataset)
        self._show_analysis(analysis)

    def choose(self, kind: str | None = None, class_name: str | None = None) -> None:
        """Shows thumbnails of the errors of a kind and a class; None for all false positives or classes.

        Raises:
            chainer_seg.errors.DatasetError: There is no such kind or class, or nothing is open.
        """
        names = self._opened().dataset.class_names
        if kind not in (None, *_COUNTED) or class_name not in (None, *names):
            raise DatasetError(f'There are no errors of the kind {kind} and the class {class_name}; the '
                               f'kinds are {", ".join(_COUNTED)}, the classes {", ".join(names)}.')
        line = 0 if class_name is None else 1 + names.index(class_name)
        self._classes.chosen = [line, 2 if kind is None else 5 + _COUNTED.index(kind)]

    def show(self, number: int) -> None:
        """Shows the image of a thumbnail, by its number."""
        if number not in range(len(self.cases)):
            return
        self._case = self.cases[number]
        self._thumbnails.chosen = number if number < self._shown else -1
        self._image.data = encode_jpeg(self.snapshot())
        self._show_parts()
        self._say(f'{number + 1} of {len(self.cases)}: {self._opened().describe(self._case)}')

    def snapshot(self) -> npt.NDArray[np.uint8]:
        """The large image, truth beside detections, (h, w, 3) uint8 RGB; white without one."""
        if self._case is None:
            return np.full((1, 1, 3), 255, np.uint8)
        return self._opened().draw(self._case, self._longest_side)

    def saved_view(self) -> dict[str, str]:
        """The tables and the images, as HTML and as text."""
        cells = [[f'<td>{html.escape(text)}</td>' for text in line]
                 for line in (self._classes.columns, *self._classes.rows)]
        table = ''.join(f'<tr>{"".join(line)}</tr>' for line in cells)
        shown = [*self._thumbnails.images, *([self._image.data] if self._case else [])]
        images = ' '.join(
            f'<img src="data:image/jpeg;base64,{base64.b64encode(data).decode("ascii")}" alt="">'
            for data in shown)
        return {'text/html': f'<div class="chainer-seg-saved">{self._summary.value}<table>{table}</table>'
                             f'<p>{self._found.value}</p>{images}<p>{html.escape(self.message)}</p></div>',
                'text/plain': repr(self)}

    def __repr__(self) -> str:
        return 'EvaluationBrowser(nothing open)' if self.analysis is None else (
            f'EvaluationBrowser({len(self.analysis.dataset)} images, {self._kind}/AP '
            f'{_percent(self.analysis.figures[f"{self._kind}/AP"])})')

    def _open_fields(self) -> None:
        detections, annotations, images = (field.value.strip() for field in self._paths)
        if not detections:
            self._say('The results are missing; write them with chainer-seg evaluate MODEL --results DIR.',
                      is_error=True)
            return
        self.load(detections, annotations, images)

    def _opened(self) -> DetectionAnalysis:
        if self.analysis is None:
            raise DatasetError('No evaluation is open; give the results and the annotations.')
        return self.analysis

    @property
    def _kind(self) -> str:
        return self._opened().kind

    def _show_analysis(self, analysis: DetectionAnalysis) -> None:
        self.analysis = analysis
        counts = {kind: int(each.sum()) for kind, each in analysis.errors.counts().items()}
        self._kinds.data = figure_png(draw_error_kinds(analysis.errors.gains(), counts))
        heads = ''.join(f'<th>{name}</th>' for name in _FIGURES)
        cells = ''.join(f'<td>{_percent(analysis.figures[f"{self._kind}/{name}"])}</td>' for name in _FIGURES)
        what = 'masks' if self._kind == 'segm' else 'boxes'
        self._summary.value = (f'<table><caption>{what}, in percent, {len(analysis.dataset)} images</caption>'
                               f'<tr>{heads}</tr><tr>{cells}</tr></table>')
        names = analysis.dataset.class_names
        self._confusion.columns = ['', *names, 'missed']
        self._confusion.choosable = ['', *(f'predicted as {name}' for name in names), 'missed']
        self._show_tables()
        self._say('Choose a number to see what is behind it.')

    def _show_tables(self) -> None:
        """Shows the counts of the detections above the score threshold; nothing is chosen any more."""
        if self.analysis is None:
            return
        errors, names = self.analysis.errors, self.analysis.dataset.class_names
        counts = errors.counts(self.score_threshold)
        objects = np.bincount(errors.objects.label, minlength=len(names))
        precision = [self.analysis.precision[ious].mean(axis=(0, 1)) for ious in _OVERLAPS]
        lines = [[name, str(objects[label]), *(_percent(each[label]) for each in precision),
                  *(str(counts[kind][label]) for kind in _COUNTED)] for label, name in enumerate(names)]
        figures = [self.analysis.figures[f'{self._kind}/{name}'] for name in ('AP', 'AP50', 'AP75')]
        total = [_ALL, str(objects.sum()), *map(_percent, figures),
                 *(str(counts[kind].sum()) for kind in _COUNTED)]
        self._classes.chosen = self._confusion.chosen = [-1, -1]
        self._classes.rows = [total, *lines]
        self._confusion.rows = [[name, *map(str, line)] for name, line in zip(
            (*names, 'background'), errors.confusion(self.score_threshold).tolist())]
        self._show_curves(None)
        self._show_cases([], '')

    def _show_curves(self, label: int | None) -> None:
        ax = draw_precision_recall(self._opened().precision[0], self._opened().dataset.class_names,
                                   highlighted=label)
        self._curves.data = figure_png(ax)

    def _choose_class(self, line: int, column: int) -> None:
        kind, label = None if column < 5 else _COUNTED[column - 5], None if line == 0 else line - 1
        self._confusion.chosen = [-1, -1]
        self._show_curves(label)
        name = _ALL if label is None else self._opened().dataset.class_names[label]
        self._show_cases(self._opened().cases(kind, label, self.score_threshold),
                         f'{name}: {kind or "all false positives"}')

    def _choose_confusion(self, line: int, column: int) -> None:
        names = self._opened().dataset.class_names
        truth, predicted = (None if number == len(names) else number for number in (line, column - 1))
        self._classes.chosen = [-1, -1]
        self._show_cases(self._opened().confused(truth, predicted, self.score_threshold), ' '.join([
            'background' if truth is None else names[truth],
            'missed' if predicted is None else f'predicted as {names[predicted]}']))

    def _show_cases(self, cases: list[Case], title: str) -> None:
        self.cases, self._case, self._shown = cases, None, 0
        self._found.value = html.escape(f'{title}, {len(cases)}, worst first') if title else ''
        with self._thumbnails.hold_sync():
            self._thumbnails.chosen = -1
            self._thumbnails.titles = self._thumbnails.images = []
        self._show_more()

    def _show_more(self) -> None:
        """Shows the next page of thumbnails."""
        analysis, added = self._opened(), self.cases[self._shown:self._shown + _PAGE]
        self._shown += len(added)
        with self._thumbnails.hold_sync():
            self._thumbnails.titles = [*self._thumbnails.titles, *map(analysis.describe, added)]
            self._thumbnails.images = [*self._thumbnails.images, *(
                encode_jpeg(analysis.draw(case, 100, cropped=True)) for case in added)]
        self._show_parts()
        self.update_saved_view()

    def _show_parts(self) -> None:
        """Hides what is empty."""
        for part, shown in ((self._summary, self.analysis), (self._score, self.analysis),
                            (self._tabs, self.analysis), (self._image, self._case),
                            (self._more, self._shown < len(self.cases))):
            part.layout.display = None if shown else 'none'

    def _say(self, message: str, is_error: bool = False) -> None:
        self._message = message
        self._status.value = status_html(message, is_error)
        self.update_saved_view()


def _percent(share: float) -> str:
    return '-' if math.isnan(share) else f'{100 * share:.1f}'
