"""Draws semantic labels in the colours of PASCAL VOC's development kit, with a legend."""

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from chainer_seg.label_images import VOC_COLORS, VOID
from chainer_seg.visualization.overlay import blend
from chainer_seg.visualization.text import paste, text_height, text_patch


def overlay_labels(image: npt.NDArray[np.uint8], labels: npt.NDArray[np.integer],
                   class_names: Sequence[str] = (), *, alpha: float = 0.6, legend: bool = True
                   ) -> npt.NDArray[np.uint8]:
    """Overlays the colours of classes on an image; the background is unchanged.

    Args:
        image: (H, W, 3) uint8 RGB.
        labels: (H, W) int, 0 for the background and -1 for void.
        class_names: Names of the classes, the background first; default: numbers.
        alpha: Opacity of the colours, from 0 to 1.
        legend: Draw a legend of the classes present in the upper left corner.

    Returns:
        (H, W, 3) uint8 RGB, a new array.

    Raises:
        ValueError: The sizes do not match.
    """
    canvas = blend(image, labels_layer(labels, alpha))
    if legend:
        _write_legend(canvas, legend_of(labels, class_names))
    return canvas


def labels_layer(labels: npt.NDArray[np.integer], alpha: float = 0.6) -> npt.NDArray[np.uint8]:
    """The colour layer (H, W, 4) uint8 of labels; see :func:`overlay_labels` for the arguments."""
    numbers = np.asarray(labels) % len(VOC_COLORS)  # void, -1, has the last colour
    opacity = np.full(len(VOC_COLORS), round(255 * min(max(alpha, 0.0), 1.0)), np.uint8)
    opacity[0] = 0
    return np.concatenate([VOC_COLORS, opacity[:, None]], axis=1)[numbers]


def legend_of(labels: npt.NDArray[np.integer], class_names: Sequence[str] = ()
              ) -> list[tuple[str, tuple[int, int, int]]]:
    """The names and colours of the classes present, in order of decreasing area, void last.

    Returns:
        list of (str, tuple): A name and its RGB colour from 0 to 255, without the background.
    """
    present, areas = np.unique(np.asarray(labels), return_counts=True)
    order = np.lexsort([-areas, present == VOID])
    return [(_name(label, class_names), tuple(VOC_COLORS[label % len(VOC_COLORS)].tolist()))
            for label in present[order].tolist() if label != 0]


def _name(label: int, class_names: Sequence[str]) -> str:
    if label == VOID:
        return 'void'
    return class_names[label] if label < len(class_names) else str(label)


def _write_legend(canvas: np.ndarray, entries: Iterable[tuple[str, tuple[int, int, int]]]) -> None:
    """Writes names on their colours, in place: column by column from the upper left."""
    height, width = canvas.shape[:2]
    top = left = column = 0
    for name, color in entries:
        patch = text_patch(name, text_height(canvas), color)
        if top + patch.shape[0] > height and top:
            top, left, column = 0, left + column, 0
        if left >= width:
            break
        paste(canvas, patch, top, left)
        top, column = top + patch.shape[0], max(column, patch.shape[1])
