"""Many small pictures in one figure."""

from chainer_seg.images import as_image
from chainer_seg.visualization.drawing import draw_image, draw_instances
from chainer_seg.visualization.figures import axes_grid


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


def _ratio(examples):
    """Height over width of the tallest example, so that none is squeezed."""
    sizes = [as_image(image).shape[:2] if image is not None else instances.image_size
             for image, instances in examples]
    return max((height / max(width, 1) for height, width in sizes), default=1.0)
