"""The documentation site: it is built without a warning and without a network, and no link is broken."""

import html.parser
import importlib
import os
import pathlib
import subprocess
import sys
import urllib.parse

import pytest

from chainer_seg.zoo import public_files

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent

# mkdocs, in a process that cannot open a connection.
BUILD = '''
import socket
def refuse(*_):
    raise OSError("the site needs the network")
socket.socket.connect = socket.getaddrinfo = refuse
from mkdocs.__main__ import cli
cli()
'''

pytestmark = pytest.mark.slow


class Reader(html.parser.HTMLParser):
    """What a page loads, where its links lead, and its anchors."""

    def __init__(self, text):
        super().__init__()
        self.loaded, self.links, self.anchors = [], [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.anchors |= {found.get('id'), found.get('name')}
        if tag == 'a' and 'href' in found:
            self.links.append(found['href'])
        self.loaded += [found[name] for name in ('src', 'srcset', 'data') if name in found and tag != 'a']
        if tag == 'link' and found.get('rel') not in ('canonical', 'prev', 'next'):
            self.loaded.append(found['href'])


@pytest.fixture(scope='module')
def built(tmp_path_factory):
    """The folder of the site, and what mkdocs printed."""
    pytest.importorskip('mkdocs', reason='the docs extra is not installed')
    folder = tmp_path_factory.mktemp('site')
    done = subprocess.run([sys.executable, '-c', BUILD, 'build', '--strict', '--site-dir', folder], text=True,
                          capture_output=True, cwd=REPOSITORY,
                          env={**os.environ, 'PYTHONPATH': str(REPOSITORY), 'NO_MKDOCS_2_WARNING': '1'})
    assert done.returncode == 0, done.stderr[-3000:]
    return folder, done.stderr


@pytest.fixture(scope='module')
def pages(built):
    """``{path: Reader}`` of all pages."""
    return {path: Reader(path.read_text(encoding='utf-8')) for path in built[0].rglob('*.html')}


def test_it_is_built_without_a_warning(built, pages):
    assert 'WARNING' not in built[1] and len(pages) > 40


def test_pages_load_nothing_from_another_host(pages):
    loaded = [address for page in pages.values() for address in page.loaded]
    assert len(loaded) > 300
    assert [address for address in loaded if '//' in address and not address.startswith('data:')] == []


def test_every_link_leads_to_a_page_and_an_anchor(pages):
    broken, count = [], 0
    for path, page in pages.items():
        if path.name == '404.html':  # Its links begin at the root of a server.
            continue
        for link in page.links:
            address = urllib.parse.urlsplit(link)
            if address.scheme:
                continue
            target = (path.parent / urllib.parse.unquote(address.path)).resolve() if address.path else path
            anchor = urllib.parse.unquote(address.fragment)
            count += 1
            if not target.exists() or anchor and target in pages and anchor not in pages[target].anchors:
                broken.append(f'{path.name}: {link}')
    assert count > 3000 and broken == []


def test_every_exported_name_is_in_the_reference(built, pages):
    anchors = set().union(*(page.anchors for path, page in pages.items() if path.parent.name == 'api'))
    for package in ('datasets', 'evaluation', 'models.mask_rcnn', 'models.yolact', 'recipes', 'widgets'):
        module = importlib.import_module(f'chainer_seg.{package}')
        documented = {f'{value.__module__}.{value.__qualname__}' for name in module.__all__
                      for value in [getattr(module, name)] if callable(value)}
        assert len(documented) > 3 and documented <= anchors


def test_docstrings_have_links_in_place_of_roles(built):
    text = (built[0] / 'api' / 'models.html').read_text(encoding='utf-8')
    assert ':class:' not in text and 'href="essentials.html#chainer_seg.instances.Instances"' in text


def test_published_weights_are_listed_with_their_figures(built):
    text = (built[0] / 'weights.html').read_text(encoding='utf-8')
    for name, entry in public_files()['weights'].items():
        assert f'<code>{name}</code>' in text and entry.figure.replace('&', '&amp;') in text
