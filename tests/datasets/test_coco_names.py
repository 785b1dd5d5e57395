"""COCO's names against those in its own annotation files."""

import json

from chainer_seg.datasets.coco_names import COCO_NAMES


def test_names_are_those_of_the_annotations_in_the_order_of_their_ids(shared_data):
    path = shared_data / 'coco_sample' / 'annotations' / 'instances_val.json'
    categories = sorted(json.loads(path.read_text())['categories'], key=lambda entry: entry['id'])
    assert [entry['name'] for entry in categories] == list(COCO_NAMES)
