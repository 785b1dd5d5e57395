"""Curves of the quality of click segmentation against the number of clicks."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from chainer_seg.visualization.figures import axes_grid, new_axes


IoUs = Mapping[str, npt.NDArray[np.floating]]


def draw_click_curves(ious: IoUs, thresholds: Sequence[float] = (), highest: float = 0.9
                      ) -> npt.NDArray[np.object_]:
    """Draws both curves side by side: IoU over clicks, and clicks over the target IoU.

    Args:
        ious: ``{name: (N, cap) float}``, the IoU of each object after 1, 2, ..., cap clicks, as in
            :class:`chainer_seg.evaluation.ClickFigures`.
        thresholds: IoUs to mark by a line.
        highest: The highest target IoU; at most the one at which the simulated user stopped.

    Returns:
        (2,) array of matplotlib axes in a new figure.
    """
    axes = axes_grid(2, columns=2, ratio=0.8)
    draw_iou_curves(ious, axes[0], thresholds)
    draw_noc_curves(ious, axes[1], thresholds, highest)
    for ax in axes:
        ax.set_axis_on()
    return axes


def draw_iou_curves(ious: IoUs, ax: Axes | None = None, thresholds: Sequence[float] = ()) -> Axes:
    """Draws the mean IoU over the number of clicks; arguments as in :func:`draw_click_curves`.

    Args:
        ious: ``{name: (N, cap) float}``.
        ax: A matplotlib axis; default: a new one.
        thresholds: IoUs to mark by a line.

    Returns:
        The axis.
    """
    ax = new_axes() if ax is None else ax
    for threshold in thresholds:
        ax.axhline(threshold, color='lightgrey', linewidth=1, zorder=0)
    for name, values in ious.items():
        mean = np.mean(values, axis=0)
        ax.plot(np.arange(1, len(mean) + 1), mean, marker='.', label=name)
    ax.set_xlabel('clicks')
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylabel('mean IoU')
    ax.set_ylim(0, 1)
    ax.legend(loc='lower right', fontsize=8)
    return ax


def draw_noc_curves(ious: IoUs, ax: Axes | None = None, thresholds: Sequence[float] = (),
                    highest: float = 0.9) -> Axes:
    """Draws the mean number of clicks (NoC) over the target IoU.

    An object that never reaches the target counts with all its clicks.

    Args:
        ious: ``{name: (N, cap) float}``.
        ax: A matplotlib axis; default: a new one.
        thresholds: IoUs to mark by a line.
        highest: The highest target IoU.

    Returns:
        The axis.
    """
    ax = new_axes() if ax is None else ax
    for threshold in thresholds:
        ax.axvline(threshold, color='lightgrey', linewidth=1, zorder=0)
    goals = np.linspace(0.5, highest, 41)
    for name, values in ious.items():
        # The running maximum reaches a target at the first click that reaches it.
        best = np.maximum.accumulate(values, axis=1)
        missing = (best[:, :-1, None] < goals).sum(axis=1)
        ax.plot(goals, 1 + missing.mean(axis=0), label=name)
    ax.set_xlabel('target IoU')
    ax.set_ylabel('mean number of clicks')
    ax.set_ylim(bottom=0)
    ax.legend(loc='upper left', fontsize=8)
    return ax
