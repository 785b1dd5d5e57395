"""Many small pictures in one figure."""

import numpy as np

from chainer_seg.images import as_image
from chainer_seg.visualization.drawing import (
    draw_image,
    draw_instances,
    draw_labels,
    legend_handles,
)
from chainer_seg.visualization.figures import axes_grid

_LEGEND_COLUMNS = 6  # Names of classes that find room in a row below pictures.


def draw_gallery(examples, columns=4, titles=(), **options):
    """Draws images, or images with their instances, in rows.

    Args:
        examples: Images, or pairs (image, instances) such as a data set gives; None as the image
            draws the instances alone.
        columns: Pictures in a row.
        titles: A line of text over each; may be shorter.
        options: Passed to :func:`draw_instances`.

    Returns:
        (len(examples),) array of matplotlib axes in one new figure.
    """
    examples = [example if isinstance(example, tuple) else (example, None)
                for example in examples]
    axes = axes_grid(len(examples), columns, _ratio(examples), titles)
    for ax, (image, instances) in zip(axes, examples):
        if instances is None:
            draw_image(image, ax)
        else:
            draw_instances(image, instances, ax, **options)
    return axes


def draw_semantic(image, labels, class_names=(), truth=None, alpha=0.65):
    """Draws an image and beside it the classes of its pixels, also the true ones where they are known.

    Args:
        image, labels, class_names, alpha: As those of :func:`draw_labels`.
        truth: (H, W) int, the true classes.

    Returns:
        (2 or 3,) array of matplotlib axes in one new figure: image, truth, and what was found.
    """
    image = as_image(image)
    titled = {'found': labels} if truth is None else {'truth': truth, 'found': labels}
    axes = axes_grid(1 + len(titled), 1 + len(titled), image.shape[0] / image.shape[1],
                     ('image', *titled))
    draw_image(image, axes[0])
    for ax, each in zip(axes[1:], titled.values()):
        draw_labels(image, each, class_names, ax, alpha, legend=False)
    shown = np.concatenate([np.ravel(each) for each in titled.values()])
    axes[0].figure.legend(handles=legend_handles(shown, class_names), loc='outside lower center',
                          ncols=_LEGEND_COLUMNS, fontsize=8, frameon=False)
    return axes


def _ratio(examples):
    """Height over width of the tallest example, so that none is squeezed."""
    sizes = [as_image(image).shape[:2] if image is not None else instances.image_size
             for image, instances in examples]
    return max((height / max(width, 1) for height, width in sizes), default=1.0)
