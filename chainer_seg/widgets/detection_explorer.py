"""Explores the objects of an image: score threshold, classes, masks, contours, boxes, names, keypoints.

Masks are sent to the browser once, run-length encoded. Filtering, drawing and selecting happen there, so
all of it responds immediately, even without a running kernel.
"""

import os
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import traitlets
from pycocotools import mask as coco_mask

from chainer_seg.datasets.keypoints import PERSON_KEYPOINTS, PERSON_SKELETON
from chainer_seg.errors import DatasetError
from chainer_seg.images import ImageLike, as_image, resize
from chainer_seg.instances import Instances
from chainer_seg.visualization import instance_colors, overlay_masks
from chainer_seg.visualization.detections import overlay_detections
from chainer_seg.widgets.cell_progress import cell_progress
from chainer_seg.widgets.mask_data import resize_masks, shrink_mask
from chainer_seg.widgets.mask_explorer import MaskExplorer, explorer_program, mask_traits
from chainer_seg.widgets.sizes import sent_size

_MATCHED = 0.5  # IoU from which a true object has the colour of the detection
_GAP = 4  # white pixels between two images


class Detector(Protocol):
    """Anything that detects objects, such as :class:`chainer_seg.models.mask_rcnn.MaskRCNN`."""

    def detect(self, image: npt.NDArray[np.uint8], /) -> Instances: ...


