"""The detection explorer in JupyterLab in Chromium: clicks, slider, classes, also without a kernel."""


import numpy as np
import pytest

from .browser import check_cells, errors_of_ours, keep, open_cells, screenshot, wait_until
from .clicking import drag, wheel

pytestmark = [pytest.mark.slow, pytest.mark.browser]

# A large cow with the score 0.9, a dog in its middle with 0.6, a small dog beside it with 0.3.
CELLS = [
    'import numpy as np\n'
    'from skimage import data\n\n'
    'from chainer_seg import Instances\n'
    'from chainer_seg.widgets import DetectionExplorer',
    'rows, columns = np.mgrid[:300, :451]\n'
    'masks = np.stack([(abs(rows - 150) < 120) & (abs(columns - 225) < 120),\n'
    '                  np.hypot(rows - 150, columns - 225) < 40,\n'
    '                  (abs(rows - 60) < 15) & (abs(columns - 400) < 15)])\n'
    'found = Instances(masks, labels=[1, 0, 0], scores=[0.9, 0.6, 0.3], class_names=("dog", "cow"))\n'
    'explorer = DetectionExplorer(data.chelsea(), found, longest_side=451)\n'
    'explorer',
    '# Half as large; the true cow is a little to the right, and the small dog is not there.\n'
    'cat, shifted = data.chelsea()[:150, :225], np.roll(masks[:2, ::2, :450:2], 10, axis=2)\n'
    'half = Instances(masks[:, ::2, :450:2], labels=[1, 0, 0], scores=[0.9, 0.6, 0.3],\n'
    '                 class_names=("dog", "cow"))\n'
    'compared = DetectionExplorer(\n'
    '    cat, half, truth=Instances(shifted, labels=[0, 1], class_names=("cow", "dog")))\n'
    'compared',
]
CENTRE, BESIDE, SMALL, NOTHING = (0.5, 0.5), (0.25, 0.4), (0.2, 0.887), (0.95, 0.05)
EXPLORER = '.chainer-seg-detections'


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    """A window on the running notebook, and ``ask`` for its kernel."""
    with open_cells(CELLS, tmp_path_factory.mktemp('lab'), canvas, 'the canvas') as (window, ask):
        wait_until(lambda: len(np.unique(canvas_pixels(window).reshape(-1, 3), axis=0)) > 100, 'the image')
        yield window, ask


@pytest.fixture(autouse=True)
def fresh_explorer(page):
    """Every test starts with all objects shown as masks and none selected."""
    window, ask = page
    ask('[explorer.set_trait(name, value) for name, value in dict(score_threshold=0.0, hidden=[], '
        'style="masks", boxes=True, names=True, selected=-1).items()]')
    wait_until(lambda: status(window) == '3 of 3 objects shown; click one for details.',
               'the start')
    wait_until(lambda: element(window, 'select').get_attribute('value') == 'masks', 'the style')


def element(window, selector):
    return window.find_element('css selector', f'{EXPLORER} {selector}')


def canvas(window):
    check_cells(window)
    found = canvases(window, 0)
    return found[0] if found else None


def canvases(window, number):
    """The visible canvases of an explorer; the last one shows the detections."""
    explorers = window.find_elements('css selector', EXPLORER)[number:]
    return explorers and [each for each in explorers[0].find_elements('css selector', 'canvas')
                          if each.is_displayed()]


def canvas_pixels(window):
    """The canvas as it is on the screen, (H, W, 3) uint8."""
    return screenshot(canvas(window))


def status(window):
    return element(window, '.chainer-seg-status').text


def click(window, place):
    """Clicks at a place given as fractions of the canvas's height and width."""
    from selenium.webdriver import ActionChains
    target, (y, x) = canvas(window), place
    ActionChains(window).move_to_element_with_offset(
        target, round((x - 0.5) * target.size['width']),
        round((y - 0.5) * target.size['height'])).click().perform()


def slide(window, value):
    window.execute_script('arguments[0].value = arguments[1];'
                          'arguments[0].dispatchEvent(new Event("input"));',
                          element(window, 'input[aria-label="Minimum score"]'), value)


def tick(window, text):
    element(window, f'input[aria-label="{text}"]').click()


def test_a_click_tells_the_numbers_of_the_smallest_below_it(page):
    window, ask = page
    click(window, CENTRE)
    wait_until(lambda: ask('explorer.selected') == 1, 'the choice in Python')
    # The disc of radius 40 spans 39.x pixels to either side.
    area = ask('int(masks[1].sum())')
    assert status(window) == (f'Object 1: dog, score 0.600, box x 186.0 to 265.0, y 111.0 to 190.0, '
                              f'{area} pixels.')
    keep(window, 'detections_1_chosen')
    click(window, BESIDE)
    assert status(window).startswith('Object 0: cow, score 0.900')
    click(window, BESIDE)
    wait_until(lambda: ask('explorer.selected') == -1, 'the choice to go')
    click(window, NOTHING)
    assert status(window) == '3 of 3 objects shown; click one for details.'


def test_slider_and_classes_hide_and_python_knows(page):
    window, ask = page
    slide(window, 0.5)
    wait_until(lambda: ask('explorer.shown.tolist()') == [0, 1], 'the score in Python')
    assert status(window).startswith('2 of 3 objects')
    click(window, SMALL)
    assert status(window).startswith('2 of 3 objects')
    tick(window, 'cow (1)')
    wait_until(lambda: ask('explorer.hidden') == [1], 'the class in Python')
    assert ask('[explorer.instances.name(0), len(explorer.instances)]') == ['dog', 1]
    click(window, BESIDE)
    assert status(window).startswith('1 of 3 objects')
    keep(window, 'detections_2_filtered')
    tick(window, 'cow (1)')
    wait_until(lambda: ask('explorer.hidden') == [], 'the class to come back')


