"""Charts of an evaluation: precision over recall, the confusion matrix, and what each kind of error costs."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from chainer_seg.colors import PALETTE
from chainer_seg.visualization.figures import new_axes
from chainer_seg.visualization.fonts import drawable

_MAX_NAMES = 10  # More lines in a legend, and more cells with numbers, would be illegible.
_BAR = PALETTE[1] / 255
_GREY = '0.6'


def draw_precision_recall(precision: npt.NDArray[np.floating], class_names: Sequence[str],
                          ax: Axes | None = None, highlighted: int | None = None) -> Axes:
    """Draws the precision of each class over its recall.

    Args:
        precision: (101, C) at recalls 0, 0.01, ..., 1; NaN for classes without objects.
        class_names: The name of each class.
        ax: A matplotlib axis; default: one in a new figure.
        highlighted: The class that stands out; None for none.

    Returns:
        The axis.
    """
    ax = new_axes() if ax is None else ax
    recall = np.linspace(0, 1, len(precision))
    known = np.flatnonzero(~np.isnan(precision).all(axis=0)).tolist()
    named = known if len(known) <= _MAX_NAMES else [highlighted]
    for label in known:
        ax.plot(recall, precision[:, label], label=drawable(class_names[label]) if label in named else None,
                color=PALETTE[label % len(PALETTE)] / 255 if label in named else _GREY,
                linewidth=3 if label == highlighted else 1.2, zorder=3 if label == highlighted else 2)
    if len(known) > 1:
        ax.plot(recall, np.nanmean(precision[:, known], axis=1), label='mean', color='black', linestyle='--')
    ax.set(xlabel='recall', ylabel='precision', xlim=(0, 1.01), ylim=(0, 1.03))
    if ax.lines:
        ax.legend(loc='lower left', fontsize=8)
    return ax


def draw_confusion(matrix: npt.NDArray[np.integer], class_names: Sequence[str],
                   ax: Axes | None = None) -> Axes:
    """Draws a confusion matrix; colours are shares of a row, numbers are counts.

    Args:
        matrix: (C + 1, C + 1) counts; the row is the true class, the column the predicted one. The last
            row are detections without an object, the last column objects without a detection.
        class_names: The name of each class.
        ax: A matplotlib axis; default: one in a new figure.

    Returns:
        The axis.
    """
    ax = new_axes() if ax is None else ax
    shares = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    ax.imshow(shares, cmap='Blues', vmin=0, vmax=1, aspect='auto')
    names, places = [drawable(name) for name in class_names], np.arange(len(matrix))
    ax.set_xticks(places, [*names, 'missed'], rotation=90, fontsize=8)
    ax.set_yticks(places, [*names, 'background'], fontsize=8)
    ax.set(xlabel='predicted class', ylabel='true class')
    for row, column in np.argwhere(matrix > 0) if len(matrix) <= 2 * _MAX_NAMES else ():
        ax.text(column, row, str(matrix[row, column]), ha='center', va='center', fontsize=8,
                color='white' if shares[row, column] > 0.5 else 'black')
    return ax


def draw_error_kinds(gains: Mapping[str, float], counts: Mapping[str, int], ax: Axes | None = None) -> Axes:
    """Draws what each kind of error costs, as a bar with the number of errors beside it.

    Args:
        gains: The AP that would be gained without errors of a kind, from 0 to 1.
        counts: The number of errors of each kind.
        ax: A matplotlib axis; default: one in a new figure.

    Returns:
        The axis.
    """
    ax = new_axes() if ax is None else ax
    kinds = list(gains)
    bars = ax.barh(range(len(kinds)), [100 * gains[kind] for kind in kinds], color=_BAR)
    ax.bar_label(bars, [f' {100 * gains[kind]:.1f} ({counts[kind]} errors)' for kind in kinds], fontsize=8)
    ax.set_yticks(range(len(kinds)), kinds)
    ax.invert_yaxis()
    ax.set_xlabel('AP50 lost, in percent')
    ax.set_xlim(0, max(1, 140 * max(gains.values())))
    return ax