class DetectionExplorer(MaskExplorer):
    """An image with the objects detected or annotated in it.

    A slider hides objects with a lower score, checkboxes hide classes; masks can be filled or only
    outlined, and boxes, names and keypoints shown or hidden. A click on an object shows its class,
    score, box and area; a second click deselects it. The true objects can be shown beside the detected ones
    or as outlines over them; one that is found has the colour of its detection, and the details of an object
    have its IoU.

    Args:
        image: Anything that :func:`chainer_seg.images.as_image` accepts: a path, a PIL image, an
            array.
        detections: :class:`chainer_seg.Instances` of the image; a detector such as
            :class:`chainer_seg.models.mask_rcnn.MaskRCNN`, which is run on the image, a large one shrunk
            to the 1280 pixels that are seen when zooming in; or the name or path of its model file.
        longest_side: Maximum longer side of the displayed image in pixels; images below 480 are enlarged.
        skeleton: Pairs of keypoints connected by a line; default: those of COCO's person if there are
            17 keypoints.
        truth: The true objects of the image, if they are known.
        options: Initial values of attributes, such as ``score_threshold=0.5``.

    Attributes:
        score_threshold: Objects with a lower score are hidden.
        hidden: List of the hidden labels.
        style: ``'masks'``, ``'contours'`` or ``'nothing'``.
        boxes, names, keypoints: Whether they are drawn.
        opacity: Opacity of filled masks, from 0 to 1.
        selected: The number of the selected object; -1 for none.
        truth_view: Where the true objects are shown: ``'beside'`` the detected ones, as white outlines
            ``'over'`` them, or ``'hidden'``.

    Raises:
        chainer_seg.errors.UserError: The image or the model cannot be read, or the objects belong to
            an image of another size.
    """

    _esm = explorer_program('detection_drawing.js', 'detection_explorer.js')

    version = traitlets.Int(0).tag(sync=True)  # incremented when the image and its objects change
    truths = traitlets.Int(0).tag(sync=True)  # how many of the objects, the last ones, are true ones
    # For each object, as float64: score, label, area, its box, and the number of the object of the other
    # kind, detected or true, that agrees with it most, with their IoU.
    figures_data = traitlets.Bytes(b'').tag(sync=True)
    # For each object, as float32: y, x and visibility of each keypoint.
    keypoints_data = traitlets.Bytes(b'').tag(sync=True)
    skeleton: traitlets.List = traitlets.List().tag(sync=True)
    class_names: traitlets.List = traitlets.List().tag(sync=True)
    with_scores = traitlets.Bool(True).tag(sync=True)

    score_threshold = traitlets.Float(0.0).tag(sync=True)
    hidden = traitlets.List(traitlets.Int()).tag(sync=True)
    style = traitlets.Enum(('masks', 'contours', 'nothing'), 'masks').tag(sync=True)
    boxes = traitlets.Bool(True).tag(sync=True)
    names = traitlets.Bool(True).tag(sync=True)
    keypoints = traitlets.Bool(True).tag(sync=True)
    opacity = traitlets.Float(0.45).tag(sync=True)
    selected = traitlets.Int(-1).tag(sync=True)
    truth_view = traitlets.Enum(('beside', 'over', 'hidden'), 'beside').tag(sync=True)

    def __init__(self, image: ImageLike, detections: Instances | Detector | str | os.PathLike,
                 longest_side: int = 640, skeleton: Sequence[tuple[int, int]] | None = None,
                 truth: Instances | None = None, **options: Any) -> None:
        self._longest_side, self._skeleton = longest_side, skeleton
        image = as_image(image)
        super().__init__(**options)
        if isinstance(detections, Instances):
            self.show(image, detections, truth)
        else:
            self._show(image, _detected(image, detections, longest_side), truth)

    def show(self, image: ImageLike, instances: Instances, truth: Instances | None = None) -> None:
        """Shows another image and its objects; the display settings do not change.

        Args:
            image: As for the class.
            instances: :class:`chainer_seg.Instances`.
            truth: As for the class.

        Raises:
            chainer_seg.errors.UserError: As for the class; nothing is changed.
        """
        pixels = as_image(image)
        _check_size(pixels, instances)
        self._show(pixels, instances, truth)

    def _show(self, pixels: npt.NDArray[np.uint8], instances: Instances, truth: Instances | None) -> None:
        """As :meth:`show`, with objects that may belong to the image at another size."""
        size = pixels.shape[:2]
        if truth is None:
            truth = Instances.empty(size[0], size[1], instances.class_names)
        _check_size(pixels, truth)
        self.image, self._objects, self._truth = pixels, instances, truth
        sent = sent_size(size, self._longest_side)
        self._sent_codes = [
            shrink_mask(code, sent) for each in (instances, truth) for code in each.runs.to_rle()]
        names, labels = _names_of_both(instances, truth)
        partners, ious = _partners(self._sent_codes, len(instances), truth.crowds)
        self._colors = _colors(partners, ious, len(instances))
        points = _keypoints(size, instances, truth)
        traits = mask_traits(pixels, self._sent_codes, self._longest_side, sent, self._colors)
        figures = np.concatenate([_figures(instances, instances.labels, size), _figures(truth, labels, size)])
        with self.hold_sync():
            for name, value in traits.items():
                self.set_trait(name, value)
            self.figures_data = np.column_stack([figures, partners, ious]).astype('<f8').tobytes()
            self.keypoints_data = points.astype('<f4').tobytes()
            self.skeleton = [list(pair) for pair in self._lines(points.shape[1])]
            self.class_names, self.truths = names, len(truth)
            self.with_scores = bool((instances.scores != 1).any())
            self.selected = -1
            self.version += 1

    def _lines(self, keypoints: int) -> Sequence[tuple[int, int]]:
        if self._skeleton is not None:
            return self._skeleton
        return PERSON_SKELETON if keypoints == len(PERSON_KEYPOINTS) else ()

    def __len__(self) -> int:
        """The number of objects, including hidden ones."""
        return len(self._objects)

    @property
    def shown(self) -> npt.NDArray[np.int64]:
        """The numbers (K,) of the objects that pass the score threshold and the class filter."""
        objects = self._objects
        return np.flatnonzero((objects.scores >= self.score_threshold)
                              & ~np.isin(objects.labels, self.hidden))

    @property
    def instances(self) -> Instances:
        """The objects shown, as :class:`chainer_seg.Instances`."""
        shown = self._objects[self.shown]
        size = self.image.shape[:2]
        if shown.image_size == size:
            return shown
        masks = resize_masks(shown.runs.to_rle(), size)
        scale = _scale(shown, size)
        return Instances(masks, shown.bboxes * np.tile(scale, 2), shown.labels, shown.scores,
                         _scaled_points(shown, size), shown.class_names)

    def snapshot(self) -> npt.NDArray[np.uint8]:
        """What is shown, (h, w, 3) uint8 RGB; the truth on the left if it is beside."""
        numbers, count = self.shown, len(self)
        names, labels = _names_of_both(self._objects, self._truth)
        true = np.flatnonzero(~np.isin(labels, self.hidden))
        image = self._drawn(self._objects[numbers], numbers, names)
        if not len(self._truth) or self.truth_view == 'hidden':
            return image
        if self.truth_view == 'over':
            masks = resize_masks([self._sent_codes[count + number] for number in true], self.shown_size)
            return overlay_masks(image, masks, np.full((len(true), 3), 255, np.uint8), 0, contour=1)
        beside = self._drawn(self._truth[true], count + true, names, labels[true])
        return np.concatenate([beside, np.full((len(image), _GAP, 3), 255, np.uint8), image], axis=1)

    def _drawn(self, objects: Instances, numbers: npt.NDArray[np.integer], names: Sequence[str],
               labels: npt.NDArray[np.integer] | None = None) -> npt.NDArray[np.uint8]:
        """The image with objects, whose masks and colours have these numbers."""
        small = Instances(
            resize_masks([self._sent_codes[number] for number in numbers], self.shown_size),
            objects.bboxes * np.tile(_scale(objects, self.shown_size), 2),
            objects.labels if labels is None else labels, objects.scores,
            _scaled_points(objects, self.shown_size), names)
        return overlay_detections(
            resize(self.image, self.shown_size), small, colors=self._colors[numbers],
            alpha=self.opacity if self.style == 'masks' else 0, contour=self.style != 'nothing',
            boxes=self.boxes, labels=self.names, keypoints=self.keypoints, skeleton=self._skeleton)

    def __repr__(self) -> str:
        height, width = self.image_size
        return f'DetectionExplorer({height}x{width} image, {len(self.shown)} of {len(self)} objects)'


