"""Curves of how good click segmentation is after how many clicks."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from chainer_seg.visualization.figures import axes_grid, new_axes


def draw_click_curves(ious, thresholds=(), highest=0.9):
    """Draws both curves side by side: IoU over clicks, and clicks over the IoU to reach.

    Args:
        ious: ``{name: (N, cap) float}``, the IoU of each object after 1, 2, ..., cap clicks, as
            :class:`chainer_seg.evaluation.ClickFigures` has it.
        thresholds: IoUs to mark by a line.
        highest: The highest IoU to reach; no more than the one that the robot user stopped at.

    Returns:
        (2,) array of matplotlib axes in a new figure.
    """
    axes = axes_grid(2, columns=2, ratio=0.8)
    draw_iou_curves(ious, axes[0], thresholds)
    draw_noc_curves(ious, axes[1], thresholds, highest)
    for ax in axes:
        ax.set_axis_on()
    return axes


def draw_iou_curves(ious, ax=None, thresholds=()):
    """Draws the mean IoU over the number of clicks; arguments as of :func:`draw_click_curves`.

    Args:
        ious: ``{name: (N, cap) float}``.
        ax: A matplotlib axis; a new one if left out.
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


def draw_noc_curves(ious, ax=None, thresholds=(), highest=0.9):
    """Draws the mean number of clicks over the IoU that they are to reach.

    An object that never reaches it counts with all its clicks.

    Args:
        ious: ``{name: (N, cap) float}``.
        ax: A matplotlib axis; a new one if left out.
        thresholds: IoUs to mark by a line.
        highest: The highest IoU to reach.

    Returns:
        The axis.
    """
    ax = new_axes() if ax is None else ax
    for threshold in thresholds:
        ax.axvline(threshold, color='lightgrey', linewidth=1, zorder=0)
    goals = np.linspace(0.5, highest, 41)
    for name, values in ious.items():
        # The best so far has reached a goal from the click on that reached it first.
        best = np.maximum.accumulate(values, axis=1)
        missing = (best[:, :-1, None] < goals).sum(axis=1)
        ax.plot(goals, 1 + missing.mean(axis=0), label=name)
    ax.set_xlabel('IoU to reach')
    ax.set_ylabel('mean number of clicks')
    ax.set_ylim(bottom=0)
    ax.legend(loc='upper left', fontsize=8)
    return ax
