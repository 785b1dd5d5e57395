"""Small image files that ask for much memory or time are refused, or read without either."""

import io
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image

# The program that reads the files measures itself.
MEASURED = '''
import sys, time
import chainer_seg
from chainer_seg.errors import ImageError
from chainer_seg.images import read_image, read_pages

start = time.process_time()
for path in sys.argv[1:]:
    for read in (read_image, lambda path: read_pages(path, 3)):
        try:
            read(path)
        except ImageError as error:
            print(error)
print('seconds', time.process_time() - start)
# Not by getrusage, whose maximum begins with that of the process which started this one.
peak = next(line for line in open('/proc/self/status') if line.startswith('VmHWM:'))
print('megabytes', int(peak.split()[1]) // 1024)
'''


def png_chunk(kind, data):
    return (len(data).to_bytes(4, 'big') + kind + data
            + zlib.crc32(kind + data).to_bytes(4, 'big'))


def png(*chunks, size=(8, 8)):
    width, height = size
    header = width.to_bytes(4, 'big') + height.to_bytes(4, 'big') + b'\x08\0\0\0\0'
    pixels = zlib.compress(b'\0' * 9 * 8)
    return (b'\x89PNG\r\n\x1a\n' + png_chunk(b'IHDR', header) + b''.join(chunks)
            + png_chunk(b'IDAT', pixels) + png_chunk(b'IEND', b''))


def tiff(tags, tail=b''):
    """A TIFF of one page with (tag, type, count, value) entries."""
    entries = b''.join(np.array([tag, kind], '<u2').tobytes() + np.array([count, value], '<u4').tobytes()
                       for tag, kind, count, value in sorted(tags))
    return (b'II*\0\x08\0\0\0' + len(tags).to_bytes(2, 'little') + entries + bytes(4) + tail)


TIFF_PAGE = [(256, 3, 1, 4), (257, 3, 1, 4), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1),
             (273, 4, 1, 8), (277, 3, 1, 1), (278, 3, 1, 4), (279, 4, 1, 16)]


def bombs():
    """Small files that ask for much, by name."""
    zeros = zlib.compress(bytes(100_000_000), 1)
    yield 'huge.png', png(size=(30_000, 30_000))
    yield 'huger.png', png(size=(2**31 - 1, 2**31 - 1))
    yield 'cut.png', png(size=(19_000, 19_000))
    yield 'ztxt.png', png(png_chunk(b'zTXt', b'a\0\0' + zeros))
    yield 'many_ztxt.png', png(*[png_chunk(b'zTXt', b'a\0\0' + zlib.compress(bytes(1_000_000)))] * 500)
    yield 'itxt.png', png(png_chunk(b'iTXt', b'a\0\1\0\0\0' + zeros))
    yield 'iccp.png', png(png_chunk(b'iCCP', b'a\0\0' + zeros))
    yield 'huge.bmp', (b'BM' + bytes(8) + np.array([54, 40, 30_000, 30_000], '<u4').tobytes()
                       + b'\1\0\x18\0' + bytes(24))
    yield 'huge.ppm', b'P6 30000 30000 255\n'
    yield 'huge.gif', b'GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\2\2\x44\1\0;'
    # A second frame that is larger than the first.
    yield 'grows.gif', (b'GIF89a\1\0\1\0\0\0\0,\0\0\0\0\1\0\1\0\0\2\2\x44\1\0'
                        b',\0\0\0\0\xff\xff\xff\xff\0\2\2\x44\1\0;')
    yield 'huge.tif', tiff([(256, 4, 1, 30_000), (257, 4, 1, 30_000)] + TIFF_PAGE[2:])
    # Tags that all point to the same data, and a tag of 4 GB.
    yield 'tags.tif', tiff(TIFF_PAGE + [(number, 7, 1_000_000, 8) for number in range(1000, 20_000)],
                           bytes(1_000_000))
    yield 'tag.tif', tiff(TIFF_PAGE + [(1000, 4, 2**30, 8)], bytes(1000))
    exif = b'Exif\0\0' + tiff([(number, 7, 1_000_000, 8) for number in range(1000, 20_000)],
                              bytes(1_000_000))
    yield 'exif.png', png(png_chunk(b'eXIf', exif[6:]))
    page = Image.new('1', (1000, 1000))
    for name in ('GIF', 'TIFF'):
        encoded = io.BytesIO()
        page.save(encoded, name, save_all=True, append_images=[
            Image.new('1', (1000, 1000), number % 2) for number in range(1000)],
            **({'compression': 'group4'} if name == 'TIFF' else {}))
        yield f'pages.{name.lower()}', encoded.getvalue()


@pytest.fixture(scope='module')
def bomb_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp('bombs')
    for name, data in bombs():
        (folder / name).write_bytes(data)
    return folder


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='the peak is read from /proc')
def test_bombs_are_rejected_or_read_in_little_memory_and_time(bomb_folder):
    paths = sorted(map(str, bomb_folder.iterdir()))
    done = subprocess.run([sys.executable, '-c', MEASURED, *paths],
                          capture_output=True, text=True, timeout=120, check=True)
    *refusals, seconds, megabytes = done.stdout.splitlines()
    assert float(seconds.split()[1]) < 10 and int(megabytes.split()[1]) < 1000
    for name in ('huge.png', 'huger.png', 'huge.bmp', 'huge.ppm', 'huge.gif', 'huge.tif'):
        assert sum(f'{name} claims' in line and 'megapixels' in line for line in refusals) == 2
    assert sum('ztxt.png cannot be read: its metadata unpack' in line for line in refusals) >= 3
