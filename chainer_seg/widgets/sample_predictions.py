"""What a model of any system finds in a few images, drawn below the truth."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from chainer_seg.images import resize
from chainer_seg.instances import Instances
from chainer_seg.masks import mask_area
from chainer_seg.models.click_model import ClickModel
from chainer_seg.models.deeplab.clicks import Click
from chainer_seg.models.deepmask.proposals import ProposalModel
from chainer_seg.models.detector import InstanceDetector
from chainer_seg.recipes.data import Data
from chainer_seg.visualization import overlay_detections, overlay_labels, overlay_masks
from chainer_seg.visualization.click_marks import overlay_clicks

_GAP = 4  # white pixels between images
_SCORE, _PROPOSALS = 0.3, 5
_EXAMPLES = 4

# Images (H, W, 3) uint8 with their objects, or with the class of each pixel (H, W).
Examples: TypeAlias = Sequence[tuple[npt.NDArray[np.uint8], Any]]


def first_examples(data: Data, seed: int) -> Examples:
    """The first examples of the data set to validate on."""
    _, validation = data.open(1, seed)
    return [validation[number] for number in range(min(_EXAMPLES, len(validation)))]


def draw_sample_predictions(model: Any, examples: Examples, side: int = 160) -> npt.NDArray[np.uint8]:
    """Draws the truth of each image above what a model finds there.

    Args:
        model: A detector, a proposal model, a click model, or a DeepLab.
        examples: Images with their truth.
        side: Height and width of each in the drawing, in pixels.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    columns = []
    for image, truth in examples:
        has_objects = isinstance(truth, Instances)
        drawn = (overlay_detections(image, truth, boxes=False) if has_objects else
                 overlay_labels(image, truth, model.class_names), draw_prediction(model, image, truth))
        cells = [np.pad(resize(each, (side, side)), ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255)
                 for each in drawn]
        columns.append(np.concatenate(cells))
    return np.concatenate(columns, axis=1)


def draw_prediction(model: Any, image: npt.NDArray[np.uint8], truth: Any) -> npt.NDArray[np.uint8]:
    """Draws what a model finds in an image; a click model is given a click in the largest object."""
    if isinstance(model, InstanceDetector):
        return overlay_detections(image, model.detect(image, score_threshold=_SCORE), boxes=False)
    if isinstance(model, ProposalModel):
        return overlay_masks(image, model.propose(image, n=_PROPOSALS).masks)
    if isinstance(model, ClickModel):
        click = _click_in_largest(truth)
        mask = model.segment(image, click) > 0.5
        return overlay_clicks(overlay_masks(image, mask[None]), [click])
    return overlay_labels(image, model.segment(image), model.class_names)


def _click_in_largest(truth: Instances) -> Click:
    """A click on the pixel of the largest object that is next to its centre; in the middle without one."""
    if not len(truth) or not truth.masks.any():
        return Click(truth.image_size[0] // 2, truth.image_size[1] // 2)
    pixels = np.argwhere(truth.masks[mask_area(truth.masks).argmax()])
    y, x = pixels[((pixels - pixels.mean(axis=0)) ** 2).sum(axis=1).argmin()]
    return Click(int(y), int(x))
