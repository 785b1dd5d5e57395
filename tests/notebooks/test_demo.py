"""``chainer-seg demo`` in Chromium: an upload, a click, a detection, and what the server refuses."""

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import urllib.parse

import numpy as np
import pytest

from chainer_seg.datasets import PlainShapesDataset
from chainer_seg.images import write_image

from .browser import chromium, find_browser, free_port, keep, wait_until
from .clicking import canvas_element, changed_pixels, click, colours, idle, canvas_pixels

pytestmark = [pytest.mark.slow, pytest.mark.browser]


@contextlib.contextmanager
def demo(folder, *options):
    """A running demo, its address, and the folder for its temporary files."""
    pytest.importorskip('voila', reason='the demo extra is not installed')
    temporary = folder / 'temporary'
    temporary.mkdir()
    server = subprocess.Popen(
        [sys.executable, '-m', 'chainer_seg', 'demo', '--no-browser', '--port', str(free_port()), *options],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder,
        env={**os.environ, 'TMPDIR': str(temporary), 'HOME': str(folder / 'home')})
    try:
        line = server.stdout.readline()
        assert line, server.stderr.read()
        yield server, re.search(r'http://\S+(?=;)', line)[0], temporary
    finally:
        if server.poll() is None:
            server.terminate()
            server.wait(60)


@pytest.fixture(scope='module')
def page(tmp_path_factory):
    """A window on the page, and its address."""
    find_browser()
    folder = tmp_path_factory.mktemp('demo')
    with demo(folder) as (_, address, _), chromium(folder) as window:
        window.get(address)
        wait_until(lambda: canvas_element(window) and colours(window) > 5 and idle(window), 'the page')
        yield window, address


@pytest.fixture(scope='module')
def scene(tmp_path_factory):
    """The path of an image of plain shapes, and its objects."""
    image, instances = PlainShapesDataset(20, seed=31, size=(192, 256))[3]
    path = tmp_path_factory.mktemp('image') / 'scene.png'
    write_image(path, image)
    return path, instances


def upload(window, path):
    """Presses the button of the upload, and gives the path in place of the dialog that it opens."""
    window.execute_script(
        'HTMLInputElement.prototype.click = function() { this.id = "upload"; document.body.append(this); }')
    window.find_element('css selector', '.chainer-seg-demo .widget-upload').click()
    chooser = window.find_element('id', 'upload')
    chooser.send_keys(str(path))
    window.execute_script('arguments[0].remove()', chooser)


def text_of(window):
    return window.find_element('css selector', '.chainer-seg-demo').text


def open_tab(window, title):
    [tab] = [tab for tab in window.find_elements('css selector', '.lm-TabBar-tab, .p-TabBar-tab')
             if tab.text == title]
    tab.click()


def test_an_uploaded_image_is_clicked_and_its_mask_offered(page, scene):
    window, _ = page
    path, instances = scene
    upload(window, path)
    wait_until(lambda: '2 of 2: scene' in text_of(window) and idle(window), 'the uploaded image')
    before = canvas_pixels(window)
    middle = np.argwhere(instances.masks[0]).mean(axis=0) / instances.image_size
    click(window, *middle)
    assert changed_pixels(window, before) > 100
    wait_until(lambda: '1 click; the object covers' in text_of(window), 'the mask')
    keep(window, 'demo_click')
    [button] = [each for each in window.find_elements('css selector', '.chainer-seg-demo button')
                if 'COCO JSON' in each.text]
    button.click()
    link = wait_until(lambda: window.find_elements('css selector', 'a[download="labels.zip"]'), 'the link')
    assert link[0].get_attribute('href').startswith('data:application/octet-stream;base64,UEsDB')


def test_the_detection_tab_shows_its_objects(page):
    window, _ = page
    open_tab(window, 'Detect')
    wait_until(lambda: re.search(r'\d+ of \d+ objects', text_of(window)), 'the objects')
    keep(window, 'demo_detect')
    open_tab(window, 'Click')


def test_a_bad_upload_is_one_sentence(page, tmp_path):
    window, _ = page
    (tmp_path / 'notes.png').write_text('no image')
    upload(window, tmp_path / 'notes.png')
    wait_until(lambda: 'The image notes cannot be read' in text_of(window), 'the error')


def test_nothing_comes_from_another_host(page):
    window, address = page
    host = urllib.parse.urlsplit(address).netloc
    loaded = window.execute_script(
        'return performance.getEntriesByType("resource").filter((each) => each.transferSize > 0)'
        '.map((each) => each.name)')
    assert len(loaded) > 5
    assert {urllib.parse.urlsplit(each).netloc for each in loaded} == {host}


def answer(address, path):
    """The status and the text that the server finally answers to a path as it is, with the token."""
    parts = urllib.parse.urlsplit(address)
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    connection.request('GET', f'{path}?{parts.query}')
    response = connection.getresponse()
    text = response.read().decode('utf-8', 'replace')
    target = response.getheader('Location')
    return answer(address, target) if target else (response.status, text)


def test_what_the_page_needs_is_served(page):
    status, text = answer(page[1], '/voila/static/voila.js')
    assert status == 200 and len(text) > 1000


@pytest.mark.parametrize('path', [
    '/voila/files/demo.ipynb', '/voila/files/../config/voila.json', '/voila/files/%2e%2e/config/voila.json',
    '/voila/static/../../../../../../etc/passwd', '/voila/static/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd',
    '/voila/labextensions/..%2f..%2f..%2f..%2fetc/passwd', '/voila/render/..%2fconfig/voila.json'])
def test_no_path_leads_to_another_file(page, path):
    status, text = answer(page[1], path)
    assert 'root:' not in text and '"token"' not in text and 'DemoPage()' not in text
    assert status in (403, 404)


def test_without_the_token_there_is_no_page(page):
    parts = urllib.parse.urlsplit(page[1])
    connection = http.client.HTTPConnection(parts.netloc, timeout=60)
    connection.request('GET', '/')
    assert connection.getresponse().status in (302, 403)


@pytest.mark.parametrize('number, status, word', [
    (signal.SIGINT, 130, 'interrupted'), (signal.SIGTERM, 143, 'terminated')])
def test_a_signal_ends_it_and_leaves_nothing(tmp_path, number, status, word):
    with demo(tmp_path) as (server, _, temporary):
        assert len(list(temporary.iterdir())) == 1
        server.send_signal(number)
        _, errors = server.communicate(timeout=60)
    assert (server.returncode, errors.strip()) == (status, word)
    assert not list(temporary.iterdir()) and not (tmp_path / 'home').exists()
