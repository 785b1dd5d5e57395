"""The objects of an image from the outputs of the heads, in Detectron's order of steps."""

from collections.abc import Sequence

import numpy as np
from chainer import backend
from chainer.backends import cuda

from chainer_seg.arrays import Array
from chainer_seg.boxes import batched_nms
from chainer_seg.instances import Instances
from chainer_seg.models.mask_rcnn import suppression
from chainer_seg.models.mask_rcnn.deltas import clip_boxes, deltas_to_boxes
from chainer_seg.models.mask_rcnn.keypoints import find_keypoints
from chainer_seg.models.mask_rcnn.mask_pasting import paste_masks
from chainer_seg.models.mask_rcnn.preparation import InputSize
from chainer_seg.run_length_masks import RunLengthMasks

# Divisors of the deltas of the box head (BBOX_NORMALIZE_STDS in the code of arXiv 1504.08083).
DELTA_WEIGHTS = (10, 10, 5, 5)


def class_boxes(rois: np.ndarray, deltas: np.ndarray, size: InputSize) -> np.ndarray:
    """The box of each RoI for each class.

    Args:
        rois: (R, 4) float32 with inclusive maxima, in pixels of the network's input.
        deltas: (R, 4 * (C + 1)) float32, the output of the box head.
        size: The :class:`~chainer_seg.models.mask_rcnn.preparation.InputSize` of the image.

    Returns:
        (R, C + 1, 4) float32 with inclusive maxima, in pixels of the image, clipped to it.
    """
    boxes = deltas_to_boxes(size.to_image(rois)[:, None],
                            deltas.reshape(len(rois), deltas.shape[1] // 4, 4), DELTA_WEIGHTS)
    return clip_boxes(boxes, size.original, size.half_open)


def best_boxes(boxes: np.ndarray, probabilities: np.ndarray, score_threshold: float, nms_threshold: float,
               max_detections: int, soft_nms: str | None = None, soft_nms_sigma: float = 0.5,
               vote_threshold: float | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The detected boxes of one image.

    Args:
        boxes: (R, C + 1, 4) float32 with inclusive maxima.
        probabilities: (R, C + 1) float32; class 0 is the background.
        score_threshold: Minimum probability, exclusive.
        nms_threshold: Overlap from which the lower-scoring of two boxes of a class is dropped.
        max_detections: Maximum number of boxes, except for ties with the last one.
        soft_nms: ``'linear'`` or ``'gaussian'`` lowers scores instead of dropping boxes; None for neither.
        soft_nms_sigma: Sigma of ``'gaussian'``.
        vote_threshold: Overlap with a detected box from which all boxes of its class move it to their mean;
            None for no voting.

    Returns:
        boxes (D, 4) float32, labels (D,) int32 from 0 without the background, and scores (D,)
        float32; ordered by label, and within a label as the RoIs.
    """
    xp = backend.get_array_module(boxes)
    objects = probabilities[:, 1:].T
    label, roi = xp.nonzero(objects > score_threshold)
    boxes, scores = boxes[roi, label + 1], objects[label, roi]
    there = [cuda.to_cpu(each) for each in (boxes, scores, label)] if soft_nms or vote_threshold else []
    if soft_nms is None:
        kept = xp.sort(batched_nms(boxes, scores, label, nms_threshold, offset=1))
        found = scores[kept]
    else:
        kept, found = map(xp.asarray, suppression.soft_nms(
            there[0], there[1], there[2], soft_nms, nms_threshold, soft_nms_sigma))
    chosen, labels = boxes[kept], label[kept]
    if vote_threshold is not None:
        chosen = xp.asarray(suppression.vote(
            cuda.to_cpu(chosen), cuda.to_cpu(labels), there[0], there[1], there[2], vote_threshold))
    if len(found) > max_detections:
        # Indices, since each choice by a mask waits for the device.
        best = xp.flatnonzero(found >= xp.sort(found)[-max_detections])
        chosen, labels, found = chosen[best], labels[best], found[best]
    return chosen, labels.astype(np.int32), found


def to_instances(boxes: Array, labels: Array, scores: Array, masks: Array | None, heatmaps: Array | None,
                 size: InputSize, class_names: Sequence[str]) -> Instances:
    """The objects of an image, on the CPU.

    Args:
        boxes: (D, 4) float32 with inclusive maxima, in pixels of the image.
        labels: (D,) int32.
        scores: (D,) float32.
        masks: (D, M, M) float32, the probabilities in each box; None to use the box as the mask.
        heatmaps: (D, K, S, S) float32, logits of the keypoints in each box, or None.
        size: The :class:`~chainer_seg.models.mask_rcnn.preparation.InputSize` of the image.
        class_names: The name of each label.
    """
    keypoints = None if heatmaps is None else cuda.to_cpu(_keypoints(heatmaps, boxes, size))
    boxes = cuda.to_cpu(boxes)
    bboxes = boxes + np.array([0, 0, 1, 1], np.float32)
    if masks is None:
        # A box fills the pixels whose centres are in it.
        runs = RunLengthMasks.from_boxes(np.ceil(bboxes - 0.5).astype(int), size.original)
    else:
        runs = paste_masks(cuda.to_cpu(masks), boxes, size.original, size.half_open)
    return Instances(runs, bboxes, cuda.to_cpu(labels), cuda.to_cpu(scores), keypoints, class_names)


def _keypoints(heatmaps: Array, boxes: Array, size: InputSize) -> Array:
    """The keypoints (D, K, 3) in pixels of the image, from the centre of its first pixel as in COCO files."""
    if not size.half_open:
        return find_keypoints(heatmaps, boxes)
    xp = backend.get_array_module(boxes)
    # Detectron2 finds them at the resolution of the input, whose first pixel begins at 0.
    found = find_keypoints(heatmaps, size.to_input(boxes) + xp.asarray([0, 0, 1, 1], np.float32))
    found[:, :, :2] = found[:, :, :2] / xp.asarray(size.scales, np.float32) - np.float32(0.5)
    return found
