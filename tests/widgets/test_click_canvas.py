"""The click canvas from Python's side: messages in, masks, traits and sentences out."""

import cv2
import numpy as np
import pytest

pytest.importorskip('anywidget')

from chainer_seg.errors import ClickError, ImageError, ModelFileError  # noqa: E402
from chainer_seg.models.deeplab import Click  # noqa: E402
from chainer_seg.widgets import ClickCanvas  # noqa: E402

from .discs import Broken, Discs, command, press  # noqa: E402
from .saved_views import decode_saved  # noqa: E402


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


@pytest.fixture
def canvas(image):
    return ClickCanvas(image, Discs(), longest_side=80)


@pytest.fixture
def answers(canvas, monkeypatch):
    """what the canvas sends to the browser as messages."""
    sent = []
    monkeypatch.setattr(canvas.canvas, 'send', sent.append)
    return sent


def button(canvas, text):
    return next(child for child in canvas.children[1].children
                if getattr(child, 'description', '') == text)


def shown_probability(canvas):
    return cv2.imdecode(np.frombuffer(canvas.canvas.probability_data, np.uint8),
                        cv2.IMREAD_UNCHANGED)


def test_click_in_the_browser_selects_the_object(canvas):
    press(canvas, 30, 40)
    assert canvas.clicks == (Click(30, 40, True),)
    assert canvas.mask[30, 40] and canvas.mask[30, 49] and not canvas.mask[30, 51]
    assert canvas.mask.shape == (60, 80) and canvas.mask.dtype == bool


def test_a_right_click_is_negative(canvas):
    press(canvas, 30, 40)
    press(canvas, 30, 52, positive=False)
    assert canvas.clicks[1] == Click(30, 52, False)
    assert canvas.mask[30, 40] and not canvas.mask[30, 45]


def test_browser_receives_clicks_and_probability(canvas):
    press(canvas, 30, 40)
    assert canvas.canvas.clicks == [[30, 40, True]]
    np.testing.assert_array_equal(shown_probability(canvas), canvas.mask * 255)


def test_probability_reaches_the_browser_in_256_steps(canvas):
    probability = np.linspace(0, 1, 60 * 80, dtype=np.float32).reshape(60, 80)
    canvas.canvas.show([], probability)
    assert abs(shown_probability(canvas) / 255.0 - probability).max() < 0.5 / 255 + 1e-6


def test_image_reaches_the_browser_in_its_colours():
    image = np.full((64, 64, 3), (200, 60, 20), np.uint8)
    canvas = ClickCanvas(image, Discs())
    data = np.frombuffer(canvas.canvas.image_data, np.uint8)
    shown = cv2.imdecode(data, cv2.IMREAD_COLOR)[:, :, ::-1]
    assert abs(shown.astype(int) - image).max() <= 4


def test_every_click_gets_an_answer(canvas, answers):
    press(canvas, 30, 40, ticket='a')
    press(canvas, 900, 40, ticket='b')
    assert answers == [{'kind': 'done', 'ticket': 'a'}, {'kind': 'done', 'ticket': 'b'}]


def test_the_canvas_is_busy_only_while_computing(canvas):
    seen = []
    canvas.canvas.observe(lambda change: seen.append(change['new']), 'busy')
    press(canvas, 30, 40)
    assert seen == [True, False]


def test_undo_redo_and_reset_have_buttons(canvas):
    press(canvas, 30, 40)
    press(canvas, 10, 10)
    both = canvas.mask.copy()
    button(canvas, 'Undo').click()
    assert canvas.clicks == (Click(30, 40, True),) and not canvas.mask[10, 10]
    button(canvas, 'Redo').click()
    np.testing.assert_array_equal(canvas.mask, both)
    button(canvas, 'Reset').click()
    assert canvas.clicks == () and not canvas.mask.any() and canvas.canvas.clicks == []


def test_undo_without_clicks_does_nothing(canvas):
    button(canvas, 'Undo').click()
    button(canvas, 'Redo').click()
    assert canvas.clicks == ()


@pytest.mark.parametrize('name, left', [('undo', 1), ('reset', 0)])
def test_keys_do_what_the_buttons_do(canvas, name, left):
    press(canvas, 30, 40)
    press(canvas, 10, 10)
    command(canvas, name)
    assert len(canvas.clicks) == left


def test_keys_without_a_meaning_here_are_ignored(canvas):
    press(canvas, 30, 40)
    for name in ('finish', 'next', '__init__', None):
        command(canvas, name)
    assert canvas.clicks == (Click(30, 40),) and canvas.message.startswith('1 click')


def test_clicks_from_code_are_shown(canvas):
    canvas.add(Click(30, 40), Click(5, 5, positive=False))
    assert canvas.canvas.clicks == [[30, 40, True], [5, 5, False]]


def test_error_in_code_is_raised_and_shown(canvas):
    with pytest.raises(ClickError, match='outside the image'):
        canvas.add(Click(900, 5))
    assert 'outside the image' in canvas.message and canvas.clicks == ()


def test_a_repeated_click_is_ignored(canvas):
    press(canvas, 30, 40)
    press(canvas, 30, 40)
    assert canvas.clicks == (Click(30, 40),)


def test_a_click_of_the_other_sign_replaces_the_first(canvas):
    press(canvas, 30, 40)
    press(canvas, 30, 40, positive=False)
    assert canvas.clicks == (Click(30, 40, False),) and not canvas.mask.any()


