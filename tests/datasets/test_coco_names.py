"""COCO's names against those in its own annotation files."""

import json

from chainer_seg.datasets.coco_names import COCO_NAMES


def test_names_are_those_of_the_annotations_in_the_order_of_their_ids(shared_data):
    path = shared_data / 'coco_sample' / 'annotations' / 'instances_val.json'
    categories = json.loads(path.read_text())['categories']
    assert COCO_NAMES == tuple(category['name'] for category in sorted(categories, key=lambda c: c['id']))
