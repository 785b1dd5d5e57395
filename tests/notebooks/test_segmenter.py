"""The click segmenter in JupyterLab in Chromium, with mouse, keys and fingers."""

import json

import numpy as np
import pytest

from .browser import errors_of_ours, keep, wait_until
from .clicking import (
    changed_pixels,
    click,
    colours,
    idle,
    leave,
    canvas_pixels,
    press_button,
    press_keys,
    canvas_element,
    to,
)

pytestmark = [pytest.mark.slow, pytest.mark.browser]

CELLS = [
    """import threading
from skimage import data
import chainer_seg
from chainer_seg.widgets import ClickSegmenter

model = chainer_seg.load_model('click')
predict, gate, computed = model.predict_logits, threading.Event(), set()
gate.set()

def predict_when_open(image, clicks, *arguments):
    gate.wait(10)
    computed.add(len(clicks))
    return predict(image, clicks, *arguments)

model.predict_logits = predict_when_open""",
    """segmenter = ClickSegmenter({'coffee': data.coffee(), 'cat': data.chelsea()}, model)
segmenter""",
]
SIZE = 400, 600  # of the coffee, which is shown pixel by pixel


@pytest.fixture(scope='module')
def clean(page):
    """The canvas before any click."""
    window, _ = page
    wait_until(lambda: colours(window) > 100 and idle(window), 'the image to be drawn')
    return canvas_pixels(window)


@pytest.fixture(autouse=True)
def fresh(page, clean):
    """Every test starts with the whole coffee, without clicks and objects, with clicks as the tool,
    and without the focus.
    """
    window, ask = page
    ask('[segmenter.go_to(0), segmenter.reset(), [segmenter.remove(0) for _ in segmenter.objects], '
        'segmenter.canvas.set_trait("tool", 0)]')
    press_canvas_button(window, 'fit')
    window.execute_script('document.activeElement.blur()')
    wait_until(lambda: canvas_pixels(window).shape == clean.shape and (canvas_pixels(window) == clean).all(),
               'a canvas without clicks')


def places(ask):
    return np.array(ask('[(c.y, c.x) for c in segmenter.clicks]'))


def press_canvas_button(window, name):
    """A button on the canvas; afterwards the mouse is off the canvas."""
    window.find_element('css selector', f'.chainer-seg-{name}').click()
    leave(window)


def wait_for(window, ask, expression):
    """Waits until an expression holds in Python and the screen is up to date."""
    return wait_until(lambda: ask(f'bool({expression})') and idle(window), expression)


def finish_one_and_click(window, ask):
    """Labels one object, and clicks on the next one."""
    click(window, 0.5, 0.47)
    wait_for(window, ask, 'segmenter.mask.any()')
    press_keys(window, 'n')
    click(window, 0.85, 0.5)
    wait_for(window, ask, 'len(segmenter.objects) == 1 and len(segmenter.clicks) == 1')


def test_three_clicks_add_and_remove(page):
    window, ask = page
    before = canvas_pixels(window)
    areas = []
    clicks = [(0.5, 0.47, False), (0.3, 0.5, False), (0.85, 0.7, True)]
    for number, (y, x, right) in enumerate(clicks, 1):
        click(window, y, x, right)
        wait_for(window, ask, f'len(segmenter.clicks) == {number}')
        areas.append(ask('int(segmenter.mask.sum())'))
    assert ask('[c.positive for c in segmenter.clicks]') == [True, True, False]
    assert len(set(areas)) > 1 and areas[0] > 0
    wait_until(lambda: changed_pixels(window, before) > 1000, 'the mask on the screen')
    keep(window, 'segmenter_1_three_clicks')


