"""Readers of images, masks, label images and videos."""

import numpy as np
from PIL import Image

from chainer_seg.datasets.mask_folder import read_mask
from chainer_seg.images import read_image, read_image_file, read_pages
from chainer_seg.label_images import read_label_image, write_label_image
from chainer_seg.video.reader import VideoReader
from chainer_seg.video.writer import VideoWriter


def _images(folder):
    pixels = np.arange(12 * 9 * 3, dtype=np.uint8).reshape(12, 9, 3)
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(folder / 'a.jpg', exif=exif)
    image.save(folder / 'b.jpg', progressive=True)
    for ending in ('png', 'bmp', 'gif', 'tif', 'webp', 'ppm'):
        image.save(folder / f'a.{ending}')
    image.convert('RGBA').save(folder / 'b.png')
    image.convert('P').save(folder / 'c.png')
    Image.fromarray(np.arange(60, dtype=np.uint16).reshape(6, 10)).save(folder / 'd.png')
    image.convert('L').save(folder / 'b.tif', compression='tiff_adobe_deflate')


def _read_images(folder, path):
    read_image(folder / path)
    read_image_file(folder / path)
    read_pages(folder / path, 3)


def _labels(folder):
    labels = np.zeros((12, 10), np.uint8)
    labels[2:8, 3:9], labels[2] = 15, 255
    write_label_image(folder / 'a.png', labels)
    Image.fromarray(labels).save(folder / 'b.png')
    Image.fromarray(labels > 0).save(folder / 'c.png')


def _read_labels(folder, path):
    read_mask(folder / path)
    read_label_image(folder / path)


def _video(folder):
    with VideoWriter(folder / 'a.mp4', 5) as video:
        for value in range(4):
            video.write(np.full((16, 16, 3), 60 * value, np.uint8))


def _read_video(folder, path):
    with VideoReader(folder / 'a.mp4') as video:
        for number, _ in enumerate(video):
            if number > 20:
                break


READERS = (
    ('images', _images, _read_images, {'*.png': 'png', '*.[!p]*': 'bytes', '*.ppm': 'bytes'}),
    ('label images and masks', _labels, _read_labels, {'*.png': 'png'}),
    ('videos', _video, _read_video, {'*.mp4': 'bytes'}),
)
