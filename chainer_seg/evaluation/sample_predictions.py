"""What a model of any system finds in a few images, drawn below the truth."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from chainer_seg.datasets import ClickFilesDataset, ObjectIndex
from chainer_seg.images import resize
from chainer_seg.instances import Instances
from chainer_seg.models.click_model import ClickModel
from chainer_seg.models.deeplab.clicks import Click
from chainer_seg.models.deeplab.precomputed_maps import segment_maps
from chainer_seg.models.deepmask.proposals import ProposalModel
from chainer_seg.models.detector import InstanceDetector
from chainer_seg.visualization import overlay_detections, overlay_labels, overlay_masks
from chainer_seg.visualization.click_marks import overlay_clicks

SIDE = 160  # of each image in a drawing, in pixels
_GAP = 4  # white pixels between images
_SCORE, _PROPOSALS = 0.3, 5

# Images (H, W, 3) uint8 with their objects, or with the class of each pixel (H, W).
Examples: TypeAlias = Sequence[tuple[npt.NDArray[np.uint8], Any]]


def draw_sample_predictions(model: Any, examples: Examples, side: int = SIDE) -> npt.NDArray[np.uint8]:
    """Draws the truth of each image above what a model finds there.

    Args:
        model: A detector, a proposal model, a click model, or a DeepLab.
        examples: Images with their truth.
        side: Height and width of each in the drawing, in pixels.

    Returns:
        (h, w, 3) uint8 RGB.
    """
    return _columns([(
        overlay_detections(image, truth, boxes=False) if isinstance(truth, Instances) else
        overlay_labels(image, truth, model.class_names), draw_prediction(model, image, truth))
        for image, truth in examples], side)


class SampleDrawing:
    """Draws what a model finds in the first images of a data set, whenever it is called with the model.

    Args:
        dataset: Images with their truth; or a :class:`~chainer_seg.datasets.ClickFilesDataset`.
        count: Number of images.
    """

    def __init__(self, dataset: Any, count: int) -> None:
        self._dataset, self._count = dataset, count

    def __call__(self, model: Any) -> npt.NDArray[np.uint8]:
        """The drawing, (h, w, 3) uint8 RGB."""
        examples = [self._dataset[number] for number in range(min(self._count, len(self._dataset)))]
        if not isinstance(self._dataset, ClickFilesDataset):
            return draw_sample_predictions(model, examples)
        return _columns([(overlay_masks(image, label[None]), overlay_masks(
            image, segment_maps(model, image, maps)[None] > 0.5)) for image, maps, label in examples])


def draw_prediction(model: Any, image: npt.NDArray[np.uint8], truth: Any) -> npt.NDArray[np.uint8]:
    """Draws what a model finds in an image; a click model is given a click in the largest object."""
    if isinstance(model, InstanceDetector):
        return overlay_detections(image, model.detect(image, score_threshold=_SCORE), boxes=False)
    if isinstance(model, ProposalModel):
        return overlay_masks(image, model.propose(image, n=_PROPOSALS).runs)
    if isinstance(model, ClickModel):
        click = _click_in_largest(truth)
        mask = model.segment(image, click) > 0.5
        return overlay_clicks(overlay_masks(image, mask[None]), [click])
    return overlay_labels(image, model.segment(image), model.class_names)


def _click_in_largest(truth: Instances) -> Click:
    """A click on the pixel of the largest object that is next to its centre; in the middle without one."""
    if not len(truth) or not truth.runs.areas().any():
        return Click(truth.image_size[0] // 2, truth.image_size[1] // 2)
    pixels = np.argwhere(truth[int(truth.runs.areas().argmax())].masks[0])
    y, x = pixels[((pixels - pixels.mean(axis=0)) ** 2).sum(axis=1).argmin()]
    return Click(int(y), int(x))


def sample_drawing(dataset: Any, count: int) -> SampleDrawing | None:
    """A :class:`SampleDrawing`; None for no images, and for an index of objects, which has none."""
    return SampleDrawing(dataset, count) if count and not isinstance(dataset, ObjectIndex) else None


def _columns(pairs: Sequence[tuple[npt.NDArray[np.uint8], ...]], side: int = SIDE) -> npt.NDArray[np.uint8]:
    """Images of any size in columns, each one of a pair below the other."""
    return np.concatenate([np.concatenate([
        np.pad(resize(each, (side, side)), ((0, _GAP), (0, _GAP), (0, 0)), constant_values=255)
        for each in pair]) for pair in pairs], axis=1)