def test_click_after_zooming_hits_the_pixel_under_the_mouse(page):
    window, ask = page
    click(window, 0.5, 0.5)
    wait_for(window, ask, 'len(segmenter.clicks) == 1')
    press_keys(window, 'r', '+', '+')  # 1.5 times each, around the middle
    wait_for(window, ask, 'len(segmenter.clicks) == 0')
    click(window, 0.7, 0.2)
    wait_for(window, ask, 'len(segmenter.clicks) == 1')
    expected = [0.5 + 0.2 / 2.25, 0.5 - 0.3 / 2.25] * np.array(SIZE) - 0.5
    # The mouse moves in whole pixels of the screen, of which 2.25 are one of the image.
    np.testing.assert_allclose(places(ask)[0], expected, atol=1 / 2.25)
    keep(window, 'segmenter_2_zoomed')


def test_wheel_zooms_where_it_points_and_dragging_moves_the_image(page):
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
    window, ask = page
    click(window, 0.25, 0.25)
    wait_for(window, ask, 'len(segmenter.clicks) == 1')
    origin = ScrollOrigin.from_element(canvas_element(window), -150, -100)  # where the click was
    for _ in range(4):
        to(window, 0.25, 0.25).scroll_from_origin(origin, 0, -100).perform()
    to(window, 0.25, 0.25).click_and_hold().move_by_offset(60, 30).release().perform()
    click(window, 0.25 + 30 / 400, 0.25 + 60 / 600)  # the same pixel, where it was dragged to
    click(window, 0.5, 0.5)
    wait_for(window, ask, 'len(segmenter.clicks) == 2')
    first, other = places(ask)
    zoom = np.exp(4 * 100 * 0.003)
    np.testing.assert_allclose(other - first, (100 - 30, 150 - 60) / zoom, atol=2 / zoom)


def test_fit_shows_the_whole_image_again(page, clean):
    window, _ = page
    press_canvas_button(window, 'zoomIn')
    assert changed_pixels(window, clean) > SIZE[0] * SIZE[1] / 2
    press_canvas_button(window, 'fit')
    wait_until(lambda: (canvas_pixels(window) == clean).all(), 'the whole image')


def test_two_fingers_zoom(page):
    window, ask = page
    box = canvas_element(window).rect
    middle = box['x'] + 300, box['y'] + 200

    def touch(kind, *distances):
        window.execute_cdp_cmd('Input.dispatchTouchEvent', {'type': kind, 'touchPoints': [
            {'x': middle[0] + sign * distance, 'y': middle[1], 'id': number}
            for distance in distances for number, sign in enumerate((-1, 1))]})

    touch('touchStart', 40)
    for distance in range(44, 124, 4):
        touch('touchMove', distance)
    touch('touchEnd')
    wait_until(lambda: window.find_elements('css selector', '.chainer-seg-canvas.is-zoomed'), 'zoom')
    assert ask('len(segmenter.clicks)') == 0


def test_next_object_keeps_the_mask_in_its_colour(page):
    window, ask = page
    click(window, 0.5, 0.47)
    wait_for(window, ask, 'segmenter.mask.any()')
    y, x = ask('[int(v[len(v) // 2]) for v in segmenter.mask.nonzero()]')
    name = window.find_element('css selector', 'input[placeholder="name of the object"]')
    name.clear()
    name.send_keys('cup')
    press_button(window, 'Next object')
    wait_for(window, ask, '[o.name for o in segmenter.objects] == ["cup"]')

    assert ask('len(segmenter.clicks)') == 0
    orange = np.array([230, 159, 0])
    image = np.array(ask(f'segmenter.image[{y}, {x}].tolist()'))
    wait_until(lambda: abs(canvas_pixels(window)[y, x] - (image + orange) / 2).max() < 16, 'its colour')
    keep(window, 'segmenter_3_next_object')


