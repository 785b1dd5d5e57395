"""The regions of interest of Mask R-CNN as candidates for clicks: each with its likeliest class."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from chainer.backends import cuda

from chainer_seg.boxes import nms
from chainer_seg.models.candidate_masks import CandidateMasks
from chainer_seg.models.inference import inference
from chainer_seg.models.mask_rcnn.mask_pasting import paste_masks

if TYPE_CHECKING:
    from chainer_seg.models.mask_rcnn.model import MaskRCNN

MAX_CANDIDATES = 300
# Overlap of boxes from which the worse of two candidates is dropped: near copies of a mask add nothing.
SAME_BOX = 0.9


def click_candidates(model: 'MaskRCNN', image: npt.NDArray[np.uint8]) -> CandidateMasks:
    """The candidates of an image (H, W, 3) uint8: raw proposals, those that are detected among them.

    The box and the mask of a region are those of its likeliest class, however unlikely; the score is the
    probability that it is an object of any class. Without a mask head, a mask is its box.
    """
    with inference():
        x, [size] = model.prepare([image])
        features, objectness, deltas = outputs = model.forward(x)
        model.check_finite(outputs)
        rois, _ = model.propose(objectness, deltas, [size.inner])
        boxes, probabilities = model.classify(features, rois, 0, size)
        labels = probabilities[:, 1:].argmax(axis=1)
        boxes, scores = boxes[model.xp.arange(len(boxes)), labels + 1], 1 - probabilities[:, 0]
        kept = nms(boxes, scores, SAME_BOX, offset=1, limit=MAX_CANDIDATES)
        boxes, labels, scores = boxes[kept], labels[kept], scores[kept]
        if model.with_masks:
            masks = model.mask_probabilities(features, size.to_input(boxes), 0, labels)
        else:
            masks = model.xp.ones((len(boxes), 1, 1), np.float32)
    pasted = paste_masks(cuda.to_cpu(masks), cuda.to_cpu(boxes), size.original, size.half_open)
    return CandidateMasks.of(pasted, cuda.to_cpu(scores))
