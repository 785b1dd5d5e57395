"""The training dashboard in Chromium: Start, a plot, Stop and save."""

import pytest

from .browser import check_cells, errors_of_ours, keep, open_cells, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.browser]

CELLS = [
    'from chainer_seg.recipes import DeepLabRecipe\n'
    'from chainer_seg.recipes.deeplab import SemanticData\n'
    'from chainer_seg.widgets import TrainingDashboard',
    'recipe = DeepLabRecipe().replace(blocks=[1, 1, 1, 1], width=4, pyramid=[1, 2], crop=[33, 33],\n'
    '                                 iterations=100000, batch_size=2)\n'
    'dashboard = TrainingDashboard(recipe, SemanticData("plain-shapes", size=(32, 32), val_n=2), out="run",\n'
    '                              workers=0, device="cpu", log_every=1)\n'
    'dashboard',
]


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    """A window on the running notebook, and ``ask`` for its kernel."""
    with open_cells(CELLS, tmp_path_factory.mktemp('lab'), lambda window: button(window, 'Start a new run'),
                    'the dashboard') as opened:
        yield opened


def button(window, title):
    check_cells(window)
    return next(iter(window.find_elements('css selector', f'button[title="{title}"]')), None)


def test_a_run_is_started_plotted_and_stopped(page):
    window, ask = page
    button(window, 'Start a new run').click()
    plot = wait_until(lambda: window.find_elements(
        'css selector', 'img[alt="Losses, metrics and learning rate"]'), 'the plot')
    assert plot[0].size['width'] > 300 and ask('dashboard.state') == 'running'
    keep(window, 'training_dashboard')
    button(window, 'Finish the iteration, save, and end').click()
    wait_until(lambda: ask('dashboard.state') == 'stopped', 'the end of the run')
    assert ask('dashboard.result.iteration') > 0
    wait_until(lambda: any(line.text.startswith('Stopped after') for line in window.find_elements(
        'css selector', '.chainer-seg-status')), 'the message')


def test_browser_logs_no_error_of_the_widget(page):
    assert errors_of_ours(page[0]) == []