def test_keys_work_on_the_image_and_not_on_the_notebook(page):
    window, ask = page
    click(window, 0.5, 0.47)
    wait_for(window, ask, 'len(segmenter.clicks) == 1')
    click(window, 0.3, 0.5)
    wait_for(window, ask, 'len(segmenter.clicks) == 2')
    press_keys(window, 'z')
    wait_for(window, ask, 'len(segmenter.clicks) == 1')
    press_keys(window, 'y')
    wait_for(window, ask, 'len(segmenter.clicks) == 2')
    press_keys(window, 'n')
    wait_for(window, ask, 'len(segmenter.objects) == 1')
    # In the notebook these would insert, cut and delete cells.
    cells = 'return document.querySelectorAll(".jp-Notebook .jp-Cell").length'
    before = window.execute_script(cells)
    press_keys(window, *'abxxdd')
    assert window.execute_script(cells) == before
    focused = window.execute_script('return document.activeElement.className')
    assert 'chainer-seg-canvas' in focused


def test_right_click_by_toggle_and_by_key(page):
    window, ask = page
    press_button(window, '− Remove')
    click(window, 0.5, 0.5)
    wait_for(window, ask, 'len(segmenter.clicks) == 1')
    press_keys(window, 'x')
    click(window, 0.4, 0.4)
    wait_for(window, ask, 'len(segmenter.clicks) == 2')
    assert ask('[c.positive for c in segmenter.clicks]') == [False, True]


def test_help_lists_the_keys(page):
    window, _ = page
    press_canvas_button(window, 'help')
    text = wait_until(lambda: window.find_element('css selector', '.chainer-seg-guide').text, 'help')
    assert 'undo the last click' in text and 'next image' in text
    keep(window, 'segmenter_4_help')
    press_keys(window, 'h')
    wait_until(lambda: not window.find_element('css selector', '.chainer-seg-guide').is_displayed(),
               'the help to go')


def test_save_and_load_again(page):
    window, ask = page
    click(window, 0.5, 0.47)
    wait_for(window, ask, 'segmenter.mask.any()')
    shown, area = canvas_pixels(window), ask('int(segmenter.mask.sum())')
    press_button(window, 'COCO JSON')
    wait_for(window, ask, 'segmenter.message.startswith("Saved the objects of 1 image")')
    press_button(window, 'Masks (PNG)')
    wait_for(window, ask, 'segmenter.message.startswith("Saved 1 mask")')
    keep(window, 'segmenter_5_saved')
    assert ask('__import__("pathlib").Path("labels/annotations.json").is_file()')
    [file] = ask('[str(p) for p in __import__("pathlib").Path("labels/masks").iterdir()]')

    ask('segmenter.remove(0)')
    open_section(window, 'Open')
    field = window.find_element('css selector', 'input[placeholder="path of a mask or COCO file"]')
    wait_until(field.is_displayed, 'the field')
    field.clear()
    field.send_keys(file)
    # The section is still unfolding, and the button moves.
    wait_until(lambda: press_button(window, 'Load') or ask('bool(segmenter.mask.any())'), 'the mask')
    assert ask('int(segmenter.mask.sum())') == area
    # The same mask; the click that made it is not there now.
    wait_until(lambda: 50 < (canvas_pixels(window) != shown).any(axis=2).sum() < 1000, 'the mask')
    keep(window, 'segmenter_6_loaded')
    open_section(window, 'Save')


def open_section(window, title):
    window.find_element('xpath', f'//*[contains(@class, "Collapse-header") and .="{title}"]').click()


def test_clicks_that_wait_stay_with_their_image(page):
    window, ask = page
    ask('gate.clear()')
    for x in (0.4, 0.5):
        click(window, 0.5, x)
    press_keys(window, '.')
    click(window, 0.5, 0.6)  # the coffee is still on the screen
    wait_until(lambda: '4 pending' in badge(window), 'the number of what waits')
    keep(window, 'segmenter_7_waiting')
    ask('gate.set()')
    wait_for(window, ask, 'segmenter.number == 1 and len(segmenter._images.sources[0].session.clicks) == 3')
    assert ask('len(segmenter.clicks)') == 0 and ask('int(segmenter.mask.sum())') == 0
    assert 'coffee' in ask('segmenter.message')
    wait_until(lambda: canvas_pixels(window).shape[:2] == (319, 480), 'the cat, enlarged')
    keep(window, 'segmenter_8_other_image')


