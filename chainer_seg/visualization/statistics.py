"""The figures of a data set as pictures: objects per class and image, their sizes and aspect ratios."""

import numpy as np

from chainer_seg.colors import PALETTE
from chainer_seg.visualization.figures import NotebookFigure
from chainer_seg.visualization.fonts import drawable

_MOST_CLASSES = 30  # More names cannot be read below the bars.
_BAR, _LINE = (PALETTE[number] / 255 for number in (1, 5))


def draw_statistics(statistics, anchors=None, image_size=550):
    """Draws what a data set holds.

    Args:
        statistics: :class:`chainer_seg.datasets.DatasetStatistics`.
        anchors: :class:`chainer_seg.datasets.Anchors`, drawn as lines over the sizes and ratios.
        image_size: Sizes are in pixels of images squeezed to a square of this side.

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
    _draw_logarithms(axes[2], sides, anchors and anchors.scales,
                     f'side of an object in pixels of {image_size}x{image_size}')
    _draw_logarithms(axes[3], ratios, anchors and anchors.ratios, 'width over height of an object')
    return axes


def _draw_classes(ax, statistics):
    counts = statistics.objects_per_class
    order = np.argsort(-counts, kind='stable')[:_MOST_CLASSES]
    ax.bar(np.arange(len(order)), counts[order], color=_BAR)
    names = [drawable(statistics.class_names[label]) for label in order]
    ax.set_xticks(np.arange(len(order)), names, rotation=90, fontsize=8)
    left_out = len(counts) - len(order)
    ax.set_title('objects of each class' + (f' ({left_out} rarer ones not shown)' if left_out else ''),
                 fontsize=10)


def _draw_counts(ax, counts):
    ax.hist(counts, bins=np.arange(counts.max(initial=0) + 2) - 0.5, color=_BAR)
    ax.set_xlabel('objects in an image')
    ax.set_ylabel('images')


def _draw_logarithms(ax, values, marks, label):
    """A histogram on a logarithmic axis, with lines at the marks."""
    if len(values):
        low, high = np.floor(np.log2(values.min())), np.ceil(np.log2(values.max()))
        ax.hist(values, bins=2.0 ** np.arange(low, max(high, low + 1) + 0.01, 0.25), color=_BAR)
        ax.set_xscale('log', base=2)
        ax.xaxis.set_major_formatter('{x:g}')
    for mark in marks or ():
        ax.axvline(mark, color=_LINE, linestyle='--')
    ax.set_xlabel(label + (': dashed, suggested anchors' if marks else ''))
    ax.set_ylabel('objects')