def test_masks_contours_boxes_and_names_can_be_switched(page):
    from selenium.webdriver.support.ui import Select
    window, ask = page
    full = canvas_pixels(window)
    Select(element(window, 'select')).select_by_value('contours')
    wait_until(lambda: ask('explorer.style') == 'contours', 'the style in Python')
    contours = canvas_pixels(window)
    assert (contours != full).any(axis=2).sum() > 20000  # the large square is no longer filled
    tick(window, 'boxes')
    tick(window, 'names')
    wait_until(lambda: ask('[explorer.boxes, explorer.names]') == [False, False], 'Python to know')
    Select(element(window, 'select')).select_by_value('nothing')
    wait_until(lambda: ask('explorer.style') == 'nothing', 'the style in Python')
    bare = canvas_pixels(window).astype(int)
    cat = np.array(ask('explorer.image.tolist()'))
    inside = (slice(20, 280), slice(20, 430))
    assert np.abs(bare[inside] - cat[inside]).mean() < 4  # a JPEG of the image and nothing else


def test_python_shows_another_image(page):
    window, ask = page
    ask('explorer.show(data.chelsea()[:200], Instances(masks[:1, :200], class_names=("bird",)))')
    wait_until(lambda: canvas(window).size['height'] == 200, 'the other image')
    assert status(window) == '1 of 1 objects shown; click one for details.'
    click(window, CENTRE)
    assert status(window).startswith('Object 0: bird')
    ask('explorer.show(data.chelsea(), found)')
    wait_until(lambda: status(window).startswith('3 of 3'), 'the first image again')


# At three times the size, the disc is here; else the square around it.
NEAR_DISC = (0.5, 0.75)


def test_keys_buttons_and_wheel_zoom_and_a_drag_pans(page):
    window, ask = page
    click(window, NEAR_DISC)
    assert status(window).startswith('Object 0: cow')
    canvas(window).send_keys('+++')  # 1.5 ** 3
    click(window, NEAR_DISC)
    assert status(window).startswith('Object 1: dog')
    keep(window, 'detections_3_zoomed')
    drag(window, canvas(window), (0.5, 0.25), (0.5, 0.75))
    click(window, CENTRE)
    assert status(window).startswith('Object 0: cow')
    canvas(window).send_keys('0')
    click(window, CENTRE)
    assert status(window).startswith('Object 1: dog')
    for title in (*['Zoom in (+)'] * 3, 'Zoom out (-)', 'Fit the image to the view (0)'):
        element(window, f'button[title="{title}"]').click()
    click(window, NEAR_DISC)
    assert status(window).startswith('Object 0: cow')
    wheel(window, canvas(window), 4)
    click(window, NEAR_DISC)
    assert status(window).startswith('Object 1: dog')
    wheel(window, canvas(window), -5)
    click(window, NEAR_DISC)
    assert status(window).startswith('Object 0: cow')


def test_an_object_chosen_by_keys_is_brought_into_view(page):
    window, ask = page
    canvas(window).send_keys('+++')
    canvas(window).send_keys('\ue012')  # arrow left: the last object, at the edge
    wait_until(lambda: ask('explorer.selected') == 2, 'the small dog')
    click(window, CENTRE)
    wait_until(lambda: ask('explorer.selected') == -1, 'the choice to go')
    canvas(window).send_keys('0')


def test_the_truth_is_beside_over_or_hidden(page):
    from selenium.webdriver.support.ui import Select
    window, ask = page
    truth, detections = canvases(window, 1)
    assert truth.location['y'] == detections.location['y']
    assert truth.location['x'] + truth.size['width'] <= detections.location['x']
    details = window.find_elements('css selector', f'{EXPLORER} .chainer-seg-status')[1]
    assert details.text == '3 of 3 objects shown, 2 true objects; click one for details.'
    # A click on a true object selects the detection that agrees with it.
    window.execute_script('arguments[0].scrollIntoView({block: "center"})', truth)
    truth.click()
    wait_until(lambda: ask('compared.selected') == 1, 'the disc')
    iou = ask('(lambda a, b: float((a & b).sum() / (a | b).sum()))(half.masks[1], shifted[1])')
    assert details.text.endswith(f'pixels, IoU {iou:.2f} with a true dog.')
    keep(window, 'detections_4_truth_beside')
    choice = Select(window.find_elements('css selector', f'{EXPLORER} select[aria-label="Truth"]')[1])
    without = screenshot(detections)
    choice.select_by_visible_text('as white outlines')
    wait_until(lambda: ask('compared.truth_view') == 'over', 'the choice in Python')
    [detections] = canvases(window, 1)
    # Small images are enlarged.
    assert detections.size['width'] == 480
    white = (screenshot(detections) == 255).all(axis=2).sum()
    assert white > (without == 255).all(axis=2).sum() + 300
    keep(window, 'detections_5_truth_over')
    choice.select_by_visible_text('hidden')
    wait_until(lambda: ask('compared.truth_view') == 'hidden', 'the choice in Python')
    assert (screenshot(canvases(window, 1)[0]) == 255).all(axis=2).sum() < white - 300


def test_all_works_while_the_kernel_is_busy(page):
    window, ask = page
    window.execute_script(
        'window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute('
        '{code: "import time; time.sleep(8)"})')
    slide(window, 0.5)
    assert status(window).startswith('2 of 3 objects')
    click(window, CENTRE)
    assert status(window).startswith('Object 1: dog')
    wait_until(lambda: ask('[explorer.score_threshold, explorer.selected]') == [0.5, 1], 'Python to follow')


def test_browser_logs_no_error_of_the_widget(page):
    window, _ = page
    assert errors_of_ours(window) == []
