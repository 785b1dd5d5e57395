"""The weight converter in JupyterLab in Chromium: a file is chosen, looked at, converted, fetched."""

import pytest

from chainer_seg import load_model

from .browser import check_cells, errors_of_ours, keep, open_cells, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.browser]

CELLS = [
    'import pathlib\n\n'
    'import numpy as np\n\n'
    'import chainer_seg\n'
    'from chainer_seg.widgets import WeightConverter\n'
    'from converters.comparison import layer_outputs\n'
    'from converters.formats import torch7_writer\n'
    'from converters.torch_export import torch_tree',
    'model = chainer_seg.load_model("deepmask")\n'
    'pathlib.Path("weights").mkdir()\n'
    'torch7_writer.write("weights/mine.t7", torch_tree(model))\n'
    'torch7_writer.write("weights/other.t7", {"<b>a</b>": np.ones(3)})\n'
    'converter = WeightConverter("weights")\n'
    'converter',
]
CONVERTER = '.chainer-seg-converter'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('lab')


@pytest.fixture(scope='module')
def page(folder):
    """A window on the running notebook, and ``ask`` for its kernel."""
    with open_cells(CELLS, folder, lambda window: options(window), 'the list of files') as (window, ask):
        window.execute_cdp_cmd('Browser.setDownloadBehavior', {
            'behavior': 'allow', 'downloadPath': str(folder / 'downloads')})
        yield window, ask


def elements(window, selector):
    return window.find_elements('css selector', f'{CONVERTER} {selector}')


def options(window):
    check_cells(window)
    return [each.text for each in elements(window, '.widget-select option')]


def choose(window, name):
    from selenium.webdriver.support.ui import Select
    Select(elements(window, '.widget-select select')[0]).select_by_visible_text(name)


def press(window, text):
    [button] = [each for each in elements(window, 'button') if each.text.strip() == text]
    button.click()


def open_tab(window, title):
    [tab] = [each for each in elements(window, '.lm-TabBar-tab') if each.text.startswith(title)]
    tab.click()


def shown(window, selector):
    """The texts of elements that are not hidden."""
    return [each.text for each in elements(window, selector) if each.is_displayed()]


def says(window, text):
    return any(text in line for line in shown(window, '.widget-html'))


def search(window, label, words):
    [field] = [each for each in elements(window, f'input[aria-label="{label}"]') if each.is_displayed()]
    window.execute_script('arguments[0].value = arguments[1];'
                          'arguments[0].dispatchEvent(new Event("input"));', field, words)


@pytest.fixture
def chosen(page):
    """The page with mine.t7 chosen."""
    window, ask = page
    ask('converter.choose("weights/mine.t7")')
    wait_until(lambda: says(window, 'mine.t7: format Torch7, nn.DeepMask'), 'the file to be shown')
    wait_until(lambda: shown(window, '.chainer-seg-weights-label'), 'the tree')
    return page


def test_a_file_is_chosen_from_the_list(page):
    window, ask = page
    assert options(window) == ['../', 'mine.t7', 'other.t7']
    choose(window, 'mine.t7')
    wait_until(lambda: says(window, 'mine.t7: format Torch7, nn.DeepMask'), 'the file to be shown')
    wait_until(lambda: 'trunk' in shown(window, '.chainer-seg-weights-label'), 'its tree')
    keep(window, 'converter_1_chosen')
    assert ask('converter.inspection.network') == 'nn.DeepMask'


def test_nodes_open_and_close_and_are_searched(chosen):
    window, ask = chosen
    search(window, 'Search the tree', 'scoreBranch weight')
    wait_until(lambda: shown(window, '.chainer-seg-weights-count') == ['2 found'], 'the search')
    leaves = shown(window, '.chainer-seg-weights-leaf .chainer-seg-weights-label')
    assert leaves == ['weight', 'weight']
    keep(window, 'converter_2_search')
    search(window, 'Search the tree', '')
    wait_until(lambda: shown(window, '.chainer-seg-weights-count') == [], 'all of the tree')
    root, summary = elements(window, 'details')[0], elements(window, 'details > summary')[0]
    summary.click()
    assert root.get_attribute('open') is None
    summary.click()  # as it was: other tests look at this page
    assert root.get_attribute('open') is not None


def test_names_in_a_file_are_text_and_nothing_else(page):
    window, ask = page
    choose(window, 'other.t7')
    wait_until(lambda: says(window, 'This network is not supported'), 'the other file')
    wait_until(lambda: '<b>a</b>' in shown(window, '.chainer-seg-weights-label'), 'its tree')


def test_a_file_is_converted_and_fetched(chosen, folder):
    window, ask = chosen
    press(window, 'Convert')
    wait_until(lambda: says(window, 'Saved converted/mine.npz: DeepMask'), 'the model file')
    count = ask('len(converter.mapping) + len(converter.conversion.skipped)')
    wait_until(lambda: f'{count} rows' in shown(window, '.chainer-seg-weights-count'), 'the table')
    search(window, 'Search the table', 'stem conv')
    wait_until(lambda: f'1 of {count} rows' in shown(window, '.chainer-seg-weights-count'), 'the row')
    keep(window, 'converter_3_converted')
    elements(window, 'a[download="mine.npz"]')[0].click()
    target = folder / 'downloads' / 'mine.npz'
    wait_until(target.is_file, 'the download')
    ours = ask('float(chainer_seg.load_model("converted/mine.npz").score.logit.b.array[0])')
    assert float(load_model(target).score.logit.b.array[0]) == ours


def test_what_is_wrong_is_reported_in_the_widget(chosen):
    window, ask = chosen
    ask('setattr(converter._config, "value", "{")')
    press(window, 'Convert')
    wait_until(lambda: says(window, 'The configuration ends too early'), 'the sentence')
    keep(window, 'converter_4_wrong')
    ask('setattr(converter._config, "value", "")')


def test_recorded_outputs_are_compared(chosen):
    window, ask = chosen
    ask('np.savez("recorded.npz", input=np.zeros((1, 3, 96, 96), "f4"), '
        'output0=layer_outputs(model, np.zeros((1, 3, 96, 96), "f4"))["output0"])')
    ask('converter.convert().name')
    open_tab(window, 'Compare')
    from selenium.webdriver.common.keys import Keys
    [field] = [each for each in elements(window, 'input[type="text"]')
               if each.is_displayed() and each.get_attribute('placeholder').startswith('.prototxt')]
    field.send_keys('recorded.npz', Keys.TAB)
    wait_until(lambda: ask('converter._original.value') == 'recorded.npz', 'the field in Python')
    press(window, 'Compare')
    wait_until(lambda: says(window, '1 output compared; the maximum difference is 0.0e+00'),
               'the comparison')
    keep(window, 'converter_5_compared')


def test_browser_logs_no_error_of_the_widget(page):
    window, _ = page
    assert errors_of_ours(window) == []
