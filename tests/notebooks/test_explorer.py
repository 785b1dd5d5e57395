"""The proposal explorer in JupyterLab in Chromium: pointer, clicks, sliders, also without a kernel."""


import numpy as np
import pytest

from .browser import check_cells, errors_of_ours, keep, open_cells, screenshot, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.browser]

# A large square with the score 0.9, a disc in its middle with 0.6, a small square beside it with 0.3.
CELLS = [
    'import numpy as np\n'
    'from skimage import data\n\n'
    'from chainer_seg import Instances\n'
    'from chainer_seg.widgets import ProposalExplorer',
    'rows, columns = np.mgrid[:300, :451]\n'
    'masks = np.stack([(abs(rows - 150) < 120) & (abs(columns - 225) < 120),\n'
    '                  np.hypot(rows - 150, columns - 225) < 40,\n'
    '                  (abs(rows - 60) < 15) & (abs(columns - 400) < 15)])\n'
    'explorer = ProposalExplorer(data.chelsea(), Instances(masks, scores=[0.9, 0.6, 0.3]),\n'
    '                            longest_side=451)\n'
    'explorer',
]
CENTRE, BESIDE, SMALL, NOTHING = (0.5, 0.5), (0.25, 0.4), (0.2, 0.887), (0.95, 0.05)


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    """A window on the running notebook, and ``ask`` for its kernel."""
    with open_cells(CELLS, tmp_path_factory.mktemp('lab'), canvas, 'the explorer') as (window, ask):
        yield window, ask


@pytest.fixture(autouse=True)
def fresh_explorer(page):
    """Every test starts with all proposals shown and none pinned."""
    window, ask = page
    wait_until(lambda: len(np.unique(canvas_pixels(window).reshape(-1, 3), axis=0)) > 100, 'the image')
    for text, value in (('Number of proposals', 3), ('Minimum score', 0), ('Minimum size', 0),
                        ('Maximum size', 451)):
        slide(window, text, value)
    press(window, 'Unpin all')
    hover(window, NOTHING)
    wait_until(lambda: status(window) == '3 of 3 proposals shown, 0 pinned.', 'the start')


def canvas(window):
    check_cells(window)
    found = window.find_elements('css selector', '.chainer-seg-explorer canvas')
    return found[0] if found else None


def canvas_pixels(window):
    """The canvas as it is on the screen, (H, W, 3) uint8."""
    return screenshot(canvas(window))


def status(window):
    return window.find_element('css selector', '.chainer-seg-explorer .chainer-seg-status').text


def pointer(window, place):
    """The mouse at a place given as fractions of the canvas's height and width."""
    from selenium.webdriver import ActionChains
    element, (y, x) = canvas(window), place
    return ActionChains(window).move_to_element_with_offset(
        element, round((x - 0.5) * element.size['width']), round((y - 0.5) * element.size['height']))


def hover(window, place):
    pointer(window, place).perform()


def click(window, place):
    pointer(window, place).click().perform()


def slide(window, text, value):
    """Sets a slider as the mouse would, by its value and the event of it."""
    slider = window.find_element('css selector', f'.chainer-seg-explorer input[aria-label="{text}"]')
    window.execute_script('arguments[0].value = arguments[1];'
                          'arguments[0].dispatchEvent(new Event("input"));', slider, value)


def press(window, text):
    [button] = [button for button in
                window.find_elements('css selector', '.chainer-seg-explorer button')
                if button.text == text]
    button.click()


def near(color, other):
    return abs(np.asarray(color, int) - other).max() <= 3


def test_hover_shows_the_smallest_and_its_score(page):
    window, _ = page
    before = canvas_pixels(window)
    hover(window, CENTRE)
    assert 'Proposal 1: score 0.600, size 71 px.' in status(window)  # pi * 40 ** 2 = 70.9 ** 2
    after = canvas_pixels(window)
    # Half of it is sky blue, the colour of number 1; the square around it is as it was.
    assert near(after[150, 250], (before[150, 250] + np.array([86., 180, 233])) / 2)
    np.testing.assert_array_equal(after[60, 130:300], before[60, 130:300])
    keep(window, 'explorer_1_hover')

    hover(window, BESIDE)
    assert 'Proposal 0: score 0.900' in status(window)
    hover(window, NOTHING)
    assert status(window) == '3 of 3 proposals shown, 0 pinned.'
    np.testing.assert_array_equal(canvas_pixels(window), before)


