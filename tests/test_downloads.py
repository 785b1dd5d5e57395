"""Downloads from a server on this machine that can break off, refuse, and continue."""

import hashlib
import http.server
import pathlib
import subprocess
import sys
import tarfile
import threading
import zipfile

import pytest

from chainer_seg import downloads
from chainer_seg.errors import DiskFullError, DownloadError
from chainer_seg.zoo import public_file, public_files

CONTENT = bytes(range(256)) * 9000
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT: whole, from a byte on, or broken off in the middle."""

    def do_GET(self):
        start = int(self.headers.get('Range', 'bytes=0-').removeprefix('bytes=').rstrip('-'))
        self.server.starts.append(start)
        if self.path == '/missing':
            self.send_error(404)
        elif self.path.endswith('.md5sum'):
            self._send(200, f'{MD5}  weights.bin\n'.encode())
        elif self.path == '/no-ranges':
            self._send(200, CONTENT)
        elif start >= len(CONTENT):
            self.send_error(416)
        elif self.path == '/broken' and not start:
            self._send(200, CONTENT, cut=len(CONTENT) // 3)
        else:
            self._send(206 if start else 200, CONTENT[start:])

    def _send(self, status, body, cut=None):
        self.send_response(status)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as made:
        made.starts = []
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        made.address = f'http://127.0.0.1:{made.server_port}'
        yield made
        made.shutdown()


def fetch(url, path, md5=None):
    return downloads.download(url, path, md5, progress=False)


def test_a_file_arrives_with_its_checksum(server, tmp_path):
    path = fetch(f'{server.address}/file', tmp_path / 'new' / 'weights.bin', MD5)
    assert path.read_bytes() == CONTENT
    assert list(path.parent.iterdir()) == [path]


def test_a_broken_download_resumes_where_it_stopped(server, tmp_path):
    path = tmp_path / 'weights.bin'
    with pytest.raises(DownloadError, match=f'after {len(CONTENT) // 3} of {len(CONTENT)} bytes'):
        fetch(f'{server.address}/broken', path, MD5)
    assert not path.exists()
    fetch(f'{server.address}/broken', path, MD5)
    assert path.read_bytes() == CONTENT
    assert server.starts == [0, len(CONTENT) // 3]


def test_a_part_that_is_complete_only_gets_its_name(server, tmp_path):
    (tmp_path / 'weights.bin.part').write_bytes(CONTENT)
    assert fetch(f'{server.address}/file', tmp_path / 'weights.bin', MD5).read_bytes() == CONTENT


def test_a_server_without_ranges_sends_the_whole_file_again(server, tmp_path):
    (tmp_path / 'weights.bin.part').write_bytes(b'something else' * 10)
    assert fetch(f'{server.address}/no-ranges', tmp_path / 'weights.bin').read_bytes() == CONTENT


def test_a_file_that_is_there_is_not_asked_for_again(server, tmp_path):
    path = tmp_path / 'weights.bin'
    path.write_bytes(CONTENT)
    fetch(f'{server.address}/file', path, MD5)
    assert server.starts == []


def test_a_damaged_file_of_that_name_is_replaced(server, tmp_path):
    path = tmp_path / 'weights.bin'
    path.write_bytes(CONTENT[:-1])
    assert fetch(f'{server.address}/file', path, MD5).read_bytes() == CONTENT


def test_a_wrong_checksum_leaves_nothing(server, tmp_path):
    with pytest.raises(DownloadError, match='checksum'):
        fetch(f'{server.address}/file', tmp_path / 'weights.bin', '0' * 32)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_reported(server, tmp_path):
    with pytest.raises(DownloadError, match='404'):
        fetch(f'{server.address}/missing', tmp_path / 'weights.bin')


def test_no_network_is_reported(tmp_path):
    with pytest.raises(DownloadError, match='check the network'):
        fetch('http://127.0.0.1:9/file', tmp_path / 'weights.bin')


def test_a_folder_that_cannot_be_made_is_reported(server, tmp_path):
    (tmp_path / 'file').write_text('in the way')
    with pytest.raises(DiskFullError, match='in each other'):
        fetch(f'{server.address}/file', tmp_path / 'file' / 'weights.bin')


def test_the_publisher_s_checksum_is_read(server):
    assert downloads.published_md5(f'{server.address}/file') == MD5


@pytest.mark.parametrize('name', ['a.zip', 'a.tgz'])
def test_archives_are_unpacked(name, tmp_path):
    source = tmp_path / 'inside.txt'
    source.write_text('hello')
    if name.endswith('.zip'):
        with zipfile.ZipFile(tmp_path / name, 'w') as archive:
            archive.write(source, 'folder/inside.txt')
    else:
        with tarfile.open(tmp_path / name, 'w:gz') as archive:
            archive.add(source, 'folder/inside.txt')
    downloads.extract(tmp_path / name, tmp_path / 'out')
    assert (tmp_path / 'out/folder/inside.txt').read_text() == 'hello'


def test_an_archive_does_not_write_outside_its_folder(tmp_path):
    with tarfile.open(tmp_path / 'evil.tar', 'w') as archive:
        source = tmp_path / 'inside.txt'
        source.write_text('hello')
        archive.add(source, '../outside.txt')
    with pytest.raises(DownloadError, match='cannot be unpacked'):
        downloads.extract(tmp_path / 'evil.tar', tmp_path / 'out')
    assert not (tmp_path / 'outside.txt').exists()


def test_files_that_are_not_archives_are_reported(tmp_path):
    (tmp_path / 'page.tar').write_text('<html>not found</html>')
    with pytest.raises(DownloadError, match='cannot be unpacked'):
        downloads.extract(tmp_path / 'page.tar', tmp_path)


def test_the_list_of_public_files_is_complete():
    kinds = public_files()
    assert set(kinds) == {'weights', 'coco', 'sbd', 'voc', 'proposals', 'click'}
    for entries in kinds.values():
        assert len({entry.file for entry in entries.values()}) == len(entries)
        for entry in entries.values():
            assert entry.url.startswith('http') and entry.title and entry.license
            assert pathlib.PurePath(entry.file).name == entry.file


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(DownloadError, match='choose from .*mask-rcnn-r50-fpn-1x'):
        public_file('weights', 'mask-rcnn')


def test_the_script_lists_what_there_is(repository):
    found = subprocess.run([sys.executable, repository / 'scripts/download.py', 'coco'],
                           capture_output=True, text=True, check=True)
    assert 'val2017' in found.stdout


def test_a_file_behind_a_page_for_browsers_is_reported_and_taken_where_it_lies(repository, tmp_path):
    call = [sys.executable, repository / 'scripts/download.py', 'weights', 'deeplab-tensorflow',
            '--out', tmp_path]
    found = subprocess.run(call, capture_output=True, text=True)
    assert found.returncode == 2
    assert 'browser' in found.stderr and str(tmp_path / 'deeplab_resnet.ckpt') in found.stderr
    (tmp_path / 'deeplab_resnet.ckpt').write_bytes(b'weights')
    found = subprocess.run(call, capture_output=True, text=True, check=True)
    assert f'chainer-seg convert {tmp_path}/deeplab_resnet.ckpt' in found.stderr + found.stdout
