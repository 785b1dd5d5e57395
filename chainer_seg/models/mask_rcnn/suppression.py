"""Non-maximum suppression with inclusive boxes, until chainer_seg.boxes has it."""

import numpy as np

from chainer.backends import cuda


def nms(boxes, scores, threshold, offset=1):
    """The indices, rising, of the boxes (R, 4) that no better one overlaps by ``threshold`` or more."""
    xp = cuda.get_array_module(boxes)
    boxes, scores = cuda.to_cpu(boxes), cuda.to_cpu(scores)
    area = np.prod(boxes[:, 2:] - boxes[:, :2] + offset, axis=1)
    left = np.argsort(-scores, kind='stable')
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(best)
        sides = (np.minimum(boxes[best, 2:], boxes[left, 2:])
                 - np.maximum(boxes[best, :2], boxes[left, :2]) + offset)
        shared = np.prod(np.maximum(sides, 0), axis=1)
        left = left[shared / (area[best] + area[left] - shared) < threshold]
    return xp.asarray(np.sort(np.array(kept, int)))


def batched_nms(boxes, scores, labels, threshold, offset=1):
    """As :func:`nms`, within each label alone."""
    xp = cuda.get_array_module(boxes)
    members = [np.flatnonzero(cuda.to_cpu(labels) == label) for label in np.unique(cuda.to_cpu(labels))]
    kept = [part[cuda.to_cpu(nms(boxes[part], scores[part], threshold, offset))] for part in members]
    return xp.asarray(np.concatenate([np.zeros(0, int), *kept]))
