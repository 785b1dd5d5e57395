"""Which files are opened as images: by what they hold, never by their names, and by one function."""

import ast
import concurrent.futures
import contextlib
import io
import os
import re
import signal
import subprocess
import warnings

import numpy as np
import pytest
from PIL import Image

from chainer_seg import pillow_limit
from chainer_seg.errors import ImageError
from chainer_seg.images import decode_image, open_image, read_image, read_pages

# The smallest beginnings of files of each kind, by the kinds' own specifications.
LOOP = b'%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n{} loop\n%%EOF\n'
REFUSED = {
    'EPS': LOOP,
    'EPS (PostScript)': b'\xc5\xd0\xd3\xc6' + np.array([30, len(LOOP), 0, 0, 0, 0], '<u4').tobytes()
                         + b'\xff\xff' + LOOP,
    'PDF': b'%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\n%%EOF',
    'SVG': b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>',
    'WMF': b'\xd7\xcd\xc6\x9a' + bytes(18) + b'\1\0\x09\0\0\3' + bytes(12),
    'PSD': b'8BPS\0\1' + bytes(6) + b'\0\3' + b'\0\0\0\1' * 2 + b'\0\x08\0\3',
    'ICO': b'\0\0\1\0\1\0\x10\x10\0\0\1\0\x20\0\0\1\0\0\x16\0\0\0' + bytes(256),
    'FITS': b'SIMPLE  =                    T'.ljust(80) + b'BITPIX  =                    8'.ljust(80),
    'HEIC': b'\0\0\0\x18ftypheic\0\0\0\0mif1heic' + bytes(40),
    'AVIF': b'\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf' + bytes(40),
    'video': b'\0\0\0\x18ftypisom\0\0\0\0isomiso2' + bytes(40),
    'web page': b'<!DOCTYPE html>\n<html><head><title>404</title></head></html>',
    'Git LFS': b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n',
}
READERS = {
    'read_image': read_image,
    'read_pages': lambda path: read_pages(path, 2),
    'decode_image': lambda path: decode_image(path.read_bytes(), path)}


@pytest.fixture
def no_program(monkeypatch):
    """Any attempt to start a program fails the test."""
    def refuse(*arguments, **options):
        pytest.fail(f'a program was started: {arguments}')

    for name in ('Popen', 'run', 'call', 'check_call', 'check_output'):
        monkeypatch.setattr(subprocess, name, refuse)
    monkeypatch.setattr('os.system', refuse)


@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
@pytest.mark.parametrize('kind', REFUSED)
@pytest.mark.parametrize('read', READERS)
def test_file_of_another_kind_is_named_and_starts_no_program(tmp_path, no_program, read, kind, suffix):
    path = tmp_path / f'a{suffix}'
    path.write_bytes(REFUSED[kind])
    sentence = rf'a\{suffix} cannot be read: it is an? [^;]*{re.escape(kind)}[^;]*; \w'
    with pytest.raises(ImageError, match=sentence):
        READERS[read](path)


@pytest.mark.parametrize('name, options', [
    ('PNG', {}), ('BMP', {}), ('TIFF', {}), ('PPM', {}), ('WEBP', {'lossless': True}),
    ('JPEG2000', {'irreversible': False})])
def test_every_format_that_is_read_is_read_whatever_the_name(tmp_path, rng, name, options):
    pixels = rng.integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / 'a.heic', name, **options)
    np.testing.assert_array_equal(read_image(tmp_path / 'a.heic'), pixels)


def test_first_image_of_a_multi_image_jpeg_is_read(tmp_path, rng):
    first, second = (Image.fromarray(np.full((16, 24, 3), value, np.uint8)) for value in (40, 200))
    first.save(tmp_path / 'a.jpg', 'MPO', save_all=True, append_images=[second])
    assert b'MPF\0' in (tmp_path / 'a.jpg').read_bytes()
    image = read_image(tmp_path / 'a.jpg')
    assert image.shape == (16, 24, 3) and (abs(image.astype(int) - 40) <= 1).all()


