"""The click canvas in JupyterLab in Chromium, clicked with a real mouse."""

import pytest

from .browser import errors_of_ours, keep, wait_until
from .clicking import (
    changed_pixels,
    click,
    colours,
    idle,
    canvas_pixels,
    press_button,
)

pytestmark = [pytest.mark.slow, pytest.mark.browser]

CELLS = [
    'from skimage import data\n\nfrom chainer_seg.widgets import ClickCanvas',
    'canvas = ClickCanvas(data.chelsea())\ncanvas',
]


@pytest.fixture(autouse=True)
def fresh_canvas(page):
    """Every test starts without clicks."""
    window, ask = page
    wait_until(lambda: colours(window) > 100, 'the image to be drawn')
    press_button(window, 'Reset')
    wait_until(lambda: ask('len(canvas.clicks)') == 0 and idle(window), 'the reset')


def clicked(window, ask, count):
    """Waits until Python has ``count`` clicks and the screen is up to date."""
    wait_until(lambda: ask('len(canvas.clicks)') == count and idle(window), f'{count} clicks')


def test_left_click_adds_a_positive_click_where_it_was_made(page):
    window, ask = page
    before = canvas_pixels(window)
    keep(window, 'canvas_0_before')

    click(window, 0.5, 0.5)
    clicked(window, ask, 1)

    [(y, x, positive)] = ask('[(c.y, c.x, c.positive) for c in canvas.clicks]')
    assert positive
    # Within a pixel of the middle of the 300x451 image, whatever the browser rounds.
    assert abs(y - 149.5) <= 1 and abs(x - 225) <= 1
    assert ask('int(canvas.mask.sum())') > 0
    # More than the drawn click itself has changed: the mask is on the screen, too.
    wait_until(lambda: changed_pixels(window, before) > 600, 'the mask on the screen')
    keep(window, 'canvas_1_left_click')


def test_right_click_adds_a_negative_click_and_opens_no_menu(page):
    window, ask = page
    click(window, 0.5, 0.5)
    clicked(window, ask, 1)
    area, before = ask('int(canvas.mask.sum())'), canvas_pixels(window)

    click(window, 0.62, 0.62, right=True)
    clicked(window, ask, 2)

    assert ask('[c.positive for c in canvas.clicks]') == [True, False]
    assert ask('int(canvas.mask.sum())') != area
    assert changed_pixels(window, before)
    assert not window.find_elements('css selector', '.lm-Menu')
    keep(window, 'canvas_2_right_click')


def test_undo_and_redo_bring_back_screen_and_mask(page):
    window, ask = page
    click(window, 0.5, 0.5)
    clicked(window, ask, 1)
    area, one = ask('int(canvas.mask.sum())'), canvas_pixels(window)
    click(window, 0.3, 0.8)
    clicked(window, ask, 2)
    changed_pixels(window, one)
    two = canvas_pixels(window)

    press_button(window, 'Undo')
    clicked(window, ask, 1)
    assert ask('int(canvas.mask.sum())') == area
    wait_until(lambda: (canvas_pixels(window) == one).all(), 'the first mask on the screen')
    keep(window, 'canvas_3_undo')

    press_button(window, 'Redo')
    clicked(window, ask, 2)
    wait_until(lambda: (canvas_pixels(window) == two).all(), 'the second mask on the screen')


def test_remove_button_turns_a_left_click_negative(page):
    window, ask = page
    press_button(window, '− Remove')
    click(window, 0.4, 0.4)
    clicked(window, ask, 1)
    press_button(window, '+ Add')
    assert ask('canvas.clicks[0].positive') is False


def test_fast_clicks_wait_their_turn(page):
    window, ask = page
    for x in (0.3, 0.4, 0.5, 0.6):
        click(window, 0.5, x)
    clicked(window, ask, 4)
    columns = ask('[c.x for c in canvas.clicks]')
    assert columns == sorted(columns)
    keep(window, 'canvas_4_four_clicks')


def test_browser_logs_no_error_of_the_widget(page):
    window, _ = page
    assert errors_of_ours(window) == []
