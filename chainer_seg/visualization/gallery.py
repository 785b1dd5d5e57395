"""Many small images in one figure."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from chainer_seg.images import ImageLike, as_image
from chainer_seg.instances import Instances
from chainer_seg.visualization.drawing import (
    draw_image,
    draw_instances,
    draw_labels,
    legend_handles,
)
from chainer_seg.visualization.figures import axes_grid

_LEGEND_COLUMNS = 6  # Class names that fit a row below the images.


def draw_gallery(examples: Sequence[ImageLike | tuple[ImageLike | None, Instances]], columns: int = 4,
                 titles: Sequence[str] = (), **options: Any) -> npt.NDArray[np.object_]:
    """Draws images, or images with their instances, in rows.

    Args:
        examples: Images, or pairs (image, instances) as in a data set; if an image is None, the
            instances are drawn alone.
        columns: Number of images in a row.
        titles: Titles of the images; may be fewer than the examples.
        options: Passed to :func:`draw_instances`.

    Returns:
        (len(examples),) array of matplotlib axes in one new figure.
    """
    pairs = [example if isinstance(example, tuple) else (example, None) for example in examples]
    axes = axes_grid(len(pairs), columns, _ratio(pairs), titles)
    for ax, (image, instances) in zip(axes, pairs):
        if instances is None:
            draw_image(image, ax)
        else:
            draw_instances(image, instances, ax, **options)
    return axes


def draw_semantic(image: ImageLike, labels: npt.NDArray[np.integer], class_names: Sequence[str] = (),
                  truth: npt.NDArray[np.integer] | None = None, alpha: float = 0.65
                  ) -> npt.NDArray[np.object_]:
    """Draws an image, the predicted classes of its pixels, and the ground truth if given, side by side.

    Args:
        image, labels, class_names, alpha: As in :func:`draw_labels`.
        truth: (H, W) int, the ground-truth classes.

    Returns:
        (2 or 3,) array of matplotlib axes in one new figure: image, ground truth, prediction.
    """
    image = as_image(image)
    titled = {'prediction': labels} if truth is None else {'ground truth': truth, 'prediction': labels}
    axes = axes_grid(1 + len(titled), 1 + len(titled), image.shape[0] / image.shape[1],
                     ('image', *titled))
    draw_image(image, axes[0])
    for ax, each in zip(axes[1:], titled.values()):
        draw_labels(image, each, class_names, ax, alpha, legend=False)
    shown = np.concatenate([np.ravel(each) for each in titled.values()])
    axes[0].figure.legend(handles=legend_handles(shown, class_names), loc='outside lower center',
                          ncols=_LEGEND_COLUMNS, fontsize=8, frameon=False)
    return axes


def _ratio(examples: Iterable[tuple[Any, Any]]) -> float:
    """Height over width of the example with the tallest shape, so that all fit."""
    sizes = [as_image(image).shape[:2] if image is not None else instances.image_size
             for image, instances in examples]
    return max((height / max(width, 1) for height, width in sizes), default=1.0)
