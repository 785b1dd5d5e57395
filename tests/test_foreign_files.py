"""Files that are not what their names say are told apart, and genuine ones are not mistaken for them."""

import bz2
import gzip
import io
import lzma
import re
import tarfile
import zipfile

import numpy as np
import pytest

from chainer_seg.foreign_files import foreign_content, foreign_file

LFS = b'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n'
DRIVE = (b'<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head>'
         b'<body>Google Drive can\'t scan this file</body></html>')
S3 = (b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>NoSuchKey</Code><Message>The specified key '
      b'does not exist.</Message></Error>')


def tar():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode='w') as archive:
        archive.addfile(tarfile.TarInfo('weights.pth'), io.BytesIO())
    return file.getvalue()


@pytest.mark.parametrize('content, sentence', [
    (b'<!DOCTYPE html>\n<html>', 'looks like a web page; download it again'),
    (b'\xef\xbb\xbf \r\n<HTML lang="en">', 'looks like a web page'),
    (b'<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0">', 'looks like a web page'),
    (b'<!-- cached -->\n<html><body>404</body>', 'looks like a web page'),
    (DRIVE, 'a web page of Google Drive, .* download it in a browser, or with gdown'),
    (S3, r'the error message of a server \(NoSuchKey\); check the address'),
    (b'{"error":"Repository not found"}', 'the error message of a server'),
    (b'Entry not found', 'the error message of a server'),
    (LFS, 'a Git LFS pointer .* run git lfs pull'),
    (b'/annex/objects/SHA256E-s12--ab.pth\n', 'a git-annex pointer'),
    (gzip.compress(b'x', mtime=0), 'a gzip archive; unpack it first'),
    (bz2.compress(b'x'), 'a bzip2 archive'),
    (lzma.compress(b'x'), 'an? xz archive'), (tar(), 'a tar archive'),
    (b'7z\xbc\xaf\x27\x1c\0\4', 'a 7z archive'), (b'Rar!\x1a\x07\1\0', 'a RAR archive'),
    (b'\x28\xb5\x2f\xfd', 'a Zstandard archive')])
def test_what_stands_in_place_of_a_file_is_reported(tmp_path, content, sentence):
    (tmp_path / 'file').write_bytes(content)
    found = foreign_file(tmp_path / 'file')
    assert found is not None
    assert re.search(sentence, found)


def test_the_error_of_a_zip_archive_names_its_first_entry(tmp_path):
    with zipfile.ZipFile(tmp_path / 'a.zip', 'w') as archive:
        archive.writestr('model/weights.caffemodel', b'x')
        archive.writestr('model/deploy.prototxt', b'x')
    assert foreign_file(tmp_path / 'a.zip') == (
        'looks like a zip archive (model/weights.caffemodel, ...); unpack it first')


def test_files_that_are_zip_archives_by_nature_are_not_mistaken(tmp_path):
    np.savez(tmp_path / 'a.npz', a=np.zeros(3))
    with zipfile.ZipFile(tmp_path / 'b.pth', 'w') as archive:
        archive.writestr('m/data.pkl', b'x')
    assert foreign_file(tmp_path / 'a.npz') is None
    assert foreign_file(tmp_path / 'b.pth') is None


@pytest.mark.parametrize('content', [
    b'', b'\x80\x02', b'\x0a\x03net', b'\x89PNG\r\n\x1a\n', b'\xff\xd8\xff\xe0', b'{"images": []}',
    b'{"info": {"error": 1}}', b'<annotation><folder>VOC</folder></annotation>', b'layer { }',
    b'<?xml version="1.0"?><annotation/>', b'# 404\n', b'\0' * 600])
def test_what_may_be_genuine_is_not_mistaken(content):
    assert foreign_content(content) is None


def test_a_file_that_is_not_there_is_nothing(tmp_path):
    assert foreign_file(tmp_path / 'none') is None
    assert foreign_file(tmp_path) is None
