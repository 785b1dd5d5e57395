"""An evaluation can be looked into: every error is found, worst first, and drawn."""

import numpy as np
import pytest

from chainer_seg.datasets import ExampleList, PlainShapesDataset
from chainer_seg.errors import DatasetError
from chainer_seg.evaluation import analyse_detections, evaluate_coco
from chainer_seg.jobs import evaluate_detector
from chainer_seg.model_file import load_model
from tests.detections import NAMES, animals, poor_detections
from tests.synthetic import squares

@pytest.fixture
def dataset():
    return animals()


@pytest.fixture
def analysis(dataset):
    return analyse_detections(poor_detections(), dataset)


def test_false_positives_come_from_the_highest_score(analysis):
    assert [(case.image, case.kind, case.detection) for case in analysis.cases()] == [
        (1, 'class', 0), (0, 'background', 1)]
    assert [case.kind for case in analysis.cases(score_threshold=0.5)] == ['class']
    assert analysis.cases(label=1) == []


def test_each_kind_has_its_cases(analysis):
    [found] = analysis.cases('correct')
    assert (found.image, found.detection, found.object_number) == (0, 0, 0)
    assert found.iou == pytest.approx(38 / 42)
    [missed] = analysis.cases('missed')
    assert (missed.image, missed.label, missed.object_number) == (1, 0, 1)
    assert analysis.describe(missed) == '000001.png: cat missed'
    [wrong] = analysis.cases('class')
    assert analysis.describe(wrong) == '000001.png: cat 0.80, class error, IoU 1.00 with a dog'


def test_cells_of_the_confusion_matrix_have_as_many_cases(analysis):
    matrix = analysis.errors.confusion(0.2)
    numbers = [*range(2), None]
    assert [[len(analysis.confused(truth, predicted, 0.2)) if (truth, predicted) != (None, None) else 0
             for predicted in numbers] for truth in numbers] == matrix.tolist()
    assert matrix.tolist() == [[1, 0, 1], [1, 0, 0], [1, 0, 0]]


def test_figures_are_those_of_coco(analysis, dataset):
    expected = evaluate_coco(analysis.results[:2], dataset, per_class=True, kinds=('segm',))
    np.testing.assert_equal(analysis.figures, expected)
    assert analysis.precision.shape == (10, 101, 2)
    assert analysis.precision[0].mean() == pytest.approx(expected['segm/AP50'])


def test_errors_are_drawn_red_and_their_objects_green(analysis):
    [wrong] = analysis.cases('class')
    drawn = analysis.draw(wrong, 200)
    assert drawn.shape == (200, 406, 3)
    truth, found = drawn[100, 100].astype(int), drawn[100, 306].astype(int)
    assert truth.argmax() == 1 and found.argmax() == 0
    small = analysis.draw(wrong, 60, cropped=True)
    assert small.shape == (60, 126, 3) and small[30, 30].argmax() == 1


def test_it_becomes_figures(analysis):
    figures = analysis.to_figures()
    assert list(figures) == ['precision_recall', 'confusion', 'errors']
    assert all(figure._repr_png_() for figure in figures.values())
    widths = [bar.get_width() for bar in figures['errors'].axes[0].patches]
    assert widths == pytest.approx([100 * gain for gain in analysis.errors.gains().values()])


def test_what_evaluate_wrote_gives_the_same_analysis(tmp_path):
    dataset, model = PlainShapesDataset(2, seed=3, size=(96, 96)), load_model('yolact')
    evaluated = evaluate_detector(model, dataset, folder=tmp_path, progress=False)
    opened = analyse_detections(tmp_path, dataset)
    written = evaluated.summary(per_class=True)
    np.testing.assert_equal(opened.figures, {name: written[name] for name in opened.figures})
    assert analyse_detections(tmp_path / 'bbox.json', dataset).kind == 'bbox'


def test_what_does_not_fit_is_refused(dataset):
    with pytest.raises(DatasetError, match='detections for 1 images and 2 images'):
        analyse_detections([squares((0, 0))], dataset)
    with pytest.raises(DatasetError, match='the data set is empty'):
        analyse_detections([], ExampleList([], NAMES))
