"""Box, brush and previews of the click canvas, as the browser asks for them."""

import time

import cv2
import numpy as np
import pytest

pytest.importorskip('anywidget')

from chainer_seg.models.deeplab import Click  # noqa: E402
from chainer_seg.widgets import ClickCanvas, ClickSegmenter  # noqa: E402

from .discs import Discs, command, disc, press, send  # noqa: E402

SIZE = 60, 80
IMAGE = np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


@pytest.fixture
def canvas():
    return ClickCanvas(IMAGE, Discs())


def test_a_box_starts_the_object(canvas):
    send(canvas, kind='box', box=[15, 15, 26, 36], image=0, ticket='1')
    assert canvas.mask[20, 25] and not canvas.mask[20, 14] and not canvas.mask[27].any()
    assert Click(20, 25) in canvas.clicks and [20, 25, True] in canvas.canvas.clicks
    command(canvas, 'undo')
    assert canvas.clicks == () and not canvas.mask.any()


def test_strokes_paint_and_erase(canvas):
    send(canvas, kind='stroke', points=[[20, 20]], radius=5, positive=True, image=0)
    send(canvas, kind='stroke', points=[[20, 0], [20, 79]], radius=1, positive=False, image=0)
    assert canvas.mask[17, 20] and canvas.mask[23, 20] and not canvas.mask[20].any()
    command(canvas, 'undo')
    assert canvas.mask[20, 20]


def test_code_can_do_the_same(canvas):
    canvas.add_box((15, 15, 26, 36))
    canvas.paint([(50, 70)], 3)
    assert canvas.mask[20, 25] and canvas.mask[50, 70]
    canvas.paint([(50, 70)], 5, positive=False)
    assert not canvas.mask[50, 70]


@pytest.mark.parametrize('message', [
    {'kind': 'box'}, {'kind': 'box', 'box': [1, 2, 3]}, {'kind': 'box', 'box': ['a', 2, 3, 4]},
    {'kind': 'box', 'box': [float('nan')] * 4}, {'kind': 'stroke'}, {'kind': 'stroke', 'points': [[1]]},
    {'kind': 'stroke', 'points': [], 'radius': 2}, {'kind': 'stroke', 'points': [[1, 2]], 'radius': None}])
def test_incomplete_messages_give_a_sentence(canvas, message):
    send(canvas, image=0, ticket='1', **message)
    assert canvas.message.endswith('again.') or 'drag it' in canvas.message
    assert not canvas.mask.any()


def test_boxes_and_strokes_are_saved_and_restored(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    segmenter = ClickSegmenter({'cup': IMAGE}, Discs())
    send(segmenter, kind='box', box=[15, 15, 26, 36], image=0)
    send(segmenter, kind='stroke', points=[[40, 60]], radius=4, positive=True, image=0)
    again = ClickSegmenter({'cup': IMAGE}, Discs())
    np.testing.assert_array_equal(again.mask, segmenter.mask)
    command(segmenter, 'finish')
    np.testing.assert_array_equal(ClickSegmenter({'cup': IMAGE}, Discs()).masks, segmenter.masks)


def preview(canvas):
    return cv2.imdecode(np.frombuffer(canvas.canvas.preview_data, np.uint8), cv2.IMREAD_UNCHANGED)


def test_a_preview_shows_what_a_click_would_give(canvas):
    press(canvas, 20, 20)
    assert canvas.canvas.previews
    send(canvas, kind='hover', clicks=[[40, 60, True]], image=0, ticket='2')
    # The image is shown six times as large; every sixth pixel is near the middle of one of its pixels.
    shown = preview(canvas)
    assert shown.shape == (360, 480)
    np.testing.assert_array_equal(shown[3::6, 3::6] > 127, disc(SIZE, 20, 20) | disc(SIZE, 40, 60))
    assert canvas.clicks == (Click(20, 20),) and canvas.message.startswith('1 click')
    press(canvas, 40, 60)
    assert canvas.canvas.preview_data == b''


def test_a_preview_of_another_image_is_dropped(canvas):
    press(canvas, 20, 20)
    send(canvas, kind='hover', clicks=[[40, 60, True]], image=3, ticket='2')
    send(canvas, kind='hover', clicks=[], image=0, ticket='2')
    assert canvas.canvas.preview_data == b'' and canvas.message.startswith('1 click')


def test_a_slow_model_gives_no_previews():
    class Slow(Discs):
        delay = 0.07

        def predict_logits(self, *arguments):
            time.sleep(self.delay)
            return super().predict_logits(*arguments)

    model = Slow()
    canvas = ClickCanvas(IMAGE, model)
    press(canvas, 20, 20)
    assert not canvas.canvas.previews
    model.delay = 0
    press(canvas, 40, 40)
    assert canvas.canvas.previews
    model.delay = 0.07
    send(canvas, kind='hover', clicks=[[40, 60, True]], image=0, ticket='2')
    assert not canvas.canvas.previews
