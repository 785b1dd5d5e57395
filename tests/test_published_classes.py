"""COCO's names against those in its own annotation files."""

import json

from chainer_seg.published_classes import COCO_NAMES, PASCAL_NAMES, PASCAL_NAMES_IN_COCO


def test_names_are_those_of_the_annotations_in_the_order_of_their_ids(shared_data):
    path = shared_data / 'coco_sample' / 'annotations' / 'instances_val.json'
    categories = sorted(json.loads(path.read_text())['categories'], key=lambda entry: entry['id'])
    assert [entry['name'] for entry in categories] == list(COCO_NAMES)


def test_names_of_pascals_classes_are_cocos():
    assert set(PASCAL_NAMES_IN_COCO) <= set(COCO_NAMES)
    assert len(PASCAL_NAMES_IN_COCO) == len(PASCAL_NAMES) == 20
    others = {ours: theirs for ours, theirs in zip(PASCAL_NAMES_IN_COCO, PASCAL_NAMES) if ours != theirs}
    assert others == {'airplane': 'aeroplane', 'dining table': 'diningtable', 'tv': 'tvmonitor',
                      'motorcycle': 'motorbike', 'potted plant': 'pottedplant', 'couch': 'sofa'}
