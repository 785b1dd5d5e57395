"""The click segmenter with SharpMask in JupyterLab in Chromium: candidates, menu, Refine, figures."""

import pytest

from .browser import errors_of_ours, keep, open_cells, wait_until
from .clicking import canvas_element, click, colours, idle, press_button

pytestmark = [pytest.mark.slow, pytest.mark.browser]

CELLS = [
    """import numpy as np
from chainer_seg.datasets import PlainShapesDataset
from chainer_seg.widgets import ClickSegmenter

image, instances = PlainShapesDataset(6, seed=5)[5]
segmenter = ClickSegmenter({'shapes': image}, 'sharpmask', true_masks={'shapes': instances.masks})
middle = np.argwhere(instances.masks[0]).mean(axis=0) / image.shape[:2]
segmenter""",
]


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    """A window on the running notebook, and ``ask`` for its kernel."""
    with open_cells(CELLS, tmp_path_factory.mktemp('lab'), canvas_element, 'the image') as opened:
        yield opened


def status(window):
    return window.find_element('css selector', '.chainer-seg-segmenter').text


def test_clicks_refine_and_another_model(page):
    window, ask = page
    wait_until(lambda: colours(window) > 5 and idle(window), 'the image to be drawn')
    click(window, *ask('middle.tolist()'))
    wait_until(lambda: ask('bool(segmenter.mask.any())') and idle(window), 'the mask')
    before = ask('segmenter.iou')
    wait_until(lambda: f'IoU with the true mask: {before:.2f}' in status(window), 'the IoU')
    assert 'synthetic shapes and few photographs' in status(window)
    keep(window, 'candidates_1_sharpmask')
    press_button(window, 'Refine')
    wait_until(lambda: ask('segmenter.iou') != before and idle(window), 'the graph cut')
    assert ask('segmenter.iou') > before
    wait_until(lambda: f'IoU with the true mask: {ask("segmenter.iou"):.2f}' in status(window), 'the new IoU')
    keep(window, 'candidates_2_refined')
    press_button(window, 'Next object')
    wait_until(lambda: ask('len(segmenter.objects)') == 1, 'the finished object')
    wait_until(lambda: f'1 click, IoU {ask("segmenter.ious")[0]:.2f}' in status(window), 'the figures')
    menu = next(each for each in window.find_elements('css selector', '.chainer-seg-panel select')
                if 'mask-rcnn' in each.text)
    next(each for each in menu.find_elements('css selector', 'option') if each.text == 'mask-rcnn').click()
    wait_until(lambda: ask('type(segmenter.model).__name__') == 'MaskRCNN' and idle(window), 'Mask R-CNN')
    assert ask('len(segmenter.objects)') == 1
    keep(window, 'candidates_3_mask_rcnn')
    assert errors_of_ours(window) == []