def test_clicks_made_while_another_is_computed_are_computed_together(page):
    window, ask = page
    ask('[gate.clear(), computed.clear()]')
    click(window, 0.5, 0.4)
    wait_until(lambda: window.find_elements('css selector', '.is-computing'), 'the computation')
    for x in (0.45, 0.5, 0.55):
        click(window, 0.5, x)
    wait_until(lambda: badge(window) == 'Computing… (4 pending)', 'the number of what waits')
    ask('gate.set()')
    wait_for(window, ask, 'len(segmenter.clicks) == 4')
    assert ask('sorted(computed)') == [1, 4]
    assert not window.find_elements('css selector', '.is-computing, .is-waiting')
    press_keys(window, 'z')
    wait_for(window, ask, 'len(segmenter.clicks) == 3')
    assert ask('sorted(computed)') == [1, 3, 4]


def badge(window):
    return window.find_element('css selector', '.chainer-seg-busy').text


def test_slider_changes_the_image(page):
    from selenium.webdriver.common.keys import Keys
    window, ask = page
    click(window, 0.5, 0.47)
    wait_for(window, ask, 'segmenter.mask.any()')
    before = canvas_pixels(window)
    handle = window.find_elements('css selector', '.chainer-seg-panel .noUi-handle')[0]
    handle.send_keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    wait_until(lambda: abs(ask('segmenter.canvas.opacity') - 0.6) < 1e-6, 'the opacity in Python')
    assert changed_pixels(window, before)
    handle.send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT)


def test_dark_theme(page):
    window, ask = page
    finish_one_and_click(window, ask)
    theme = json.dumps({'theme': 'JupyterLab Dark'})
    window.execute_script(f'window.jupyterapp.commands.execute("apputils:change-theme", {theme})')
    wait_until(lambda: window.execute_script(
        'return document.body.dataset.jpThemeLight') == 'false', 'the dark theme')
    assert colours(window) > 100 and ask('len(segmenter.clicks)') == 1
    keep(window, 'segmenter_9_dark')


def test_a_deleted_object_is_brought_back(page):
    window, ask = page
    click(window, 0.5, 0.47)
    wait_for(window, ask, 'segmenter.mask.any()')
    press_keys(window, 'n')
    wait_for(window, ask, 'len(segmenter.objects) == 1')
    window.find_element('css selector', 'button[title="Delete this object"]').click()
    wait_for(window, ask, 'not segmenter.objects')
    press_button(window, 'Undo')
    wait_for(window, ask, 'len(segmenter.objects) == 1')


def test_labels_in_the_folder_are_kept_replaced_or_added_to(page):
    window, ask = page
    ask('__import__("pathlib").Path("mine").mkdir() or '
        '__import__("pathlib").Path("mine/thesis.txt").write_text("mine")')
    click(window, 0.5, 0.47)
    wait_for(window, ask, 'segmenter.mask.any()')
    field = window.find_element('css selector', 'input[type="text"][value="labels"], '
                                '.chainer-seg-panel .jupyter-widget-Collapse-contents input')
    field.clear()
    field.send_keys('mine')
    press_button(window, 'COCO JSON')
    wait_for(window, ask, '"is not empty" in segmenter.message')
    keep(window, 'segmenter_10_choice')
    press_button(window, 'Replace')
    wait_for(window, ask, 'segmenter.message.startswith("Saved the objects of 1 image")')
    assert ask('sorted(p.name for p in __import__("pathlib").Path("mine").iterdir())') == [
        'annotations.json', 'images', 'thesis.txt']


