"""All widgets in Chromium: keys, names for screen readers, and what a page without them shows."""

import importlib.resources

import nbformat
import pytest

from .browser import (
    check_cells, chromium, find_browser, jupyterlab, keep, kernel_of, open_notebook, wait_until)

pytestmark = [pytest.mark.slow, pytest.mark.browser]

CELLS = [
    'import numpy as np\n'
    'from skimage import data\n\n'
    'from chainer_seg import Instances\n'
    'from chainer_seg.datasets import PlainShapesDataset, ShapesDataset\n'
    'from chainer_seg.recipes import DeepLabRecipe\n'
    'from chainer_seg.widgets import (ClickSegmenter, CrfExplorer, DatasetViewer, DetectionExplorer,\n'
    '                                 EvaluationBrowser, ProposalExplorer, TrainingDashboard,\n'
    '                                 WeightConverter)\n'
    'from converters.formats import torch7_writer\n'
    'from ipywidgets import HTML, Accordion, Tab\n'
    'from ipywidgets.widgets.widget import _instances\n\n'
    'opened = HTML()\n'
    'display(opened)\n\n\n'
    'def open_sections(number):\n'
    '    """Opens this section of each widget that has so many; gives how many."""\n'
    '    widgets = [each for each in list(_instances.values())\n'
    '               if isinstance(each, (Accordion, Tab)) and number < len(each.children)]\n'
    '    for each in widgets:\n'
    '        each.selected_index = number\n'
    '    opened.value = f\'<i class="opened">{number}</i>\'\n'
    '    return len(widgets)',
    'ClickSegmenter(data.chelsea()[:150, :200])',
    'masks = np.indices((150, 200))[1][None] < np.array([60, 120])[:, None, None]\n'
    'objects = Instances(masks, scores=[0.9, 0.6], class_names=["left"])\n'
    'DetectionExplorer(data.chelsea()[:150, :200], objects)',
    'ProposalExplorer(data.chelsea()[:150, :200], Instances(masks, scores=[0.9, 0.6]))',
    'DatasetViewer(ShapesDataset(3, size=(160, 240)))',
    'CrfExplorer(data.chelsea()[:150, :200])',
    'torch7_writer.write("weights.t7", {"layer": {"weight": np.ones((2, 3))}})\n'
    'WeightConverter("weights.t7")',
    'TrainingDashboard(DeepLabRecipe(), out="run")',
    'plain = PlainShapesDataset(3, seed=1, size=(96, 128))\n'
    'browser = EvaluationBrowser([truth for _, truth in plain], plain)\n'
    'browser.choose("correct")\n'
    'browser.show(0)\n'
    'browser',
]
SECTIONS = 8  # more than any widget has
CONTROLS = ('a[href], button, input, select, textarea, canvas, summary, [tabindex]:not([tabindex="-1"]), '
            '.noUi-handle')
# What these do in JupyterLab's command mode: cut, copy, insert, run or change cells, or move between them.
KEYS = ('x', 'b', 'c', 'r', 'z', 'm', 'y', 'a', 'j', 'k', 'ArrowUp', 'ArrowDown', 'd', 'd', '0', '0', 'Enter')

PRESS = '''
const keys = arguments[0], controls = arguments[1], pressed = [];
for (const root of document.querySelectorAll(".chainer-seg-widget")) {
  for (const control of root.querySelectorAll(controls)) {
    if (!control.offsetParent) continue;
    pressed.push(control.tagName);
    for (const key of keys) {
      control.focus();
      control.dispatchEvent(new KeyboardEvent("keydown", {
        key, bubbles: true, cancelable: true, composed: true,
        code: key.length === 1 ? "Key" + key.toUpperCase() : key,
        keyCode: key.length === 1 ? key.toUpperCase().charCodeAt(0) :
          { ArrowUp: 38, ArrowDown: 40, Enter: 13 }[key] }));
    }
  }
}
return pressed;
'''
# The cell of the control that was used last is active: no arrow key has left it.
IS_ACTIVE = '''
return window.jupyterapp.shell.currentWidget.content.activeCell.node.contains(document.activeElement);
'''
STATE = '''
const notebook = window.jupyterapp.shell.currentWidget.content;
return [notebook.mode, ...notebook.widgets.map((cell) => cell.model.sharedModel.source)];
'''


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    find_browser()
    folder = tmp_path_factory.mktemp('lab')
    kernel = {'name': 'python3', 'display_name': 'Python 3', 'language': 'python'}
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={'kernelspec': kernel}),
                   folder / 'cells.ipynb')
    return folder