def test_pillow_can_still_open_other_formats_for_others(tmp_path):
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(tmp_path / 'a.ico')
    with pytest.raises(ImageError):
        read_image(tmp_path / 'a.ico')
    assert Image.open(tmp_path / 'a.ico').size == (16, 16)


def test_shared_attacks_are_named(shared_cases, no_program):
    for name in ('drawn.png', 'loop.jpg'):
        with pytest.raises(ImageError, match=f'{name} .* is an EPS'):
            read_image(shared_cases / 'attacks' / name)


def test_images_are_opened_in_one_place(repository):
    """No other module names a function that opens an image file."""
    forbidden = {('Image', 'open'), ('cv2', 'imread'), ('cv2', 'imdecode'), ('cv2', 'imreadmulti'),
                 ('plt', 'imread'), ('pyplot', 'imread'), ('image', 'imread'), ('io', 'imread'),
                 ('imageio', 'imread'), ('tifffile', 'imread'), ('utils', 'read_image')}
    found = []
    for folder in ('chainer_seg', 'converters', 'scripts', 'packaging', 'benchmarks'):
        for path in (repository / folder).rglob('*.py'):
            for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
                if (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name)
                        and (node.value.id, node.attr) in forbidden):
                    found.append(path.relative_to(repository).as_posix())
                if isinstance(node, ast.ImportFrom) and any(
                        alias.name in ('imread', 'imdecode') for alias in node.names):
                    found.append(path.relative_to(repository).as_posix())
    assert found == ['chainer_seg/images.py']


def test_pillow_keeps_its_own_limit_for_others(tmp_path):
    limit = Image.MAX_IMAGE_PIXELS
    Image.new('L', (8, 8)).save(tmp_path / 'a.png')
    with open_image(tmp_path / 'a.png'), open_image(tmp_path / 'a.png'):
        assert limit != Image.MAX_IMAGE_PIXELS
    assert limit == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize('name', ['PNG', 'TIFF', 'BMP', 'WEBP', 'GIF'])
def test_limit_is_ours_in_every_format(monkeypatch, name):
    """An image between Pillow's limit and ours is read, one above ours is refused by its header."""
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 500)
    encoded = io.BytesIO()
    Image.new('RGB', (100, 100), (9, 9, 9)).save(encoded, name)
    assert decode_image(encoded.getvalue()).shape == (100, 100, 3)
    monkeypatch.setattr('chainer_seg.images.MAX_PIXELS', 9_000)
    with pytest.raises(ImageError, match='claims .*, more than the limit of .* megapixels; shrink it first'):
        decode_image(encoded.getvalue())


@pytest.mark.skipif(not hasattr(os, 'fork'), reason='processes are not forked here')
@pytest.mark.filterwarnings('ignore:.*multi-threaded.*:DeprecationWarning')
def test_forked_process_reads_images_though_a_thread_was_reading(tmp_path):
    limit = Image.MAX_IMAGE_PIXELS
    Image.new('L', (8, 8)).save(tmp_path / 'a.png')
    with open_image(tmp_path / 'a.png'), pillow_limit._lock:
        child = os.fork()
        if not child:
            signal.alarm(20)
            with contextlib.suppress(BaseException):
                if limit == Image.MAX_IMAGE_PIXELS and read_image(tmp_path / 'a.png').shape == (8, 8, 3):
                    os._exit(0)
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_threads_that_read_at_once_leave_pillow_as_it_was(tmp_path):
    limit, filters = Image.MAX_IMAGE_PIXELS, list(warnings.filters)
    Image.new('L', (64, 64)).save(tmp_path / 'a.png')
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(read_image, [tmp_path / 'a.png'] * 200))
    assert limit == Image.MAX_IMAGE_PIXELS and filters == list(warnings.filters)
