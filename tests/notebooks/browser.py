"""A real JupyterLab and a real, headless Chromium for tests; what they show is kept as images."""

import contextlib
import io
import json
import os
import pathlib
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import numpy as np
import pytest
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / 'out' / 'browser'
PATIENCE = 120  # seconds: JupyterLab's first page takes long on two busy cores

# JupyterLab shows errors as it shows what a cell writes to stderr.
ERROR_OUTPUT = '.jp-OutputArea-output[data-mime-type="application/vnd.jupyter.stderr"]'

BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')


def find_browser():
    """The paths of Chromium and of its driver.

    Skips the test where one is missing, or fails it where CHAINER_SEG_REQUIRE_BROWSER is 1.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    driver = shutil.which('chromedriver')
    missing = [name for name, path in (('chromium', browser), ('chromium-driver', driver))
               if path is None]
    for package in ('selenium', 'jupyterlab', 'anywidget', 'skimage'):
        try:
            __import__(package)
        except ImportError:
            missing.append(f'the Python package {package}')
    if missing:
        reason = f'browser tests need {" and ".join(missing)}, which is not installed'
        if os.environ.get('CHAINER_SEG_REQUIRE_BROWSER') == '1':
            pytest.fail(reason)
        pytest.skip(reason)
    return browser, driver


@contextlib.contextmanager
def jupyterlab(folder):
    """Runs JupyterLab on ``folder``; gives the address of ``/doc/tree/`` there, with a token.

    Its settings and runtime files lie in ``folder``/.jupyter, so the user's own play no part.
    """
    private = folder / '.jupyter'
    settings = private / 'settings' / '@jupyterlab' / 'apputils-extension'
    settings.mkdir(parents=True)
    (settings / 'notification.jupyterlab-settings').write_text(
        json.dumps({'fetchNews': 'false', 'checkForUpdates': False}))
    port, token = free_port(), secrets.token_hex(16)
    environment = {
        **os.environ, 'JUPYTER_CONFIG_DIR': str(private / 'config'),
        'JUPYTER_DATA_DIR': str(private / 'data'),
        'JUPYTER_RUNTIME_DIR': str(private / 'runtime'),
        'JUPYTERLAB_SETTINGS_DIR': str(private / 'settings'),
        'JUPYTERLAB_WORKSPACES_DIR': str(private / 'workspaces')}
    command = [sys.executable, '-m', 'jupyterlab', '--no-browser', '--allow-root',
               '--ServerApp.ip=127.0.0.1', f'--ServerApp.port={port}',
               f'--IdentityProvider.token={token}', f'--ServerApp.root_dir={folder}',
               '--LabApp.expose_app_in_browser=True']
    with open(folder / 'server.log', 'wb') as log:
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        _wait_for(f'http://127.0.0.1:{port}/api?token={token}', server, folder / 'server.log')
        yield f'http://127.0.0.1:{port}/doc/tree/{{}}?token={token}'
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@contextlib.contextmanager
def chromium(folder, *flags):
    """A Selenium driver of headless Chromium with these flags, whose profile lies in ``folder``."""
    from selenium import webdriver
    browser, driver = find_browser()
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for flag in ('--headless=new', '--no-sandbox', '--disable-dev-shm-usage', '--disable-gpu',
                 '--no-proxy-server', '--window-size=1200,1000', '--force-device-scale-factor=1',
                 f'--user-data-dir={folder / "profile"}', *flags):
        options.add_argument(flag)
    options.set_capability('goog:loggingPrefs', {'browser': 'ALL'})
    service = webdriver.ChromeService(executable_path=driver)
    window = webdriver.Chrome(options=options, service=service)
    try:
        window.set_script_timeout(PATIENCE)
        # A headless window has no focus of its own since Chromium 150; JupyterLab runs the focused notebook.
        window.execute_cdp_cmd('Emulation.setFocusEmulationEnabled', {'enabled': True})
        yield window
    except BaseException:
        keep(window, 'failure')
        raise
    finally:
        window.quit()


def open_notebook(window, address):
    """Opens a notebook and starts to run all of its cells."""
    window.get(address)
    wait_until(lambda: window.execute_script(
        'return Boolean(window.jupyterapp && document.querySelector(".jp-Notebook .jp-Cell") '
        '&& document.querySelector(".jp-NotebookPanel"))'), 'the notebook to open')
    window.execute_async_script(
        'const done = arguments[0];'
        'window.jupyterapp.restored'
        '.then(() => window.jupyterapp.shell.currentWidget.sessionContext.ready)'
        '.then(() => window.jupyterapp.commands.execute("notebook:run-all-cells"))'
        '.then(() => done(), (error) => done(String(error)))')


def check_cells(window):
    """Fails where a cell of the notebook in the window shows an error."""
    for shown in window.find_elements('css selector', ERROR_OUTPUT):
        if 'Traceback' in shown.text:
            pytest.fail(f'a cell of the notebook ended in an error:\n{shown.text}')


def errors_of_ours(window):
    """The errors in the browser's log that name this project."""
    return [entry for entry in window.get_log('browser')
            if entry['level'] == 'SEVERE' and 'chainer' in entry['message']]


