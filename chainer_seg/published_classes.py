"""The class lists of two published data sets: COCO (arXiv 1405.0312) and Pascal VOC."""

from collections.abc import Sequence

from chainer_seg.class_names import find_names

# COCO's 80 object categories, in the order of their category ids.
COCO_NAMES = (
    'person', 'bicycle', 'car', 'motorcycle', 'airplane', 'bus', 'train', 'truck', 'boat',
    'traffic light', 'fire hydrant', 'stop sign', 'parking meter', 'bench', 'bird', 'cat', 'dog',
    'horse', 'sheep', 'cow', 'elephant', 'bear', 'zebra', 'giraffe', 'backpack', 'umbrella',
    'handbag', 'tie', 'suitcase', 'frisbee', 'skis', 'snowboard', 'sports ball', 'kite',
    'baseball bat', 'baseball glove', 'skateboard', 'surfboard', 'tennis racket', 'bottle',
    'wine glass', 'cup', 'fork', 'knife', 'spoon', 'bowl', 'banana', 'apple', 'sandwich', 'orange',
    'broccoli', 'carrot', 'hot dog', 'pizza', 'donut', 'cake', 'chair', 'couch', 'potted plant',
    'bed', 'dining table', 'toilet', 'tv', 'laptop', 'mouse', 'remote', 'keyboard', 'cell phone',
    'microwave', 'oven', 'toaster', 'sink', 'refrigerator', 'book', 'clock', 'vase', 'scissors',
    'teddy bear', 'hair drier', 'toothbrush')

# The category id of each class in COCO_NAMES; the data set uses only these of 1 to 90.
COCO_CATEGORY_IDS = tuple(number for number in range(1, 91)
                          if number not in (12, 26, 29, 30, 45, 66, 68, 69, 71, 83))

# Pascal VOC's 20 classes in the order of their label values, which start at 1; 0 is the background.
PASCAL_NAMES = (
    'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow',
    'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa', 'train',
    'tvmonitor')

# COCO's names for the classes in PASCAL_NAMES, in the same order.
PASCAL_NAMES_IN_COCO = (
    'airplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow',
    'dining table', 'dog', 'horse', 'motorcycle', 'person', 'potted plant', 'sheep', 'couch', 'train',
    'tv')


def coco_category_ids(class_names: Sequence[str]) -> list[int] | None:
    """COCO's category id of each class, or None unless every name is one of COCO's."""
    labels = find_names(class_names, COCO_NAMES)
    return [COCO_CATEGORY_IDS[label] for label in labels] if labels and min(labels) >= 0 else None
