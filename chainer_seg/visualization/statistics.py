"""Charts of a data set: objects per class and per image, their sizes and aspect ratios."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from chainer_seg.colors import PALETTE
from chainer_seg.visualization.figures import NotebookFigure
from chainer_seg.visualization.fonts import drawable

if TYPE_CHECKING:
    from chainer_seg.datasets.statistics import Anchors, DatasetStatistics

_MAX_CLASSES = 30  # More names below the bars would be illegible.
_BAR, _LINE = (PALETTE[number] / 255 for number in (1, 5))


def draw_statistics(statistics: 'DatasetStatistics', anchors: 'Anchors | None' = None,
                    image_size: int = 550) -> npt.NDArray[np.object_]:
    """Draws charts of a data set's statistics.

    Args:
        statistics: :class:`chainer_seg.datasets.DatasetStatistics`.
        anchors: :class:`chainer_seg.datasets.Anchors`, drawn as lines over the sizes and ratios.
        image_size: Object sizes are in pixels of images resized to a square of this side.

    Returns:
        (4,) array of matplotlib axes in one new figure.
    """
    figure = NotebookFigure(figsize=(11, 7))
    axes = figure.subplots(2, 2).ravel()
    _draw_classes(axes[0], statistics)
    _draw_counts(axes[1], statistics.objects_per_image)
    sizes = statistics.sizes_at(image_size)
    sizes = sizes[(sizes > 0).all(axis=1)]
    sides, ratios = np.sqrt(sizes.prod(axis=1)), sizes[:, 1] / sizes[:, 0]
    _draw_logarithms(axes[2], sides, anchors.scales if anchors else (),
                     f'object size in pixels at {image_size}x{image_size}')
    _draw_logarithms(axes[3], ratios, anchors.ratios if anchors else (),
                     'object aspect ratio (width / height)')
    return axes


def _draw_classes(ax: Axes, statistics: 'DatasetStatistics') -> None:
    counts = statistics.objects_per_class
    order = np.argsort(-counts, kind='stable')[:_MAX_CLASSES]
    ax.bar(np.arange(len(order)), counts[order], color=_BAR)
    names = [drawable(statistics.class_names[label]) for label in order]
    ax.set_xticks(np.arange(len(order)), names, rotation=90, fontsize=8)
    omitted = len(counts) - len(order)
    ax.set_title('objects per class' + (f' ({omitted} rarer ones omitted)' if omitted else ''),
                 fontsize=10)


def _draw_counts(ax: Axes, counts: np.ndarray) -> None:
    ax.hist(counts, bins=(np.arange(counts.max(initial=0) + 2) - 0.5).tolist(), color=_BAR)
    ax.set_xlabel('objects per image')
    ax.set_ylabel('images')


def _draw_logarithms(ax: Axes, values: np.ndarray, marks: Sequence[float], label: str) -> None:
    """A histogram on a logarithmic axis, with lines at the marks."""
    if len(values):
        low, high = np.floor(np.log2(values.min())), np.ceil(np.log2(values.max()))
        ax.hist(values, bins=(2.0 ** np.arange(low, max(high, low + 1) + 0.01, 0.25)).tolist(), color=_BAR)
        ax.set_xscale('log', base=2)
        ax.xaxis.set_major_formatter('{x:g}')
    for mark in marks:
        ax.axvline(mark, color=_LINE, linestyle='--')
    ax.set_xlabel(label + (' (dashed: suggested anchors)' if marks else ''))
    ax.set_ylabel('objects')
