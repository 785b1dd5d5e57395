"""Small COCO data sets written by the tests."""

import json
import pathlib

import numpy as np
from PIL import Image

SAMPLE = pathlib.Path(__file__).parents[2].parent / 'shared' / 'data' / 'coco_sample'
NO_SAMPLE = f'there is no COCO sample at {SAMPLE}'

SQUARE = [[2, 3, 8, 3, 8, 9, 2, 9]]  # x 2..8, y 3..9


def annotation(**fields):
    """A good annotation of the 6 x 6 square; a field of None is left out."""
    entry = {'id': 1, 'image_id': 7, 'category_id': 3, 'segmentation': SQUARE,
             'bbox': [2, 3, 6, 6], 'area': 36, 'iscrowd': 0, **fields}
    return {name: value for name, value in entry.items() if value is not None}


def content(*annotations, images=None, categories=None):
    """The dict of a data set with one image of 20 x 30 pixels and two categories."""
    return {
        'images': images or [{'id': 7, 'file_name': 'a.png', 'height': 20, 'width': 30}],
        'annotations': list(annotations),
        'categories': categories or [{'id': 90, 'name': 'cat'}, {'id': 3, 'name': 'dog'}]}


def write(folder, value, size=(20, 30)):
    """Write the JSON and a.png; give the paths of both the file and the image folder."""
    images = folder / 'images'
    images.mkdir(exist_ok=True)
    Image.fromarray(np.zeros((*size, 3), np.uint8)).save(images / 'a.png')
    path = folder / 'annotations.json'
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return path, images
