"""Curves of the quality of click segmentation against the number of clicks."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

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


def draw_click_comparison(ious: IoUs, thresholds: Sequence[float]) -> npt.NDArray[np.object_]:
    """Draws the curves of :func:`draw_click_curves`, and below them one of successes for each threshold.

    Args:
        ious: ``{name: (N, cap) float}``. Names that agree before a comma have the same colour, as in
            ``'click'`` and ``'click, graphcut'``.
        thresholds: Target IoUs.

    Returns:
        (2 + T,) array of matplotlib axes in a new figure.
    """
    columns = max(2, len(thresholds))
    axes = axes_grid(columns + len(thresholds), columns=columns, ratio=1.0)
    draw_iou_curves(ious, axes[0], thresholds)
    draw_noc_curves(ious, axes[1], thresholds, max(thresholds))
    for ax, threshold in zip(axes[columns:], thresholds):
        draw_success_curves(ious, threshold, ax)
    used = np.concatenate([axes[:2], axes[columns:]])
    for ax in used:
        ax.set_axis_on()
        ax.get_legend().remove()
    # One legend for all, in the free place of the first row or below.
    handles, labels = axes[0].get_legend_handles_labels()
    if columns > 2:
        axes[2].legend(handles, labels, loc='center', frameon=False)
    else:
        axes[0].figure.legend(handles, labels, loc='outside lower center', ncols=2)
    return used


def draw_success_curves(ious: IoUs, threshold: float, ax: Axes | None = None) -> Axes:
    """Draws the share of objects that have reached a target IoU over the number of clicks.

    Args:
        ious: ``{name: (N, cap) float}``.
        threshold: The target IoU.
        ax: A matplotlib axis; default: a new one.

    Returns:
        The axis.
    """
    ax = new_axes() if ax is None else ax
    for name, values in ious.items():
        reached = (np.maximum.accumulate(values, axis=1) >= threshold).mean(axis=0)
        ax.plot(np.arange(1, len(reached) + 1), reached, label=name, **_style(name, ious))
    ax.set_xlabel('clicks')
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_ylabel(f'share of objects with IoU ≥ {100 * threshold:g} %')
    ax.set_ylim(0, 1.02)
    ax.legend(loc='lower right', fontsize=8)
    return ax


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
        ax.plot(np.arange(1, len(mean) + 1), mean, marker='.', label=name,
                **_style(name, ious))
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
        ax.plot(goals, 1 + missing.mean(axis=0), label=name, **_style(name, ious))
    ax.set_xlabel('target IoU')
    ax.set_ylabel('mean number of clicks')
    ax.set_ylim(bottom=0)
    ax.legend(loc='upper left', fontsize=8)
    return ax


def _style(name: str, names: Iterable[str]) -> dict[str, Any]:
    """The colour of a method, which its refinements share, and their dashes, as arguments of ``plot``."""
    methods = list(dict.fromkeys(each.split(',')[0] for each in names))
    variants = [each for each in names if each.split(',')[0] == name.split(',')[0]]
    return {'color': f'C{methods.index(name.split(",")[0])}',
            'linestyle': ('-', '--', ':', '-.')[variants.index(name) % 4]}
