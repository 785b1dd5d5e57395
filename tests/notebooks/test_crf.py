"""The CRF explorer in JupyterLab in Chromium: presets and sliders change the right image."""

import pytest

from .browser import check_cells, errors_of_ours, keep, open_cells, screenshot, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.browser]

# Noise on the left and right halves of a image, which a CRF clears away.
CELLS = [
    'import numpy as np\n\n'
    'from chainer_seg.models.deeplab.dense_crf import CrfParameters\n'
    'from chainer_seg.widgets import CrfExplorer\n\n\n'
    'class Halves:\n'
    '    class_names, longest_side = ("background", "left", "right"), 120\n\n'
    '    def probabilities(self, image):\n'
    '        found = np.random.default_rng(0).uniform(0, 1.2, (3, 80, 120)).astype(np.float32)\n'
    '        found[1, :, :60] += 0.6\n'
    '        found[2, :, 60:] += 0.6\n'
    '        return found / found.sum(axis=0)',
    'image = np.zeros((80, 120, 3), np.uint8)\n'
    'image[:, 60:] = 200\n'
    'truth = np.repeat([[1] * 60 + [2] * 60], 80, axis=0)\n'
    'explorer = CrfExplorer(image, Halves(), truth)\n'
    'explorer',
]


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    """A window on the running notebook, and ``ask`` for its kernel."""
    with open_cells(CELLS, tmp_path_factory.mktemp('lab'), lambda window: len(canvases(window)) == 2,
                    'both images') as (window, ask):
        yield window, ask


def canvases(window):
    """The images before and after the CRF."""
    check_cells(window)
    return window.find_elements('css selector', '.jp-OutputArea .chainer-seg-stage canvas')


def pixels(window):
    """What they show, (H, W, 3) uint8."""
    return [screenshot(each) for each in canvases(window)]


def says(window, text):
    lines = window.find_elements('css selector', '.jp-OutputArea .widget-html')
    return any(text in line.text for line in lines)


def test_both_images_and_the_gain_are_shown(page):
    window, ask = page
    wait_until(lambda: says(window, ask('explorer.message')), 'the sentence')
    assert 'Mean IoU' in ask('explorer.message')
    keep(window, 'crf_1')


def test_a_preset_moves_the_sliders_and_the_right_image(page):
    from selenium.webdriver.support.ui import Select
    window, ask = page
    ask('setattr(explorer, "parameters", CrfParameters(1, 1, 1, 1, 1, steps=0))')
    wait_until(lambda: says(window, 'The CRF changes the class of 0.0 %'), 'a CRF without a step')
    before, after = pixels(window)
    choice = Select(window.find_element('css selector', '.jp-OutputArea .widget-dropdown select'))
    choice.select_by_visible_text('tensorflow')
    wait_until(lambda: ask('explorer.parameters.colour_xy') == 40, 'the parameters in Python')
    wait_until(lambda: (pixels(window)[1] != after).any(), 'the other image')
    assert (pixels(window)[0] == before).all()
    assert '40.00' in [each.text for each in window.find_elements('css selector', '.widget-readout')]


def test_zoom_moves_both_images(page):
    window, _ = page
    canvases(window)[0].send_keys('0')
    fitted = pixels(window)
    canvases(window)[0].send_keys('++')
    for before, after in zip(fitted, pixels(window)):
        assert (before != after).any()
    assert canvases(window)[0].size['width'] >= 400
    keep(window, 'crf_3_zoomed')
    canvases(window)[1].send_keys('+')
    canvases(window)[0].send_keys('0')  # which has the focus again
    for before, after in zip(fitted, pixels(window)):
        assert (before == after).all()


def test_a_slider_changes_a_parameter(page):
    from selenium.webdriver.common.keys import Keys
    window, ask = page
    steps = ask('explorer.parameters.steps')
    handle = window.find_elements('css selector', '.jp-OutputArea .widget-slider .noUi-handle')[-1]
    handle.send_keys(Keys.ARROW_LEFT)
    wait_until(lambda: ask('explorer.parameters.steps') == steps - 1, 'one step less')
    choice = window.find_element('css selector', '.jp-OutputArea .widget-dropdown select')
    wait_until(lambda: choice.get_attribute('value') == 'custom', 'no preset any more')
    keep(window, 'crf_2_own')


def test_browser_logs_no_error_of_the_widget(page):
    window, _ = page
    assert errors_of_ours(window) == []