@pytest.fixture(scope='module')
def page(folder):
    """A window on the running notebook, and the address of the same notebook."""
    with jupyterlab(folder) as address, chromium(folder) as window:
        address = address.format('cells.ipynb')
        open_notebook(window, address)
        wait_until(lambda: widgets(window) >= len(CELLS) - 1, 'all widgets')
        wait_until(lambda: not window.find_elements(
            'css selector', '.chainer-seg-status:not([aria-live])'), 'their programs')
        with kernel_of(folder) as ask:
            yield window, address, ask


def each_section(window, ask):
    """Opens the first section of each widget, then the second, and so on."""
    for number in range(SECTIONS):
        if ask(f'open_sections({number})'):
            wait_until(lambda number=number: window.execute_script(
                'return document.querySelector(".opened")?.textContent') == str(number),
                'the sections to open')
            yield number


def widgets(window):
    check_cells(window)
    shown = window.find_elements('css selector', '.jp-OutputArea-child > .jp-OutputArea-output')
    return sum(bool(each.find_elements('css selector', '.chainer-seg-widget')) for each in shown)


def saved_views(window):
    """How many saved views are visible."""
    return window.execute_script('''
        return [...document.querySelectorAll(
          ".jp-RenderedImage img, .jp-RenderedHTMLCommon .chainer-seg-saved")]
          .filter((each) => each.checkVisibility()).length''')


def test_no_key_pressed_in_a_widget_reaches_the_notebook(page):
    window, _, ask = page
    before = window.execute_script(STATE)
    pressed = []
    for _ in each_section(window, ask):
        pressed += window.execute_script(PRESS, KEYS, CONTROLS)
        assert window.execute_script(STATE) == before
        assert window.execute_script(IS_ACTIVE)
    assert len(pressed) > 300 and {'BUTTON', 'INPUT', 'SELECT', 'CANVAS', 'LI'} <= set(pressed)


def test_every_control_has_a_name(page):
    window, *_ = page
    nameless = window.execute_script('''
        return [...document.querySelectorAll(".chainer-seg-widget")].flatMap((root) =>
          [...root.querySelectorAll("input, select, textarea, img, .noUi-handle, button")]
          .filter((each) => !each.labels?.length && !each.getAttribute("aria-label") && !each.title &&
                  !each.textContent.trim() && !each.alt)
          .map((each) => each.outerHTML.slice(0, 200)))''')
    assert nameless == []


AXE = '''
const done = arguments[0];
axe.run({ include: [[".chainer-seg-widget"]] }, { resultTypes: ["violations"] }).then(
  ({ violations }) => done(
    violations.filter(({ impact }) => impact === "serious" || impact === "critical").flatMap(
      ({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`))),
  (error) => done([String(error)]));
'''


@pytest.mark.parametrize('theme', ['Light', 'Dark'])
def test_axe_has_no_serious_findings(page, theme):
    window, _, ask = page
    program = importlib.resources.files('axe_core_python').joinpath('axe.min.js').read_text(encoding='utf-8')
    window.execute_async_script(
        'const done = arguments[1];'
        'window.jupyterapp.commands.execute("apputils:change-theme", { theme: arguments[0] })'
        '.then(() => done())',
        f'JupyterLab {theme}')
    wait_until(lambda: window.execute_script('return document.body.dataset.jpThemeName').endswith(theme),
               'the theme')
    window.execute_script(program)
    for number in each_section(window, ask):
        assert window.execute_async_script(AXE) == [], number


