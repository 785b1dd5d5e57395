"""Folders like VOC's, drawn for the tests."""

import numpy as np
from PIL import Image

from chainer_seg.label_images import VOC_COLORS


def write_labels(path, labels):
    """A label image with VOC's palette."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.asarray(labels, np.uint8))
    image.putpalette(VOC_COLORS.ravel().tolist())
    image.save(path)


def save_image(folder, name, size):
    (folder / 'JPEGImages').mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(len(name)).integers(0, 256, (*size, 3), np.uint8)
    Image.fromarray(pixels).save(folder / 'JPEGImages' / f'{name}.jpg')


def write_voc_example(folder, name, owners, categories):
    """An image and both of its label images: void stays void, and objects have their categories."""
    owners = np.asarray(owners)
    save_image(folder, name, owners.shape)
    write_labels(folder / 'SegmentationObject' / f'{name}.png', owners)
    classes = np.zeros(256, int)
    classes[1:1 + len(categories)], classes[255] = categories, 255
    write_labels(folder / 'SegmentationClass' / f'{name}.png', classes[owners])


def write_list(folder, name, lines):
    """A list of images where VOC has its own."""
    path = folder / 'ImageSets' / 'Segmentation' / f'{name}.txt'
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(''.join(f'{line}\n' for line in lines))
    return path


def person_before_dog(size=(20, 30)):
    """Numbers of objects: a person (1) before a dog (2), with a rim of void."""
    owners = np.zeros(size, int)
    owners[1:13, 2:21] = 255
    owners[2:12, 3:20] = 2
    owners[4:19, 7:13] = 255
    owners[5:18, 8:12] = 1
    return owners


def write_voc(folder):
    """Two images, 2007_000001 with a person and a dog and 2007_000002 with a bird, and their list."""
    write_voc_example(folder, '2007_000001', person_before_dog(), [15, 12])
    bird = np.zeros((24, 16), int)
    bird[4:9, 5:9] = 1
    write_voc_example(folder, '2007_000002', bird, [3])
    return write_list(folder, 'train', ['2007_000001', '2007_000002'])
