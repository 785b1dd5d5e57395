"""The evaluation browser from Python's side: from a figure to the worst false positive, and files."""

import numpy as np
import pytest

pytest.importorskip('anywidget')

from chainer_seg.datasets import CocoDataset, write_coco  # noqa: E402
from chainer_seg.errors import DatasetError  # noqa: E402
from chainer_seg.files import write_json  # noqa: E402
from chainer_seg.widgets import EvaluationBrowser  # noqa: E402
from tests.detections import NAMES, animals, poor_detections  # noqa: E402
from tests.synthetic import squares  # noqa: E402

from .controls import controls  # noqa: E402

@pytest.fixture
def dataset():
    return animals()


@pytest.fixture
def detections():
    return poor_detections()


@pytest.fixture
def browser(detections, dataset):
    return EvaluationBrowser(detections, dataset)


def test_the_table_counts_the_errors_of_each_class(browser):
    rows = [dict(zip(browser._classes.columns, line)) for line in browser._classes.rows]
    assert [line['name'] for line in rows] == ['all classes', 'cat', 'dog']
    assert [line['objects'] for line in rows] == ['3', '2', '1']
    assert [(line['correct'], line['background'], line['missed']) for line in rows] == [
        ('1', '1', '1'), ('1', '1', '1'), ('0', '0', '0')]
    assert rows[0]['AP50'] == f'{100 * browser.analysis.figures["segm/AP50"]:.1f}'
    assert repr(browser).startswith('EvaluationBrowser(2 images, segm/AP ')


def test_two_clicks_lead_from_the_ap_to_the_worst_false_positive(browser):
    browser._classes.chosen = [1, browser._classes.columns.index('AP')]
    assert [case.kind for case in browser.cases] == ['class', 'background']
    assert len(browser._thumbnails.images) == 2
    browser._thumbnails.chosen = 0
    assert browser.case == browser.cases[0] and browser.case.score == pytest.approx(0.8)
    assert browser.message == '1 of 2: 000001.png: cat 0.80, class error, IoU 1.00 with a dog'
    assert browser.snapshot().shape == (480, 966, 3)
    assert '<img' in browser.saved_view()['text/html']


def test_cells_of_the_confusion_matrix_lead_to_their_cases(browser):
    browser._confusion.chosen = [1, 1]
    assert [case.kind for case in browser.cases] == ['class']
    browser._confusion.chosen = [0, 3]
    assert [case.kind for case in browser.cases] == ['missed']
    browser._confusion.chosen = [2, 1]
    assert [case.kind for case in browser.cases] == ['background']


def test_the_score_hides_detections(browser):
    browser.choose('background')
    browser.score_threshold = 0.5
    assert browser.cases == [] and browser._classes.chosen == [-1, -1]
    counted = dict(zip(browser._classes.columns, browser._classes.rows[0]))
    assert (counted['background'], counted['correct']) == ('0', '1')


def test_more_thumbnails_are_shown_on_request(dataset):
    many = squares(*[(0, 100)] * 20, labels=[0] * 20, scores=np.linspace(0.9, 0.1, 20), class_names=NAMES)
    browser = EvaluationBrowser([many, many[:0]], dataset)
    browser.choose(class_name='cat')
    assert (len(browser.cases), len(browser._thumbnails.images)) == (20, 12)
    controls(browser, 'Button')['More'].click()
    assert len(browser._thumbnails.images) == 20
    assert controls(browser, 'Button')['More'].layout.display == 'none'


def test_files_are_opened_by_the_fields(tmp_path, detections, dataset):
    annotations = write_coco(dataset, tmp_path)
    opened = CocoDataset(annotations, tmp_path / 'images')
    results = [each for found, image_id in zip(detections, opened.ids)
               for each in found.to_coco_results(image_id, opened.category_ids)]
    write_json(tmp_path / 'segm.json', results)
    browser = EvaluationBrowser()
    assert browser.analysis is None and 'press Open' in browser.message
    for name, value in (('results', tmp_path), ('annotations', annotations), ('images', tmp_path / 'images')):
        controls(browser, 'Text')[name].value = str(value)
    controls(browser, 'Button')['Open'].click()
    assert browser.analysis.figures == pytest.approx(
        EvaluationBrowser(detections, dataset).analysis.figures, nan_ok=True)


def test_what_cannot_be_opened_is_one_sentence(tmp_path, browser):
    empty = EvaluationBrowser()
    controls(empty, 'Button')['Open'].click()
    assert empty.message.startswith('The results are missing')
    controls(empty, 'Text')['results'].value = str(tmp_path)
    controls(empty, 'Button')['Open'].click()
    assert empty.message == 'The annotations are missing; give the file that was evaluated.'
    with pytest.raises(DatasetError, match='neither segm.json nor bbox.json'):
        empty.load(tmp_path, browser.analysis.dataset)
    with pytest.raises(DatasetError, match='No evaluation is open'):
        empty.choose('missed')
    with pytest.raises(DatasetError, match='no errors of the kind wrong'):
        browser.choose('wrong')
