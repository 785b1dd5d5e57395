"""An error of a detector in its image: the truth on the left, the detections on the right."""

import numpy as np
import numpy.typing as npt

from chainer_seg.images import resize
from chainer_seg.instances import Instances
from chainer_seg.visualization.detections import overlay_detections

_ERROR, _OBJECT, _OTHER = (230, 25, 75), (60, 180, 75), (200, 200, 200)
_GAP = 6  # white pixels between the two sides
_MARGIN = 0.6  # around what an error is about, as a share of its larger side


def overlay_truth_and_detections(image: npt.NDArray[np.uint8], truth: Instances, found: Instances,
                                 object_number: int | None = None, detection: int | None = None, *,
                                 longest_side: int = 480) -> npt.NDArray[np.uint8]:
    """Draws an image twice, with its objects and with its detections; what an error is about stands out.

    Args:
        image: (H, W, 3) uint8 RGB.
        truth, found: The objects and the detections of the image; for detections without masks, all masks
            are empty.
        object_number: The object that the error is about, drawn green; None for none.
        detection: The detection that the error is about, drawn red; None for none.
        longest_side: Longer side of each of the two images in pixels; small ones are enlarged.

    Returns:
        (h, 2 w + gap, 3) uint8 RGB.
    """
    scale = longest_side / max(image.shape[:2])
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    size = height, width
    sides = [_side(image, each, number, color, size)
             for each, number, color in ((truth, object_number, _OBJECT), (found, detection, _ERROR))]
    gap = np.full((size[0], _GAP, 3), 255, np.uint8)
    return np.concatenate([sides[0], gap, sides[1]], axis=1)


def crop_around(image: npt.NDArray[np.uint8], truth: Instances, found: Instances,
                object_number: int | None = None, detection: int | None = None
                ) -> tuple[npt.NDArray[np.uint8], Instances, Instances]:
    """The part of an image that an error is about, with its objects and detections.

    Args:
        image, truth, found, object_number, detection: As of :func:`overlay_truth_and_detections`; at least
            one of the two numbers is given.
    """
    boxes = [each.bboxes[number] for each, number in ((truth, object_number), (found, detection))
             if number is not None]
    low, high = np.min([box[:2] for box in boxes], axis=0), np.max([box[2:] for box in boxes], axis=0)
    margin = _MARGIN * max(*(high - low), 16)
    height, width = image.shape[:2]
    top, left = np.maximum(np.floor(low - margin), 0).astype(int)
    bottom, right = np.ceil(np.minimum(high + margin, (height, width))).astype(int)
    rows, columns = np.arange(top, max(bottom, top + 1)), np.arange(left, max(right, left + 1))
    cropped = [Instances(each.runs.sampled(rows, columns), each.bboxes - np.array([top, left, top, left]),
                         each.labels, each.scores, class_names=each.class_names) for each in (truth, found)]
    return image[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1], cropped[0], cropped[1]


def _side(image: npt.NDArray[np.uint8], instances: Instances, chosen: int | None,
          color: tuple[int, int, int], size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """One of the two images, at the size at which it is displayed so that lines and text keep theirs."""
    scale = np.tile(np.divide(size, image.shape[:2]), 2)
    masks = [resize(each.masks[0].astype(np.float32), size) >= 0.5 for each in instances]
    small = Instances(np.reshape(masks, (len(instances), *size)), instances.bboxes * scale, instances.labels,
                      instances.scores, class_names=instances.class_names)
    others = [number for number in range(len(small)) if number != chosen]
    without_masks = not instances.runs.areas().any()
    shown = overlay_detections(resize(image, size), small[others], colors=np.tile(_OTHER, (len(others), 1)),
                               alpha=0, contour=True, boxes=without_masks, labels=False)
    if chosen is None:
        return shown
    return overlay_detections(shown, small[chosen], colors=np.array([color]), contour=True, alpha=0.4)
