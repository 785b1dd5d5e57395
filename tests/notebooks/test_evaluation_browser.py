"""The evaluation browser in Chromium: two clicks from the AP to the worst false positive."""

import pytest

from .browser import check_cells, errors_of_ours, keep, open_cells, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.browser]

CELLS = [
    'from chainer_seg.datasets import PlainShapesDataset\n'
    'from chainer_seg.widgets import EvaluationBrowser',
    'dataset = PlainShapesDataset(3, seed=1, size=(96, 128))\n'
    '# Every object is found twice: as it is, and with the next class.\n'
    'detections = [truth[[*range(len(truth))] * 2] for _, truth in dataset]\n'
    'for found in detections:\n'
    '    half = len(found) // 2\n'
    '    found.scores[:half], found.scores[half:] = 0.9, 0.6\n'
    '    found.labels[half:] = (found.labels[half:] + 1) % len(dataset.class_names)\n'
    'browser = EvaluationBrowser(detections, dataset)\n'
    'browser',
]


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    """A window on the running notebook, and ``ask`` for its kernel."""
    with open_cells(CELLS, tmp_path_factory.mktemp('lab'), buttons, 'the table') as opened:
        yield opened


def buttons(window):
    check_cells(window)
    return window.find_elements('css selector', '.chainer-seg-choices tbody button')


def test_two_clicks_lead_from_the_ap_to_the_worst_false_positive(page):
    window, ask = page
    precision = buttons(window)[0]
    assert precision.get_attribute('title') == 'all classes: all false positives'
    precision.click()
    thumbnails = wait_until(lambda: window.find_elements('css selector', '.chainer-seg-thumbnails button'),
                            'the thumbnails')
    thumbnails[0].click()
    wait_until(lambda: ask('browser.message').startswith('1 of '), 'the case')
    text = ask('browser.message')
    assert ask('browser.case.kind') == 'class' and 'class error' in text
    wait_until(lambda: any(line.text == text for line in window.find_elements(
        'css selector', '.chainer-seg-status')), 'its description')
    assert ask('browser.case == max(browser.analysis.cases(), key=lambda case: case.score)')
    keep(window, 'evaluation_browser')


def test_browser_logs_no_error_of_the_widget(page):
    assert errors_of_ours(page[0]) == []