def keep(window, name):
    """Keeps what the window shows as an image in :data:`SCREENSHOTS`."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    window.save_screenshot(str(SCREENSHOTS / f'{name}.png'))


def screenshot(element):
    """An element as it is on the screen, (H, W, 3) uint8."""
    with Image.open(io.BytesIO(element.screenshot_as_png)) as shown:
        return np.array(shown.convert('RGB'))


def wait_until(condition, what):
    """Waits until ``condition()`` holds, and returns its value; fails after :data:`PATIENCE`."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.2)
    pytest.fail(f'waited {PATIENCE} s in vain for {what}')


@contextlib.contextmanager
def kernel_of(folder):
    """``ask(expression)``: the value of a Python expression in the only running kernel."""
    from jupyter_client import BlockingKernelClient
    [file] = (folder / '.jupyter' / 'runtime').glob('kernel-*.json')
    client = BlockingKernelClient()
    client.load_connection_file(str(file))
    client.start_channels()

    def ask(expression):
        # The answer comes on the shell channel, whose messages, unlike those of iopub, outlast a restart.
        question = client.execute('', user_expressions={'value': f'__import__("json").dumps({expression})'},
                                  silent=True, store_history=False)
        end = time.monotonic() + PATIENCE
        while True:
            answer = client.get_shell_msg(timeout=end - time.monotonic())
            if answer['parent_header']['msg_id'] == question:
                break
        value = answer['content']['user_expressions']['value']
        assert value['status'] == 'ok', value
        return json.loads(eval(value['data']['text/plain']))

    try:
        client.wait_for_ready(PATIENCE)
        yield ask
    finally:
        client.stop_channels()


@contextlib.contextmanager
def open_cells(cells, folder, appeared, what):
    """A window on a running notebook of these cells, and ``ask`` for its kernel.

    It is open when ``appeared(window)`` is true; ``what`` is waited for, in words.
    """
    find_browser()
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells],
        metadata={'kernelspec': {'name': 'python3', 'display_name': 'Python 3',
                                 'language': 'python'}})
    nbformat.write(notebook, folder / 'cells.ipynb')
    with jupyterlab(folder) as address, chromium(folder) as window:
        open_notebook(window, address.format('cells.ipynb'))
        wait_until(lambda: appeared(window), what)
        with kernel_of(folder) as ask:
            yield window, ask


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def _wait_for(address, server, log):
    # No proxy stands between a machine and itself.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def answers():
        if server.poll() is not None:
            pytest.fail(f'JupyterLab ended with status {server.returncode}:\n'
                        f'{log.read_text()[-2000:]}')
        with contextlib.suppress(OSError):
            return opener.open(address, timeout=5).status == 200

    wait_until(answers, 'JupyterLab to answer')