def test_large_image_is_shown_shrunk_with_coordinates_of_the_image():
    canvas = ClickCanvas(np.zeros((2400, 3840, 3), np.uint8), Discs(), longest_side=500)
    assert canvas.canvas.image_size == (2400, 3840)
    assert canvas.canvas.shown_size == (312, 500)
    press(canvas, 1000, 1500)
    assert canvas.mask[1000, 1500] and canvas.mask.shape == (2400, 3840)
    sent = shown_probability(canvas)  # a third of the image: more than is shown, to zoom in on
    assert sent.shape == (800, 1280)
    middle = (sent / sent.sum() * np.mgrid[:800, :1280]).sum(axis=(1, 2))
    np.testing.assert_allclose(middle, (1000.5 / 3 - 0.5, 1500.5 / 3 - 0.5), atol=0.02)


@pytest.mark.parametrize('threshold, covered', [(0.3, 70), (0.8, 20)])
def test_the_threshold_of_the_browser_applies_in_python(image, threshold, covered):
    class Ramp(Discs):
        def predict_logits(self, image, clicks, previous=None, side=None):
            steps = np.linspace(0, 1, 100, endpoint=False, dtype=np.float32)
            return steps.repeat(48).reshape(1, 60, 80)

    canvas = ClickCanvas(image, Ramp())
    press(canvas, 30, 40)
    canvas.canvas.set_state({'threshold': threshold - 0.005})
    assert canvas.mask.sum() == covered * 48
    assert canvas.message == f'1 click; the object covers {covered}.0 % of the image.'


@pytest.mark.parametrize('y, x', [(-3, 5), (60, 5), (5, 80), (5, 1e9)])
def test_a_click_outside_is_an_error(canvas, y, x):
    press(canvas, 30, 40)
    press(canvas, y, x)
    assert len(canvas.clicks) == 1
    assert 'outside the image' in canvas.message
    assert canvas.message in canvas.children[2].value


@pytest.mark.parametrize('place', [None, 'left', float('nan'), [1]])
def test_click_without_coordinates_is_rejected(canvas, place):
    press(canvas, place, 4)
    assert canvas.clicks == ()
    assert canvas.message == 'The browser sent a click without coordinates; click again.'


@pytest.mark.parametrize('content', [{}, None, {'kind': 'other'}])
def test_other_messages_are_ignored(canvas, answers, content):
    canvas.canvas._handle_custom_msg(content, [])
    assert canvas.clicks == () and answers == []


@pytest.mark.parametrize('error, sentence', [
    (MemoryError('no room\nfor it'), 'Computing the mask failed (MemoryError: no room)'),
    (RuntimeError(), 'Computing the mask failed (RuntimeError: no details)'),
    (KeyboardInterrupt(), 'Interrupted; nothing was changed.')])
def test_a_failure_of_the_model_is_shown(image, error, sentence):
    canvas = ClickCanvas(image, Broken(error))
    press(canvas, 30, 40)
    assert sentence in canvas.message
    assert canvas.clicks == () and not canvas.canvas.busy


def test_the_next_click_clears_the_message(canvas):
    press(canvas, 900, 40)
    press(canvas, 30, 40)
    assert canvas.message == '1 click; the object covers 6.6 % of the image.'  # 317 of 4800


def test_negative_clicks_alone_show_a_hint(canvas):
    press(canvas, 30, 40, positive=False)
    assert 'Left-click the object' in canvas.message


def test_angle_brackets_in_a_message_are_text(image):
    canvas = ClickCanvas(image, Broken(ValueError('<b>')))
    press(canvas, 1, 1)
    assert '<b>' in canvas.message and '<b>' not in canvas.children[2].value


def test_snapshot_shows_image_mask_and_clicks(canvas, image):
    np.testing.assert_array_equal(canvas.snapshot(), image)
    press(canvas, 30, 20)
    pixels = canvas.snapshot()
    # The middle of the plus is white; beside the disc the image is as it was.
    assert pixels[30, 20].tolist() == [255, 255, 255]
    np.testing.assert_array_equal(pixels[:, 40:], image[:, 40:])
    assert (pixels[30, 11] != image[30, 11]).any()


def test_notebook_readers_without_jupyter_see_a_saved_view(canvas):
    before = decode_saved(canvas)
    press(canvas, 30, 20)
    assert (decode_saved(canvas) != before).any()
    assert canvas.saved_view()['text/plain'] == 'ClickCanvas(60x80 image, 1 clicks)'


def test_display_shows_the_widget_and_a_saved_view_that_follows_it(canvas, monkeypatch):
    shown, updates = [], []

    class Handle:
        def update(self, data, raw):
            updates.append(data)

    def display(data, raw, metadata=None, display_id=False):
        shown.append(data)
        return Handle() if display_id else None

    monkeypatch.delenv('VSCODE_PID', raising=False)
    monkeypatch.setattr('IPython.display.display', display)
    canvas._ipython_display_()
    assert 'application/vnd.jupyter.widget-view+json' in shown[0] and 'image/jpeg' not in shown[0]
    press(canvas, 30, 20)
    assert 'image/jpeg' in shown[1] and updates[-1]['image/jpeg'] != shown[1]['image/jpeg']


def test_a_grey_image_is_accepted():
    assert ClickCanvas(np.zeros((20, 30), np.uint8), Discs()).image.shape == (20, 30, 3)


def test_anything_but_an_image_is_rejected():
    with pytest.raises(ImageError):
        ClickCanvas(np.zeros((4, 5, 6, 7)), Discs())


def test_a_model_can_be_given_by_name(image):
    with pytest.raises(ModelFileError):
        ClickCanvas(image, 'no-such-model')


def test_an_image_of_one_pixel_is_accepted():
    canvas = ClickCanvas(np.zeros((1, 1, 3), np.uint8), Discs())
    press(canvas, 0, 0)
    assert canvas.mask.tolist() == [[True]]
