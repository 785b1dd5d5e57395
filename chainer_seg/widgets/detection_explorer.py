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

from chainer_seg.datasets.keypoints import PERSON_KEYPOINTS, PERSON_SKELETON
from chainer_seg.errors import DatasetError
from chainer_seg.images import ImageLike, as_image, fit_within, resize
from chainer_seg.instances import Instances
from chainer_seg.masks import decode_rle, encode_rle, mask_area
from chainer_seg.visualization import instance_colors
from chainer_seg.visualization.detections import overlay_detections
from chainer_seg.widgets.mask_data import shrink_mask
from chainer_seg.widgets.mask_explorer import MaskExplorer, explorer_program, shown_traits


class Detector(Protocol):
    """Anything that detects objects, such as :class:`chainer_seg.models.mask_rcnn.MaskRCNN`."""

    def detect(self, image: npt.NDArray[np.uint8], /) -> Instances: ...


class DetectionExplorer(MaskExplorer):
    """An image with the objects detected or annotated in it.

    A slider hides objects with a lower score, checkboxes hide classes; masks can be filled or only
    outlined, and boxes, names and keypoints shown or hidden. A click on an object shows its class,
    score, box and area; a second click deselects it.

    Args:
        image: Anything that :func:`chainer_seg.images.as_image` accepts: a path, a PIL image, an
            array.
        detections: :class:`chainer_seg.Instances` of the image; a detector such as
            :class:`chainer_seg.models.mask_rcnn.MaskRCNN`, which is run on the image; or the name or
            path of its model file.
        longest_side: Maximum longer side of the displayed image in pixels.
        skeleton: Pairs of keypoints connected by a line; default: those of COCO's person if there are
            17 keypoints.
        options: Initial values of attributes, such as ``score_threshold=0.5``.

    Attributes:
        score_threshold: Objects with a lower score are hidden.
        hidden: List of the hidden labels.
        style: ``'masks'``, ``'contours'`` or ``'nothing'``.
        boxes, names, keypoints: Whether they are drawn.
        opacity: Opacity of filled masks, from 0 to 1.
        selected: The number of the selected object; -1 for none.

    Raises:
        chainer_seg.errors.UserError: The image or the model cannot be read, or the objects belong to
            an image of another size.
    """

    _esm = explorer_program('detection_explorer.js')

    version = traitlets.Int(0).tag(sync=True)  # incremented when the image and its objects change
    # For each object, as float64: score, label, area, and its box.
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

    def __init__(self, image: ImageLike, detections: Instances | Detector | str | os.PathLike,
                 longest_side: int = 640, skeleton: Sequence[tuple[int, int]] | None = None,
                 **options: Any) -> None:
        self._longest_side, self._skeleton = longest_side, skeleton
        image = as_image(image)
        super().__init__(**options)
        self.show(image, _detected(image, detections))

    def show(self, image: ImageLike, instances: Instances) -> None:
        """Shows another image and its objects; the display settings do not change.

        Args:
            image: As for the class.
            instances: :class:`chainer_seg.Instances`.

        Raises:
            chainer_seg.errors.UserError: As for the class; nothing is changed.
        """
        pixels, size = as_image(image), instances.image_size
        if pixels.shape[:2] != tuple(size):
            raise DatasetError(
                f'The objects belong to an image of {size[0]}x{size[1]} pixels, but this one has '
                f'{pixels.shape[0]}x{pixels.shape[1]}; pass the image they belong to.')
        self.image, self._objects = pixels, instances
        shown = fit_within(size, self._longest_side)
        self._shown_codes = [shrink_mask(code, shown) for code in encode_rle(instances.masks)]
        points = instances.keypoints
        if points is None:
            points = np.zeros((len(instances), 0, 3), np.float32)
        with self.hold_sync():
            for name, value in shown_traits(pixels, self._shown_codes, shown).items():
                self.set_trait(name, value)
            self.figures_data = _figures(instances).tobytes()
            self.keypoints_data = points.astype('<f4').tobytes()
            self.skeleton = [list(pair) for pair in self._lines(points.shape[1])]
            self.class_names = list(instances.class_names)
            self.with_scores = bool((instances.scores != 1).any())
            self.selected = -1
            self.version += 1
        self.update_saved_view()

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
        return self._objects[self.shown]

    def snapshot(self) -> npt.NDArray[np.uint8]:
        """What is shown, (h, w, 3) uint8 RGB."""
        numbers = self.shown
        shown = self._objects[numbers]
        scale = np.divide(self.shown_size, self.image_size)
        points = shown.keypoints
        small = Instances(
            decode_rle([self._shown_codes[number] for number in numbers], self.shown_size),
            shown.bboxes * np.tile(scale, 2), shown.labels, shown.scores,
            None if points is None else points * np.append(scale, 1), self._objects.class_names)
        return overlay_detections(
            resize(self.image, self.shown_size), small, colors=instance_colors(len(self))[numbers],
            alpha=self.opacity if self.style == 'masks' else 0, contour=self.style != 'nothing',
            boxes=self.boxes, labels=self.names, keypoints=self.keypoints, skeleton=self._skeleton)

    def __repr__(self) -> str:
        height, width = self.image_size
        return f'DetectionExplorer({height}x{width} image, {len(self.shown)} of {len(self)} objects)'


def _detected(image: np.ndarray, detections: Any) -> Instances:
    """The objects of an image, detected if a model is given."""
    if isinstance(detections, (str, os.PathLike)):
        from chainer_seg.model_file import load_model
        detections = load_model(detections)
    if isinstance(detections, Instances):
        return detections
    return detections.detect(image)


def _figures(instances: Instances) -> np.ndarray:
    """(R, 7) float64: score, label, area, and box (y_min, x_min, y_max, x_max)."""
    columns = np.stack([instances.scores, instances.labels, mask_area(instances.masks)], axis=1)
    return np.concatenate([columns, instances.bboxes], axis=1).astype('<f8')