def test_hover_can_prefer_the_highest_score(page):
    from selenium.webdriver.support.ui import Select
    window, ask = page
    choice = Select(window.find_element('css selector', '.chainer-seg-explorer select'))
    choice.select_by_value('best')
    wait_until(lambda: ask('explorer.on_top') == 'best', 'the choice in Python')
    hover(window, CENTRE)
    assert 'Proposal 0' in status(window)
    choice.select_by_value('smallest')
    hover(window, BESIDE)
    hover(window, CENTRE)
    assert 'Proposal 1' in status(window)


def test_click_pins_and_a_second_click_lets_go(page):
    window, ask = page
    before = canvas_pixels(window)
    click(window, CENTRE)
    wait_until(lambda: ask('explorer.pinned') == [1], 'the pin in Python')
    click(window, SMALL)
    wait_until(lambda: ask('explorer.pinned') == [1, 2], 'the second pin in Python')
    hover(window, NOTHING)
    assert status(window) == '3 of 3 proposals shown, 2 pinned.'
    assert (canvas_pixels(window) != before).any(axis=2).sum() > 4000
    assert ask('explorer.instances(explorer.pinned).masks.sum(axis=(1, 2)).tolist()')[1] == 29 ** 2
    keep(window, 'explorer_2_pinned')
    click(window, CENTRE)
    wait_until(lambda: ask('explorer.pinned') == [2], 'the pin to go')


def test_sliders_hide_and_python_knows(page):
    window, ask = page
    slide(window, 'Number of proposals', 2)
    wait_until(lambda: ask('explorer.shown.tolist()') == [0, 1], 'the count in Python')
    assert status(window) == '2 of 3 proposals shown, 0 pinned.'
    hover(window, SMALL)
    assert 'Proposal ' not in status(window)
    slide(window, 'Minimum size', 100)
    wait_until(lambda: ask('explorer.shown.tolist()') == [0], 'the size in Python')
    hover(window, CENTRE)
    assert 'Proposal 0' in status(window)
    slide(window, 'Minimum size', 0)
    slide(window, 'Minimum score', 0.7)
    wait_until(lambda: ask('explorer.shown.tolist()') == [0], 'the score in Python')
    keep(window, 'explorer_3_sliders')


def test_the_saved_view_follows_the_sliders(page):
    window, ask = page

    def saved():
        return window.execute_script(
            "return window.jupyterapp.shell.currentWidget.content.widgets.flatMap("
            "(cell) => cell.model.outputs?.toJSON() ?? []).map((output) => output.data['image/jpeg'])"
            ".filter(Boolean)")

    def is_current():
        return saved() == [ask("explorer.saved_view()['image/jpeg']")]

    wait_until(is_current, 'the saved view of all proposals')
    before = saved()
    slide(window, 'Number of proposals', 1)
    wait_until(lambda: saved() != before and is_current(), 'the saved view of one proposal')


def test_zoom_shows_more_detail_and_the_pointer_follows(page):
    window, _ = page
    hover(window, (0.5, 0.75))
    assert 'Proposal 0' in status(window)
    canvas(window).send_keys('+++')  # 1.5 ** 3
    hover(window, (0.5, 0.76))
    assert 'Proposal 1' in status(window)
    keep(window, 'explorer_4_zoomed')
    window.find_element('css selector', '.chainer-seg-explorer button[title^="Fit"]').click()
    hover(window, (0.5, 0.75))
    assert 'Proposal 0' in status(window)


def test_python_changes_what_is_shown(page):
    window, ask = page
    ask('[setattr(explorer, "count", 1), setattr(explorer, "pinned", [1])]')
    wait_until(lambda: status(window) == '1 of 3 proposals shown, 1 pinned.', 'the change')


def test_all_works_while_the_kernel_is_busy(page):
    window, _ = page
    window.execute_script(
        'window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute('
        '{code: "import time; time.sleep(8)"})')
    hover(window, CENTRE)
    assert 'Proposal 1' in status(window)
    slide(window, 'Number of proposals', 1)
    hover(window, SMALL)
    assert status(window) == '1 of 3 proposals shown, 0 pinned.'
    click(window, CENTRE)
    hover(window, NOTHING)
    assert status(window) == '1 of 3 proposals shown, 1 pinned.'


def test_browser_logs_no_error_of_the_widget(page):
    window, _ = page
    assert errors_of_ours(window) == []
