"""The figures by which trainings are validated, and their best models chosen."""

import typing
from typing import Any

if typing.TYPE_CHECKING:
    from chainer_seg.bad_images import Loop
    from chainer_seg.models.click_model import ClickModel
    from chainer_seg.models.mask_rcnn import MaskRCNN
    from chainer_seg.models.yolact import Yolact

# Synthetic objects below this fraction of the image are not clicked on: 32x32 of 256x256 pixels.
LEAST_SYNTHETIC_FRACTION = 64

VALIDATED_OBJECTS = 80  # unless another number is given, or images are synthetic


def click_figures(model: 'ClickModel', dataset: Any, objects: int | None,
                  loop: 'Loop | None' = None) -> dict[str, float]:
    """Mean intersection over union after some clicks of the simulated user.

    Args:
        model: The model.
        dataset: The images with their objects.
        objects: Maximum number of objects; by default 80, or two for each synthetic image.
        loop: The loop over the images; see :data:`chainer_seg.bad_images.Loop`.
    """
    from chainer_seg.datasets import ShapesDataset
    from chainer_seg.datasets.synthetic.base import SyntheticDataset
    from chainer_seg.evaluation import evaluate_clicks
    from chainer_seg.evaluation.object_choice import LEAST_AREA
    least_area = LEAST_AREA
    if objects is None:
        objects = 2 * len(dataset) if isinstance(dataset, SyntheticDataset) else VALIDATED_OBJECTS
    if isinstance(dataset, ShapesDataset):
        height, width = dataset.size
        least_area = height * width // LEAST_SYNTHETIC_FRACTION
    figures = evaluate_clicks(model, dataset, least_area=least_area, max_objects=objects, loop=loop)
    return {name: value for name, value in figures.items() if name != 'objects'}


def mask_rcnn_figures(model: 'MaskRCNN', dataset: Any, loop: 'Loop | None' = None) -> dict[str, float]:
    """Average precision of boxes and of whatever else the model finds."""
    from chainer_seg.evaluation import evaluate_coco
    kinds = ['bbox'] + ['segm'] * model.with_masks + ['keypoints'] * bool(model.keypoints)
    figures = evaluate_coco(model, dataset, kinds=tuple(kinds), loop=loop)
    return {f'{kind}/{name}': figures[f'{kind}/{name}'] for kind in kinds for name in ('AP', 'AP50', 'AP75')}


def yolact_figures(model: 'Yolact', dataset: Any, loop: 'Loop | None' = None) -> dict[str, float]:
    """Average precision of masks and of boxes."""
    from chainer_seg.evaluation import evaluate_coco
    figures = evaluate_coco(model, dataset, loop=loop)
    return {name: figures[name] for name in ('segm/AP', 'segm/AP50', 'segm/AP75', 'bbox/AP')}
