"""Damaged image files give an image or an ImageError, and never end the process.

``CHAINER_SEG_FUZZ`` in the environment sets how many files of each format are tried.
"""

import os
import subprocess
import sys

import pytest

COUNT = int(os.environ.get('CHAINER_SEG_FUZZ', 60))

PROGRAM = '''
import io, resource, signal, sys

import numpy as np
from PIL import Image

import chainer_seg
from chainer_seg.errors import ImageError
from chainer_seg.images import decode_image, header_sizes, open_image

resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30))


def seeds(name, rng):
    """Files of a format in its variants."""
    pixels = rng.integers(0, 256, (24, 33, 3), np.uint8)
    colour, grey = Image.fromarray(pixels), Image.fromarray(pixels[:, :, 0])
    exif = Image.Exif()
    exif[0x0112], exif[0x010e] = 6, 'a description'
    variants = {
        'JPEG': [(colour, {'exif': exif}), (grey, {'progressive': True}),
                 (colour.convert('CMYK'), {})],
        'MPO': [(colour, {'save_all': True, 'append_images': [grey.convert('RGB')]})],
        'PNG': [(colour, {'exif': exif}), (colour.quantize(16), {'transparency': 3}),
                (Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257), {}),
                (colour, {'save_all': True, 'append_images': [colour.rotate(180)]})],
        'TIFF': [(colour, {'compression': kind, 'exif': exif}) for kind in (
                     'raw', 'tiff_lzw', 'tiff_adobe_deflate', 'jpeg', 'packbits')]
                + [(grey.convert('1'), {'compression': 'group4'}), (grey.convert('F'), {}),
                   (grey, {'save_all': True, 'append_images': [grey]})],
        'GIF': [(colour.quantize(16), {'save_all': True, 'append_images': [grey]})],
        'WEBP': [(colour, {'exif': exif}), (colour, {'lossless': True}),
                 (colour, {'save_all': True, 'append_images': [colour.rotate(180)]})],
        'BMP': [(colour, {}), (grey, {}), (grey.convert('1'), {})],
        'PPM': [(colour, {}), (grey, {})],
        'JPEG2000': [(colour, {}), (grey, {'irreversible': True}), (colour, {'no_jp2': True})]}
    for image, options in variants[name]:
        encoded = io.BytesIO()
        image.save(encoded, name, **options)
        yield bytearray(encoded.getvalue())


def mutated(data, other, rng):
    """One to six changes: bits, bytes, numbers, cuts, insertions, repetitions, exchanged parts."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 7)):
        # Half of all changes hit the header.
        place = int(rng.integers(min(len(data), 200) if rng.random() < 0.5 else len(data)))
        kind = rng.integers(7)
        if kind == 0:
            data[place] ^= 1 << rng.integers(8)
        elif kind == 1:
            data[place] = rng.choice([0, 1, 127, 128, 255, rng.integers(256)])
        elif kind == 2:
            size = int(rng.choice([2, 4, 8]))
            number = int(rng.choice([0, 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1]))
            data[place:place + size] = (number % 2**(8 * size)).to_bytes(
                size, rng.choice(['big', 'little']))
        elif kind == 3 and rng.random() < 0.5:
            del data[max(place, 12):]
        elif kind == 4:
            del data[place:place + int(rng.integers(1, 30))]
        elif kind == 5:
            data[place:place] = data[place:place + int(rng.integers(1, 30))]
        elif kind == 6:
            start = int(rng.integers(len(other)))
            data[place:place + 20] = other[start:start + 20]
        if len(data) < 13:
            break
    return bytes(data)


def pages(data):
    with open_image(io.BytesIO(data), 'of the fuzzer') as opened:
        for number in range(3):
            try:
                opened.seek(number)
            except EOFError:
                break
            opened.copy()


name, count, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
rng = np.random.default_rng(seed)
files = list(seeds(name, rng))
for each in files:
    assert decode_image(each).shape[2] == 3
outcomes = {'image': 0, 'refused': 0}
for number in range(count):
    data = mutated(files[number % len(files)], files[rng.integers(len(files))], rng)
    for read in (decode_image, lambda data: header_sizes(io.BytesIO(data)), pages):
        print(number, file=sys.stderr)
        signal.setitimer(signal.ITIMER_PROF, 10)  # of computing, not of waiting for other processes
        signal.alarm(120)
        try:
            read(data)
            outcomes['image'] += 1
        except ImageError:
            outcomes['refused'] += 1
        except BaseException:
            print(data.hex(), file=sys.stderr)
            raise
signal.setitimer(signal.ITIMER_PROF, 0)
print(outcomes)
'''


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='the limits are those of Linux')
@pytest.mark.parametrize('name', [
    'JPEG', 'MPO', 'PNG', 'TIFF', 'GIF', 'WEBP', 'BMP', 'PPM', 'JPEG2000'])
def test_damaged_files_are_read_or_refused(name):
    done = subprocess.run([sys.executable, '-c', PROGRAM, name, str(COUNT), '0'],
                          capture_output=True, text=True, timeout=60 + COUNT)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "'refused': 0" not in done.stdout and "'image': 0" not in done.stdout