def _detected(image: np.ndarray, detector: Detector | str | os.PathLike, longest_side: int) -> Instances:
    """The objects that a model detects in an image, at the size that is sent."""
    if isinstance(detector, (str, os.PathLike)):
        from chainer_seg.engines import compile
        from chainer_seg.model_file import load_model
        model: Detector = compile(load_model(detector))
    else:
        model = detector
    with cell_progress('Detecting objects'):
        return model.detect(resize(image, sent_size(image.shape[:2], longest_side)))


def _check_size(image: np.ndarray, objects: Instances) -> None:
    size = objects.image_size
    if image.shape[:2] != tuple(size):
        raise DatasetError(
            f'The objects belong to an image of {size[0]}x{size[1]} pixels, but this one has '
            f'{image.shape[0]}x{image.shape[1]}; pass the image they belong to.')


def _names_of_both(instances: Instances, truth: Instances) -> tuple[list[str], npt.NDArray[np.int32]]:
    """The class names of both, and the labels (T,) of the true objects among them: classes match by name."""
    names = list(instances.class_names)
    if not truth.class_names:
        return names, truth.labels
    names += [name for name in truth.class_names if name not in names]
    return names, np.array([names.index(name) for name in truth.class_names], np.int32)[truth.labels]


def _partners(codes: Sequence[dict[str, Any]], count: int, crowds: npt.NDArray[np.bool_]
              ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """For ``count`` detected objects and the true ones after them: which one of the other kind agrees most.

    Returns:
        The numbers (R + T,), -1 without any, and the IoUs (R + T,).
    """
    truths = len(codes) - count
    if not count or not truths:
        return np.full(len(codes), -1), np.zeros(len(codes))
    ious = coco_mask.iou(codes[:count], codes[count:], crowds)
    return (np.concatenate([ious.argmax(axis=1), ious.argmax(axis=0)]),
            np.concatenate([ious.max(axis=1), ious.max(axis=0)]))


def _colors(partners: npt.NDArray[np.int64], ious: npt.NDArray[np.float64], count: int
            ) -> npt.NDArray[np.uint8]:
    """(R + T, 3) uint8 RGB: true objects that are found have the colour of their detection."""
    colors = instance_colors(len(partners))
    found = count + np.flatnonzero(ious[count:] >= _MATCHED)
    colors[found] = colors[partners[found]]
    return colors


def _scale(objects: Instances, size: tuple[int, int]) -> npt.NDArray[np.float64]:
    """(2,): by how much the image of objects is enlarged to ``size``, vertically and horizontally."""
    return np.divide(size, objects.image_size)


def _scaled_points(objects: Instances, size: tuple[int, int]) -> npt.NDArray[np.floating] | None:
    """The keypoints of objects at another size of the image."""
    return None if objects.keypoints is None else objects.keypoints * np.append(_scale(objects, size), 1)


def _keypoints(size: tuple[int, int], *both: Instances) -> npt.NDArray[np.floating]:
    """The keypoints (R + T, K, 3) of all objects; those that are unknown are invisible."""
    known = [np.zeros((len(each), 0, 3)) if (points := _scaled_points(each, size)) is None else points
             for each in both]
    most = max(each.shape[1] for each in known)
    return np.concatenate([np.pad(each, ((0, 0), (0, most - each.shape[1]), (0, 0))) for each in known])


def _figures(objects: Instances, labels: npt.NDArray[np.integer], size: tuple[int, int]
             ) -> npt.NDArray[np.float64]:
    """(R, 7): score, label, area, and box (y_min, x_min, y_max, x_max), in pixels of the image's ``size``."""
    scale = _scale(objects, size)
    columns = np.stack([objects.scores, labels, objects.runs.areas() * scale.prod()], axis=1)
    return np.concatenate([columns, objects.bboxes * np.tile(scale, 2)], axis=1).astype(np.float64)
