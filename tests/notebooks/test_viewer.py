"""The data-set viewer in JupyterLab in Chromium: buttons, field, class, augmentation."""

import pytest

from .browser import check_cells, errors_of_ours, keep, open_cells, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.browser]

CELLS = [
    'from chainer_seg.datasets import ShapesDataset\n'
    'from chainer_seg.widgets import DatasetViewer\n\n\n'
    'def mirror(image, instances, rng):\n'
    '    return image[:, ::-1].copy(), instances[:0]',
    'dataset = ShapesDataset(60, size=(160, 240), classes=("star", "ring"))\n'
    'viewer = DatasetViewer(dataset, mirror, longest_side=240)\n'
    'viewer',
]


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    """A window on the running notebook, and ``ask`` for its kernel."""
    with open_cells(CELLS, tmp_path_factory.mktemp('lab'), lambda window: canvas_width(window) == 240,
                    'the image') as (window, ask):
        yield window, ask


def canvas_width(window):
    check_cells(window)
    found = [each for each in window.find_elements('css selector', '.chainer-seg-detections canvas')
             if each.is_displayed()]
    return found[0].size['width'] if found else None


def text_of(window, selector):
    return [element.text for element in window.find_elements('css selector', selector)]


def says(window, text):
    """Whether the line below the image reads so."""
    return any(text == line for line in text_of(window, '.jp-OutputArea .widget-html'))


def objects_shown(window):
    """What the explorer in the viewer says of its objects."""
    return text_of(window, '.chainer-seg-explorer .chainer-seg-status')


def press(window, tooltip):
    window.find_element('css selector', f'button[title="{tooltip}"]').click()


def test_buttons_go_to_the_next_image_and_back(page):
    window, ask = page
    count = ask('[len(dataset[number][1]) for number in range(2)]')
    assert says(window, f'image 1: 240x160 pixels, {count[0]} objects')
    press(window, 'Next image')
    wait_until(lambda: says(window, f'image 2: 240x160 pixels, {count[1]} objects'), 'image 2')
    shown = f'{count[1]} of {count[1]} objects shown; click one for details.'
    wait_until(lambda: objects_shown(window) == [shown], 'its objects')
    keep(window, 'viewer_1_next')
    press(window, 'Previous image')
    wait_until(lambda: ask('viewer.number') == 0, 'image 1')


def test_the_field_goes_to_an_image(page):
    from selenium.webdriver.common.keys import Keys
    window, ask = page
    field = window.find_element('css selector', '.jp-OutputArea input[type="number"]')
    field.send_keys(Keys.CONTROL, 'a')
    field.send_keys('4', Keys.ENTER)
    wait_until(lambda: ask('viewer.number') == 3, 'image 4')


def test_a_class_is_looked_for(page):
    from selenium.webdriver.support.ui import Select
    window, ask = page
    ask('viewer.go_to(0)')
    wanted = ask('[n for n in range(1, 6) if 1 in dataset[n][1].labels]')
    Select(window.find_element('css selector', '.jp-OutputArea .widget-dropdown select')
           ).select_by_visible_text('ring')
    wait_until(lambda: ask('viewer.class_name') == 'ring', 'the class in Python')
    press(window, 'Next image')
    wait_until(lambda: ask('viewer.number') == wanted[0], 'the next ring')
    ask('setattr(viewer, "class_name", None)')


def thumbnails(window):
    return window.find_elements('css selector', '.chainer-seg-strip button')


def drawn(window):
    """The numbers, from 1, of the images whose thumbnails have been made."""
    return [int(each.text) for each in thumbnails(window) if each.find_elements('css selector', 'img')]


def test_thumbnails_are_made_when_they_are_seen_and_lead_to_their_image(page):
    window, ask = page
    ask('viewer.go_to(0)')
    wait_until(lambda: drawn(window), 'the first thumbnails')
    seen = drawn(window)
    assert len(thumbnails(window)) == 25 and seen[0] == 1 and 25 not in seen
    thumbnails(window)[3].click()
    wait_until(lambda: ask('viewer.number') == 3, 'image 4')
    assert thumbnails(window)[3].get_attribute('aria-current') == 'true'
    # The next one is reached by the keyboard.
    thumbnails(window)[3].send_keys('\ue004')  # Tab
    assert window.switch_to.active_element.text == '5'
    window.switch_to.active_element.send_keys('\ue007')  # Enter
    wait_until(lambda: ask('viewer.number') == 4, 'image 5')
    assert window.switch_to.active_element.text == '5'
    keep(window, 'viewer_3_thumbnails')
    ask('viewer.go_to(40)')
    wait_until(lambda: 41 in drawn(window), 'thumbnails around image 41')
    assert [each.text for each in thumbnails(window)][12] == '41'


def test_the_augmentation_is_switched_on_and_off(page):
    window, ask = page
    ask('viewer.go_to(0)')
    check = window.find_element('css selector', '.jp-OutputArea .widget-checkbox input')
    check.click()
    nothing = '0 of 0 objects shown; click one for details.'
    wait_until(lambda: objects_shown(window) == [nothing], 'the augmented image')
    assert ask('bool((viewer.explorer.image == dataset[0][0][:, ::-1]).all())')
    keep(window, 'viewer_2_augmented')
    check.click()
    wait_until(lambda: objects_shown(window) != [nothing], 'the image as it is')


def test_browser_logs_no_error_of_the_widget(page):
    window, _ = page
    assert errors_of_ours(window) == []
