"""The classes of pixels as colours: those of PASCAL VOC's development kit, and a legend of them."""

import numpy as np

from chainer_seg.label_images import VOC_COLORS, VOID
from chainer_seg.visualization.overlay import blend
from chainer_seg.visualization.text import paste, text_height, text_patch


def overlay_labels(image, labels, class_names=(), *, alpha=0.6, legend=True):
    """Lays the colours of classes over an image; the background is left as it is.

    Args:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) int, 0 for the background and -1 for void.
        class_names: Names of the classes, the background first; numbers if left out.
        alpha: Opacity of the colours, from 0 to 1.
        legend: Name the classes that are there in the upper left corner.

    Returns:
        (H, W, 3) uint8 RGB, a new array.

    Raises:
        ValueError: The sizes do not fit each other.
    """
    picture = blend(image, labels_layer(labels, alpha))
    if legend:
        _write_legend(picture, legend_of(labels, class_names))
    return picture


def labels_layer(labels, alpha=0.6):
    """The colour layer (H, W, 4) uint8 of labels; see :func:`overlay_labels` for the arguments."""
    numbers = np.asarray(labels) % len(VOC_COLORS)  # void, -1, has the last colour
    opacity = np.full(len(VOC_COLORS), round(255 * min(max(alpha, 0.0), 1.0)), np.uint8)
    opacity[0] = 0
    return np.concatenate([VOC_COLORS, opacity[:, None]], axis=1)[numbers]


def legend_of(labels, class_names=()):
    """The names and colours of the classes that are there, the largest first, void last.

    Returns:
        list of (str, tuple): A name and its RGB colour on 0..255. The background is left out.
    """
    present, areas = np.unique(np.asarray(labels), return_counts=True)
    order = np.lexsort([-areas, present == VOID])
    return [(_name(label, class_names), tuple(VOC_COLORS[label % len(VOC_COLORS)].tolist()))
            for label in present[order].tolist() if label != 0]


def _name(label, class_names):
    if label == VOID:
        return 'void'
    return class_names[label] if label < len(class_names) else str(label)


def _write_legend(picture, entries):
    """Writes names on their colours into a picture, in place: column by column from the upper left."""
    height, width = picture.shape[:2]
    top = left = column = 0
    for name, color in entries:
        patch = text_patch(name, text_height(picture), color)
        if top + patch.shape[0] > height and top:
            top, left, column = 0, left + column, 0
        if left >= width:
            break
        paste(picture, patch, top, left)
        top, column = top + patch.shape[0], max(column, patch.shape[1])
