"""Draws detections into the pixels of an image or of a video frame."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from chainer_seg.colors import instance_colors
from chainer_seg.instances import Instances
from chainer_seg.visualization.overlay import overlay_masks
from chainer_seg.visualization.skeletons import skeleton_lines
from chainer_seg.visualization.text import paste, text_height, text_patch

_WHITE = (255, 255, 255)
_CAPTION = (38, 38, 42)
_SUBPIXEL_BITS = 4  # OpenCV draws with subpixel precision if coordinates are in fixed point

Skeleton = Sequence[tuple[int, int]]


def overlay_detections(
        image: npt.NDArray[np.uint8], instances: Instances, *,
        colors: npt.NDArray[np.uint8] | None = None, alpha: float = 0.45, contour: bool = False,
        boxes: bool = True, labels: bool = True, keypoints: bool = True,
        skeleton: Skeleton | None = None, caption: str | None = None) -> npt.NDArray[np.uint8]:
    """Draws objects: masks, boxes, names with scores, keypoints and the lines between them.

    Args:
        image: (H, W, 3) uint8 RGB.
        instances: :class:`chainer_seg.instances.Instances` of that image.
        colors: (R, 3) uint8 RGB; default: a colour for each object.
        alpha: Opacity of the masks; 0 for none.
        contour: Draw the outlines of the masks.
        boxes: Draw the boxes.
        labels: Write the class names, and the scores unless all are 1.
        keypoints: Draw the keypoints whose visibility or score is above 0.
        skeleton: Pairs of keypoints connected by a line; default: those of COCO's person if there are
            17 keypoints.
        caption: A line of text for the upper left corner.

    Returns:
        (H, W, 3) uint8 RGB, a new array.

    Raises:
        ValueError: The sizes do not match.
    """
    colors = instance_colors(len(instances)) if colors is None else np.asarray(colors, np.uint8)
    stroke = max(1, round(max(image.shape[:2]) / 500))
    canvas = overlay_masks(image, instances.runs, colors, alpha, stroke if contour else 0)
    if boxes:
        _draw_boxes(canvas, instances.bboxes, colors, stroke)
    if keypoints and instances.keypoints is not None:
        paint_keypoints(canvas, instances.keypoints, colors, stroke, skeleton)
    taken: list[tuple[int, int, int, int]] = []
    if caption:
        patch = text_patch(caption, text_height(canvas), _CAPTION)
        taken.append((0, 0, *patch.shape[:2]))
        paste(canvas, patch, 0, 0)
    if labels:
        _write_labels(canvas, instances, colors, taken)
    return canvas


def _draw_boxes(canvas: np.ndarray, bboxes: np.ndarray, colors: np.ndarray, stroke: int) -> None:
    height, width = canvas.shape[:2]
    corners = np.clip(np.round(bboxes), 0, (height, width, height, width)).astype(int)
    for (top, left, bottom, right), color in zip(corners.tolist(), colors.tolist()):
        cv2.rectangle(canvas, (left, top), (max(right - 1, left), max(bottom - 1, top)), color, stroke)


def paint_keypoints(canvas: npt.NDArray[np.uint8], keypoints: npt.NDArray[np.floating],
                    colors: npt.NDArray[np.uint8], stroke: int = 1, skeleton: Skeleton | None = None
                    ) -> None:
    """Draws keypoints and the lines between them, in place.

    Args:
        canvas: (H, W, 3) uint8 RGB; changed.
        keypoints: (R, K, 3) float32 (y, x, visibility or score) of objects.
        colors: (R, 3) uint8 RGB.
        stroke: Width of the lines in pixels, without their white rim.
        skeleton: As in :func:`overlay_detections`.
    """
    lines, owner = skeleton_lines(keypoints, skeleton)
    for (start, end), color in zip(_fixed(lines), colors[owner].tolist()):
        cv2.line(canvas, start, end, _WHITE, stroke + 2, cv2.LINE_AA, _SUBPIXEL_BITS)
        cv2.line(canvas, start, end, color, stroke, cv2.LINE_AA, _SUBPIXEL_BITS)
    owner, number = np.nonzero(keypoints[:, :, 2] > 0)
    radius = (stroke + 1) << _SUBPIXEL_BITS
    for point, color in zip(_fixed(keypoints[owner, number, :2]), colors[owner].tolist()):
        cv2.circle(canvas, point, radius, color, -1, cv2.LINE_AA, _SUBPIXEL_BITS)


def _fixed(points: np.ndarray) -> list[Any]:
    """Points (..., 2) (y, x) as a list of (x, y) in OpenCV's fixed-point format."""
    scaled = np.round(np.asarray(points, np.float64)[..., ::-1] * (1 << _SUBPIXEL_BITS))
    return np.clip(scaled, -2 ** 30, 2 ** 30).astype(int).tolist()


def _write_labels(canvas: np.ndarray, instances: Instances, colors: np.ndarray,
                  taken: list[tuple[int, int, int, int]]) -> None:
    """Writes each name above its object, or lower if boxes in ``taken`` (top, left, h, w) are in the way."""
    with_scores = bool((instances.scores != 1).any())
    size = text_height(canvas)
    # The most confident first: they get the best places.
    for number in np.argsort(-instances.scores, kind='stable').tolist():
        text = instances.name(number)
        if with_scores:
            text = f'{text} {instances.scores[number]:.2f}'
        patch = text_patch(text, size, tuple(colors[number].tolist()))
        top, left = instances.bboxes[number, :2].astype(int).tolist()
        place = _free_place(taken, top, left, patch.shape[:2], canvas.shape[:2])
        taken.append((*place, *patch.shape[:2]))
        paste(canvas, patch, *place)


def _free_place(taken: Sequence[tuple[int, int, int, int]], top: int, left: int, patch_size: tuple[int, int],
                canvas_size: tuple[int, int]) -> tuple[int, int]:
    """Where (top, left) a label goes: above its box, or at the first free place below that."""
    height, width = patch_size
    left = max(0, min(left, canvas_size[1] - width))
    first = top - height if top >= height else top
    last = max(0, canvas_size[0] - height)
    for step in range(4):
        place = min(max(0, first + step * height), last)
        if all(place + height <= other or other + high <= place
               or left + width <= aside or aside + wide <= left
               for other, aside, high, wide in taken):
            return place, left
    return min(max(0, first), last), left
