"""Test-time augmentation of Mask R-CNN, as in Detectron: several sizes of the image, and its mirror image.

The boxes of all views are united before suppression, and the masks of the final boxes are averaged over the
views.
"""

import functools
import operator
import typing
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_seg.arrays import Array
from chainer_seg.instances import Instances
from chainer_seg.models.inference import inference
from chainer_seg.models.mask_rcnn.decode import best_boxes, to_instances

if typing.TYPE_CHECKING:
    from chainer_seg.models.mask_rcnn.model import MaskRCNN
    from chainer_seg.models.mask_rcnn.preparation import InputSize

MAX_SIDE = 4000  # of the longer side at the additional scales, in pixels; Detectron's default


class View(typing.NamedTuple):
    """One way to show an image to the network.

    Attributes:
        min_side: Shorter side, in pixels.
        max_side: Maximum longer side.
        mirrored: Whether the image is mirrored left to right.
    """

    min_side: int
    max_side: int
    mirrored: bool


def views_of(model: 'MaskRCNN', scales: Sequence[int], flip: bool) -> Iterator[View]:
    """The views: the usual size first, then the ``scales``; each also mirrored with ``flip``."""
    for min_side, max_side in ((model.min_side, model.max_side), *((scale, MAX_SIDE) for scale in scales)):
        for mirrored in (False, True)[:1 + flip]:
            yield View(min_side, max_side, mirrored)


def detect_in_views(model: 'MaskRCNN', image: npt.NDArray[np.uint8], scales: Sequence[int], flip: bool,
                    **options: Any) -> Instances:
    """The objects of an image in several views.

    Args:
        model: The detector.
        image: (H, W, 3) uint8 RGB.
        scales: Shorter sides of the image, in pixels, besides the usual one.
        flip: Whether each view is also mirrored.
        options: Of :func:`chainer_seg.models.mask_rcnn.decode.best_boxes`.
    """
    views = list(views_of(model, scales, flip))
    with inference():
        boxes, probabilities = zip(*(_boxes_in(model, image, view) for view in views))
        chosen, labels, scores = best_boxes(model.xp.concatenate(boxes), model.xp.concatenate(probabilities),
                                            **options)
        # The maps are computed again, because those of all views would not fit into the memory.
        masks, heatmaps = None, None
        if model.with_masks:
            masks = functools.reduce(operator.add, (
                _masks_in(model, image, view, chosen, labels) for view in views)) / np.float32(len(views))
        x, [size] = _prepare(model, image, views[0])
        if model.keypoints:
            heatmaps = model.heatmaps(model.extract(x), size.to_input(chosen), 0)
    return to_instances(chosen, labels, scores, masks, heatmaps, size, model.class_names)


def mirrored_boxes(boxes: Array, width: int) -> Array:
    """Boxes (..., 4) with inclusive maxima, mirrored left to right in an image of that width."""
    mirrored = boxes.copy()
    mirrored[..., 1], mirrored[..., 3] = width - 1 - boxes[..., 3], width - 1 - boxes[..., 1]
    return mirrored


def _prepare(model: 'MaskRCNN', image: npt.NDArray[np.uint8], view: View) -> 'tuple[Array, list[InputSize]]':
    shown = image[:, ::-1] if view.mirrored else image
    return model.prepare([shown], view.min_side, view.max_side)


def _boxes_in(model: 'MaskRCNN', image: npt.NDArray[np.uint8], view: View) -> tuple[Array, Array]:
    """The boxes (R, C + 1, 4) in pixels of the image and the probabilities (R, C + 1) in a view."""
    x, [size] = _prepare(model, image, view)
    features, objectness, deltas = outputs = model.forward(x)
    model.check_finite(outputs)
    rois, _ = model.propose(objectness, deltas, [size.inner])
    boxes, probabilities = model.classify(features, rois, 0, size)
    return mirrored_boxes(boxes, image.shape[1]) if view.mirrored else boxes, probabilities


def _masks_in(model: 'MaskRCNN', image: npt.NDArray[np.uint8], view: View, boxes: Array, labels: Array
              ) -> Array:
    """The masks (D, M, M) of boxes (D, 4) of the image in a view."""
    x, [size] = _prepare(model, image, view)
    inside = mirrored_boxes(boxes, image.shape[1]) if view.mirrored else boxes
    masks = model.mask_probabilities(model.extract(x), size.to_input(inside), 0, labels)
    return masks[:, :, ::-1] if view.mirrored else masks