def test_every_control_is_reached_by_tab(page):
    window, *_ = page
    passed_over = window.execute_script('''
        return [...document.querySelectorAll(".chainer-seg-widget")].flatMap((root) =>
          [...root.querySelectorAll("button, input, select, textarea, summary, .noUi-handle, " +
            ".jupyter-widget-Collapse-header, .chainer-seg-explorer canvas, .chainer-seg-canvas")]
          .filter((each) => each.offsetParent && each.tabIndex < 0 && !each.disabled)
          .map((each) => each.outerHTML.slice(0, 200)))''')
    assert passed_over == []


def test_images_are_large_and_nothing_covers_them(page):
    window, *_ = page
    images = window.find_elements('css selector', '.chainer-seg-canvas canvas, .chainer-seg-stage')
    shown = [each for each in images if each.is_displayed()]
    assert len(shown) == 5
    for image in shown:
        assert max(image.size['width'], image.size['height']) >= 480
    covered = window.execute_script('''
        return [...document.querySelectorAll(".chainer-seg-canvas canvas, .chainer-seg-stage canvas")]
          .filter((canvas) => canvas.offsetParent).flatMap((canvas) => {
            canvas.scrollIntoView({ block: "center" });
            const { left, top, width, height } = canvas.getBoundingClientRect();
            return [[0.02, 0.02], [0.02, 0.98], [0.98, 0.02], [0.98, 0.98], [0.5, 0.5]].map(([y, x]) =>
              document.elementFromPoint(left + x * width, top + y * height))
              .filter((each) => each !== canvas).map((each) => each?.outerHTML.slice(0, 100) ?? "nothing");
          })''')
    assert covered == []


def test_a_section_opens_by_keys(page):
    window, *_ = page
    field = window.find_element('css selector', 'input[placeholder="path of a mask or COCO file"]')
    [header] = [each for each in window.find_elements('css selector', '.jupyter-widget-Collapse-header')
                if each.text.strip() == 'Open']
    before = field.is_displayed()
    header.send_keys('\ue007')  # Enter
    wait_until(lambda: field.is_displayed() != before, 'the section to open or close')


def test_arrow_keys_go_through_the_objects_of_an_explorer(page):
    window, *_ = page
    explorer = window.find_element('css selector', '.chainer-seg-detections')
    canvas = explorer.find_element('css selector', 'figure:not([hidden]) canvas')
    status = explorer.find_element('css selector', '.chainer-seg-status')
    seen = set()
    for _ in range(2):
        before = status.text
        canvas.send_keys('\ue014')  # arrow right
        wait_until(lambda before=before: status.text != before, 'another object')
        seen.add(status.text[:9])
    assert seen == {'Object 0:', 'Object 1:'}
    assert not explorer.find_elements('xpath', './/label[contains(., "keypoints") and not(@hidden)]')


def test_saved_views_appear_only_without_the_widgets(page):
    window, address, _ = page
    assert saved_views(window) == 0
    window.execute_async_script(
        'const done = arguments[0];'
        'window.jupyterapp.commands.execute("docmanager:save").then(() => done())')
    window.execute_async_script(
        'const done = arguments[0];'
        'window.jupyterapp.shell.currentWidget.sessionContext.restartKernel().then(() => done())')
    window.get(address)
    wait_until(lambda: saved_views(window) == len(CELLS) - 1, 'the saved views')
    keep(window, 'saved_views')


def test_the_exported_page_shows_the_saved_views_without_a_network(page, folder, tmp_path):
    from nbconvert import HTMLExporter
    text, _ = HTMLExporter().from_notebook_node(nbformat.read(folder / 'cells.ipynb', as_version=4))
    (folder / 'cells.html').write_text(text, encoding='utf-8')
    # A browser of its own, which finds no host from its start on.
    with chromium(tmp_path, '--host-resolver-rules=MAP * ~NOTFOUND') as window:
        window.get((folder / 'cells.html').as_uri())
        wait_until(lambda: saved_views(window) == len(CELLS) - 1, 'the saved views')
        keep(window, 'exported')
