"""Clicks and screenshots for browser tests of the click widgets."""

import numpy as np

from .browser import check_cells, screenshot, wait_until


def canvas_element(window):
    check_cells(window)
    found = window.find_elements('css selector', '.chainer-seg-canvas canvas')
    return found[0] if found else None


def idle(window):
    return not window.find_elements('css selector', '.chainer-seg-canvas.is-busy')


def canvas_pixels(window):
    """The canvas as it is on the screen, (H, W, 3) uint8; its round corners are excluded.

    So is its rim: the canvas moves by parts of a pixel while fonts are loaded.
    """
    canvas = canvas_element(window)
    window.execute_script('arguments[0].scrollIntoView({block: "nearest"})', canvas)
    pixels = screenshot(canvas)
    pixels[:2] = pixels[-2:] = pixels[:, :2] = pixels[:, -2:] = 0
    for rows in (slice(8), slice(-8, None)):
        pixels[rows, :8] = pixels[rows, -8:] = 0
    return pixels


def colours(window):
    return len(np.unique(canvas_pixels(window).reshape(-1, 3), axis=0))


def changed_pixels(window, before):
    return wait_until(lambda: (canvas_pixels(window) != before).any(axis=2).sum(), 'the screen to change')


def to(window, y, x):
    """Moves the mouse to a place given as a fraction of the canvas's height and width."""
    from selenium.webdriver import ActionChains
    element = canvas_element(window)
    width, height = element.size['width'], element.size['height']
    return ActionChains(window).move_to_element_with_offset(
        element, round((x - 0.5) * width), round((y - 0.5) * height))


def leave(window):
    """Moves the mouse off the canvas, where nothing is highlighted or previewed."""
    from selenium.webdriver.common.actions.action_builder import ActionBuilder
    actions = ActionBuilder(window)
    actions.pointer_action.move_to_location(2, 2)
    actions.perform()


def click(window, y, x, right=False):
    actions = to(window, y, x)
    (actions.context_click() if right else actions.click()).perform()


def drag(window, element, start, end):
    """Drags the mouse from one place of an element to another, (y, x) as fractions."""
    from selenium.webdriver import ActionChains
    width, height = element.size['width'], element.size['height']
    y, x = (round((place - 0.5) * side) for place, side in zip(start, (height, width)))
    down, right = (round((to - at) * side) for at, to, side in zip(start, end, (height, width)))
    ActionChains(window).move_to_element_with_offset(element, x, y).click_and_hold().move_by_offset(
        right, down).release().perform()


def wheel(window, element, times):
    """Turns the wheel over the middle of an element; up, which zooms in, if ``times`` is positive."""
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
    for _ in range(abs(times)):
        ActionChains(window).scroll_from_origin(
            ScrollOrigin.from_element(element), 0, -100 if times > 0 else 100).perform()


def press_button(window, text):
    [button] = [button for button in window.find_elements('css selector', '.jupyter-button')
                if button.text.strip() == text]
    button.click()


def press_keys(window, *keys):
    """Keys for whatever has the focus."""
    from selenium.webdriver import ActionChains
    for key in keys:
        ActionChains(window).send_keys(key).perform()
