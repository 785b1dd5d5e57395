"""A picture and its objects: score slider, classes, masks or contours, boxes, names, keypoints, numbers.

Masks travel to the browser once, as run lengths. Filtering, drawing and finding what is clicked on
happen there, so all of it works at once and even where no kernel runs.
"""

import pathlib

import numpy as np
import traitlets

from chainer_seg.datasets.keypoints import PERSON_KEYPOINTS, PERSON_SKELETON
from chainer_seg.errors import DatasetError
from chainer_seg.images import as_image, fit_within, resize
from chainer_seg.instances import Instances
from chainer_seg.masks import decode_rle, encode_rle, mask_area
from chainer_seg.visualization import instance_colors
from chainer_seg.visualization.detections import overlay_detections
from chainer_seg.widgets.mask_data import shrink_mask
from chainer_seg.widgets.mask_explorer import MaskExplorer, explorer_program, shown_traits


class DetectionExplorer(MaskExplorer):
    """An image with the objects that were found or annotated in it, to be looked through.

    A slider hides what has a lower score, boxes hide classes; masks can be filled or only outlined,
    and boxes, names and keypoints shown or not. A click on an object tells its class, score, box and
    area, a second click lets it go.

    Args:
        image: Anything that :func:`chainer_seg.images.as_image` takes: a path, a PIL image, an
            array.
        detections: :class:`chainer_seg.Instances` of the image; a detector such as
            :class:`chainer_seg.models.mask_rcnn.MaskRCNN`, which is asked for them; or the name or
            path of its model file.
        longest_side: Larger images are shown shrunk to this many pixels.
        skeleton: Pairs of keypoints that a line joins; COCO's person where there are 17.
        options: Attributes to begin with, such as ``least_score=0.5``.

    Attributes:
        least_score: Objects of a lower score are not shown.
        hidden: List of the labels that are not shown.
        style: ``'masks'``, ``'contours'`` or ``'nothing'``.
        boxes, names, keypoints: Whether they are drawn.
        opacity: Of filled masks, from 0 to 1.
        chosen: The number of the object that was clicked on; -1 for none.

    Raises:
        chainer_seg.errors.UserError: The image or the model cannot be read, or the objects are not of
            this image.
    """

    _esm = explorer_program('detection_explorer.js')

    version = traitlets.Int(0).tag(sync=True)  # grows when the image and its objects are others
    # For each object, as float64: score, label, area, and its box.
    figures_data = traitlets.Bytes(b'').tag(sync=True)
    # For each object, as float32: y, x and visibility of each keypoint.
    keypoints_data = traitlets.Bytes(b'').tag(sync=True)
    skeleton = traitlets.List().tag(sync=True)
    class_names = traitlets.List().tag(sync=True)
    with_scores = traitlets.Bool(True).tag(sync=True)

    least_score = traitlets.Float(0.0).tag(sync=True)
    hidden = traitlets.List(traitlets.Int()).tag(sync=True)
    style = traitlets.Enum(('masks', 'contours', 'nothing'), 'masks').tag(sync=True)
    boxes = traitlets.Bool(True).tag(sync=True)
    names = traitlets.Bool(True).tag(sync=True)
    keypoints = traitlets.Bool(True).tag(sync=True)
    opacity = traitlets.Float(0.45).tag(sync=True)
    chosen = traitlets.Int(-1).tag(sync=True)

    def __init__(self, image, detections, longest_side=640, skeleton=None, **options):
        self._longest_side, self._skeleton = longest_side, skeleton
        image = as_image(image)
        super().__init__(**options)
        self.show(image, _detected(image, detections))

    def show(self, image, instances):
        """Shows another image and its objects; what is shown of them stays as it is set.

        Args:
            image: As that of the class.
            instances: :class:`chainer_seg.Instances`.

        Raises:
            chainer_seg.errors.UserError: As those of the class; nothing is changed.
        """
        image, size = as_image(image), tuple(instances.image_size)
        if image.shape[:2] != size:
            raise DatasetError(
                f'The objects are of an image of {size[0]}x{size[1]} pixels, but this one has '
                f'{image.shape[0]}x{image.shape[1]}; give the image they belong to.')
        self.image, self._objects = image, instances
        shown = fit_within(size, self._longest_side)
        self._shown_codes = [shrink_mask(code, shown) for code in encode_rle(instances.masks)]
        points = instances.keypoints
        if points is None:
            points = np.zeros((len(instances), 0, 3), np.float32)
        with self.hold_sync():
            for name, value in shown_traits(image, self._shown_codes, shown).items():
                self.set_trait(name, value)
            self.figures_data = _figures(instances).tobytes()
            self.keypoints_data = points.astype('<f4').tobytes()
            self.skeleton = [list(pair) for pair in self._lines(points.shape[1])]
            self.class_names = list(instances.class_names)
            self.with_scores = bool((instances.scores != 1).any())
            self.chosen = -1
            self.version += 1

    def _lines(self, keypoints):
        if self._skeleton is not None:
            return self._skeleton
        return PERSON_SKELETON if keypoints == len(PERSON_KEYPOINTS) else ()

    def __len__(self):
        """The number of objects, shown or not."""
        return len(self._objects)

    @property
    def shown(self):
        """The numbers (K,) of the objects that slider and classes let through."""
        objects = self._objects
        return np.flatnonzero((objects.scores >= self.least_score)
                              & ~np.isin(objects.labels, self.hidden))

    @property
    def instances(self):
        """What is shown, as :class:`chainer_seg.Instances`."""
        return self._objects[self.shown]

    def snapshot(self):
        """What is shown, (h, w, 3) uint8 RGB."""
        numbers = self.shown
        chosen = self._objects[numbers]
        scale = np.divide(self.shown_size, self.image_size)
        points = chosen.keypoints
        small = Instances(
            decode_rle([self._shown_codes[number] for number in numbers], self.shown_size),
            chosen.bboxes * np.tile(scale, 2), chosen.labels, chosen.scores,
            None if points is None else points * np.append(scale, 1), self._objects.class_names)
        return overlay_detections(
            resize(self.image, self.shown_size), small, colors=instance_colors(len(self))[numbers],
            alpha=self.opacity if self.style == 'masks' else 0, contour=self.style != 'nothing',
            boxes=self.boxes, labels=self.names, keypoints=self.keypoints, skeleton=self._skeleton)

    def __repr__(self):
        height, width = self.image_size
        return f'DetectionExplorer({height}x{width} image, {len(self.shown)} of {len(self)} objects)'


def _detected(image, detections):
    """The objects of an image, from a model where one is given."""
    if isinstance(detections, (str, pathlib.Path)):
        from chainer_seg.model_file import load_model
        detections = load_model(detections)
    if isinstance(detections, Instances):
        return detections
    return detections.detect(image)


def _figures(instances):
    """(R, 7) float64: score, label, area, and box (y_min, x_min, y_max, x_max)."""
    columns = np.stack([instances.scores, instances.labels, mask_area(instances.masks)], axis=1)
    return np.concatenate([columns, instances.bboxes], axis=1).astype('<f8')
