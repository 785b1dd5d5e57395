"""What a detector found, drawn into the pixels of a picture or of a video's frame."""

import cv2
import numpy as np

from chainer_seg.colors import instance_colors
from chainer_seg.visualization.overlay import overlay_masks
from chainer_seg.visualization.skeletons import skeleton_lines
from chainer_seg.visualization.text import paste, text_height, text_patch

_WHITE = (255, 255, 255)
_CAPTION = (38, 38, 42)
_SUBPIXEL_BITS = 4  # OpenCV draws to fractions of a pixel when told coordinates in fixed point


def overlay_detections(image, instances, *, colors=None, alpha=0.45, contour=False, boxes=True,
                       labels=True, keypoints=True, skeleton=None, caption=None):
    """Draws objects: masks, boxes, names with scores, keypoints and the lines between them.

    Args:
        image: (H, W, 3) uint8 RGB.
        instances: :class:`chainer_seg.instances.Instances` of that image.
        colors: (R, 3) uint8 RGB; a colour for each object if left out.
        alpha: Opacity of the masks; 0 for none.
        contour: Draw the outlines of the masks.
        boxes: Draw the boxes.
        labels: Write the class names, and the scores where any is not 1.
        keypoints: Draw the keypoints, where there are any whose last number is above 0.
        skeleton: Pairs of keypoints that a line joins; COCO's person where there are 17.
        caption: A line of text for the upper left corner.

    Returns:
        (H, W, 3) uint8 RGB, a new array.

    Raises:
        ValueError: The sizes do not fit each other.
    """
    colors = instance_colors(len(instances)) if colors is None else np.asarray(colors, np.uint8)
    stroke = max(1, round(max(image.shape[:2]) / 500))
    picture = overlay_masks(image, instances.masks, colors, alpha, stroke if contour else 0)
    if boxes:
        _draw_boxes(picture, instances.bboxes, colors, stroke)
    if keypoints and instances.keypoints is not None:
        paint_keypoints(picture, instances.keypoints, colors, stroke, skeleton)
    taken = []
    if caption:
        patch = text_patch(caption, text_height(picture), _CAPTION)
        taken.append((0, 0, *patch.shape[:2]))
        paste(picture, patch, 0, 0)
    if labels:
        _write_labels(picture, instances, colors, taken)
    return picture


def _draw_boxes(picture, bboxes, colors, stroke):
    height, width = picture.shape[:2]
    corners = np.clip(np.round(bboxes), 0, (height, width, height, width)).astype(int)
    for (top, left, bottom, right), color in zip(corners.tolist(), colors.tolist()):
        cv2.rectangle(picture, (left, top), (max(right - 1, left), max(bottom - 1, top)), color, stroke)


def paint_keypoints(picture, keypoints, colors, stroke=1, skeleton=None):
    """Draws keypoints and the lines between them into a picture (H, W, 3) uint8, in place.

    Args:
        keypoints: (R, K, 3) float32 (y, x, visibility or score) of objects.
        colors: (R, 3) uint8 RGB.
        stroke: Width of the lines in pixels, without their white rim.
        skeleton: As that of :func:`overlay_detections`.
    """
    lines, owner = skeleton_lines(keypoints, skeleton)
    for (start, end), color in zip(_fixed(lines), colors[owner].tolist()):
        cv2.line(picture, start, end, _WHITE, stroke + 2, cv2.LINE_AA, _SUBPIXEL_BITS)
        cv2.line(picture, start, end, color, stroke, cv2.LINE_AA, _SUBPIXEL_BITS)
    owner, number = np.nonzero(keypoints[:, :, 2] > 0)
    radius = (stroke + 1) << _SUBPIXEL_BITS
    for point, color in zip(_fixed(keypoints[owner, number, :2]), colors[owner].tolist()):
        cv2.circle(picture, point, radius, color, -1, cv2.LINE_AA, _SUBPIXEL_BITS)


def _fixed(points):
    """Points (..., 2) as y, x in OpenCV's fixed point as x, y; a list."""
    scaled = np.round(np.asarray(points, np.float64)[..., ::-1] * (1 << _SUBPIXEL_BITS))
    return np.clip(scaled, -2 ** 30, 2 ** 30).astype(int).tolist()


def _write_labels(picture, instances, colors, taken):
    """Writes each name above its object, or lower where places (top, left, h, w) are taken."""
    with_scores = bool((instances.scores != 1).any())
    size = text_height(picture)
    # The surest first: they get the best places.
    for number in np.argsort(-instances.scores, kind='stable').tolist():
        text = instances.name(number)
        if with_scores:
            text = f'{text} {instances.scores[number]:.2f}'
        patch = text_patch(text, size, tuple(colors[number].tolist()))
        top, left = instances.bboxes[number, :2].astype(int).tolist()
        place = _free_place(taken, top, left, patch.shape[:2], picture.shape[:2])
        taken.append((*place, *patch.shape[:2]))
        paste(picture, patch, *place)


def _free_place(taken, top, left, patch_size, picture_size):
    """Where (top, left) a label goes: above its box, or the first place below that is free."""
    height, width = patch_size
    left = max(0, min(left, picture_size[1] - width))
    first = top - height if top >= height else top
    last = max(0, picture_size[0] - height)
    for step in range(4):
        place = min(max(0, first + step * height), last)
        if all(place + height <= other or other + high <= place
               or left + width <= aside or aside + wide <= left
               for other, aside, high, wide in taken):
            return place, left
    return min(max(0, first), last), left
