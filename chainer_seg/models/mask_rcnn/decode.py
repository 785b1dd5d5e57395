"""From what the heads say to the objects of an image, in Detectron's order of steps."""

import numpy as np
from chainer import backend
from chainer.backends import cuda

from chainer_seg.boxes import batched_nms
from chainer_seg.instances import Instances
from chainer_seg.models.mask_rcnn.deltas import clip_boxes, deltas_to_boxes
from chainer_seg.models.mask_rcnn.keypoints import find_keypoints
from chainer_seg.models.mask_rcnn.mask_pasting import paste_masks

# What the deltas of the box head are divided by (arXiv 1504.08083's code, BBOX_NORMALIZE_STDS).
DELTA_WEIGHTS = (10, 10, 5, 5)


def class_boxes(rois: np.ndarray, deltas: np.ndarray, scale: float, size: tuple[int, int]) -> np.ndarray:
    """The box that each RoI becomes if it is of a class, for every class.

    Args:
        rois: (R, 4) float32 with inclusive maxima, in pixels of the network's input.
        deltas: (R, 4 * (C + 1)) float32, as the box head gives them.
        scale: Pixels of the input for a pixel of the image.
        size: (H, W) of the image.

    Returns:
        (R, C + 1, 4) float32 with inclusive maxima, in pixels of the image, clipped to it.
    """
    boxes = deltas_to_boxes((rois / np.float32(scale))[:, None],
                            deltas.reshape(len(rois), deltas.shape[1] // 4, 4), DELTA_WEIGHTS)
    return clip_boxes(boxes, size)


def best_boxes(boxes: np.ndarray, probabilities: np.ndarray, score_threshold: float, nms_threshold: float,
               max_detections: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The boxes that are found in one image.

    Args:
        boxes: (R, C + 1, 4) float32 with inclusive maxima.
        probabilities: (R, C + 1) float32; class 0 is the background.
        score_threshold: Boxes must have a higher probability.
        nms_threshold: Overlap from which the worse of two boxes of a class is dropped.
        max_detections: No more remain, but for some that are as good as the last.

    Returns:
        boxes (D, 4) float32, labels (D,) int32 from 0 without the background, and scores (D,)
        float32; ordered by label, and within one as the RoIs are.
    """
    xp = backend.get_array_module(boxes)
    objects = probabilities[:, 1:].T
    label, roi = xp.nonzero(objects > score_threshold)
    boxes, scores = boxes[roi, label + 1], objects[label, roi]
    kept = xp.sort(batched_nms(boxes, scores, label, nms_threshold, offset=1))
    if len(kept) > max_detections:
        kept = kept[scores[kept] >= xp.sort(scores[kept])[-max_detections]]
    return boxes[kept], label[kept].astype(np.int32), scores[kept]


def to_instances(boxes, labels, scores, masks, heatmaps, size, class_names):
    """The objects of an image, on the CPU.

    Args:
        boxes: (D, 4) float32 with inclusive maxima, in pixels of the image.
        labels: (D,) int32.
        scores: (D,) float32.
        masks: (D, M, M) float32, the probabilities in each box; None where an object's box is all
            that is known of its mask.
        heatmaps: (D, K, S, S) float32, logits of the keypoints in each box, or None.
        size: (H, W) of the image.
        class_names: The name of each label.
    """
    keypoints = None if heatmaps is None else cuda.to_cpu(find_keypoints(heatmaps, boxes))
    boxes = cuda.to_cpu(boxes)
    half_open = boxes + np.array([0, 0, 1, 1], np.float32)
    if masks is None:
        masks = _filled(half_open, size)
    else:
        masks = paste_masks(cuda.to_cpu(masks), boxes, size).to_masks()
    return Instances(masks, half_open, cuda.to_cpu(labels), cuda.to_cpu(scores), keypoints, class_names)


def _filled(boxes, size):
    """Masks (D, H, W) bool of the pixels whose middles lie in boxes (D, 4) with exclusive maxima."""
    inside = [(np.arange(side) + 0.5 >= boxes[:, axis, None])
              & (np.arange(side) + 0.5 < boxes[:, axis + 2, None]) for axis, side in enumerate(size)]
    return inside[0][:, :, None] & inside[1][:, None]