def test_an_object_is_labelled_without_a_mouse(page):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys
    window, ask = page
    window.execute_script('document.querySelector(".chainer-seg-segmenter button").focus()')
    for _ in range(30):
        if 'chainer-seg-canvas' in window.execute_script('return document.activeElement.className'):
            break
        press_keys(window, Keys.TAB)
    press_keys(window, Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.ARROW_UP)  # the first shows the crosshair
    ActionChains(window).key_down(Keys.SHIFT).send_keys(Keys.ARROW_RIGHT).key_up(Keys.SHIFT).perform()
    keep(window, 'segmenter_12_crosshair')
    press_keys(window, Keys.ENTER)
    wait_for(window, ask, 'len(segmenter.clicks) == 1')
    expected = [0.45, 0.455] * np.array(SIZE) - 0.5
    np.testing.assert_allclose(places(ask)[0], expected, atol=0.01)
    press_keys(window, 'x', Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ENTER, 'x')
    wait_for(window, ask, 'len(segmenter.clicks) == 2')
    assert ask('[c.positive for c in segmenter.clicks]') == [True, False]
    press_keys(window, 'p', Keys.ENTER, 'c')
    wait_for(window, ask, 'segmenter.mask.any()')
    press_keys(window, 'n')
    wait_for(window, ask, 'len(segmenter.objects) == 1')


def drag(window, start, end):
    y, x = np.multiply(np.subtract(end, start), SIZE).round().astype(int).tolist()
    to(window, *start).click_and_hold().move_by_offset(x // 2, y // 2).move_by_offset(
        x - x // 2, y - y // 2).release().perform()


def test_a_dragged_box_starts_an_object(page):
    window, ask = page
    press_button(window, 'Box')
    drag(window, (0.2, 0.3), (0.9, 0.8))
    wait_for(window, ask, 'segmenter.mask.any()')
    rows, columns = ask('[[int(v.min()), int(v.max())] for v in segmenter.mask.nonzero()]')
    assert rows[0] >= 79 and rows[1] <= 361 and columns[0] >= 179 and columns[1] <= 481
    keep(window, 'segmenter_13_box')
    press_button(window, 'Click')


def test_the_brush_paints_and_erases(page):
    window, ask = page
    press_button(window, 'Brush')
    drag(window, (0.3, 0.3), (0.3, 0.6))
    wait_for(window, ask, 'segmenter.mask[120, 180:360].all()')
    assert ask('int(segmenter.mask[:, 270].sum())') in range(23, 28)  # a radius of 12
    press_keys(window, 'x')
    drag(window, (0.2, 0.45), (0.4, 0.45))
    wait_for(window, ask, 'not segmenter.mask[120, 270]')
    assert ask('bool(segmenter.mask[120, 200])') and ask('len(segmenter.clicks)') == 0
    keep(window, 'segmenter_14_brush')
    press_keys(window, 'x', 'z', 'z', 'c')
    wait_for(window, ask, 'not segmenter.mask.any()')


def test_labels_come_back_after_a_restart(page):
    window, ask = page
    finish_one_and_click(window, ask)
    areas = ask('[int(segmenter.masks.sum()), int(segmenter.mask.sum())]')
    window.execute_async_script(
        'const done = arguments[0], { sessionContext } = window.jupyterapp.shell.currentWidget;'
        'sessionContext.restartKernel()'
        '.then(() => window.jupyterapp.commands.execute("notebook:run-all-cells")).then(() => done())')
    note = wait_until(lambda: [each.text for each in window.find_elements(
        'css selector', '.chainer-seg-segmenter .chainer-seg-status') if 'Restored' in each.text], 'the line')
    assert 'Restored 2 objects from labels-autosave' in note[0]
    keep(window, 'segmenter_11_restored')
    assert ask('[int(segmenter.masks.sum()), int(segmenter.mask.sum())]') == areas
    press_button(window, 'Discard')
    wait_for(window, ask, 'not segmenter.objects and not segmenter.mask.any()')


def test_browser_logs_no_error_of_the_widget(page):
    window, _ = page
    assert errors_of_ours(window) == []
