"""Draws images, instances, labels, clicks and probabilities on matplotlib axes, as ChainerCV does.

Every function takes an axis and returns it. Without one it creates a new figure, ``ax.figure``, that
displays itself in a notebook and is not managed by pyplot. With ``image=None`` it draws on top of the
contents of the axis.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch

from chainer_seg.colors import NEGATIVE, POSITIVE, instance_colors, is_light
from chainer_seg.images import ImageLike, as_image, fit_within, resize
from chainer_seg.instances import Instances
from chainer_seg.visualization.figures import new_axes
from chainer_seg.visualization.overlay import instances_layer
from chainer_seg.visualization.semantic import labels_layer, legend_of
from chainer_seg.visualization.skeletons import skeleton_lines

if TYPE_CHECKING:
    from chainer_seg.models.deeplab import Click

# Larger images cost memory without being visibly sharper on a figure.
_LONGEST_SIDE = 1600

_CLICK_AREA = 90  # square points


def draw_image(image: ImageLike | None, ax: Axes | None = None) -> Axes:
    """Draws an image without ticks.

    Args:
        image: Anything that :func:`chainer_seg.images.as_image` accepts, usually (H, W, 3) uint8;
            None draws nothing.
        ax: A matplotlib axis; default: a new one.

    Returns:
        The axis, in pixel coordinates of the image.
    """
    if image is None:
        return new_axes() if ax is None else ax
    image = as_image(image)
    size = image.shape[:2]
    ax = new_axes(size) if ax is None else ax
    _show(ax, resize(image, fit_within(size, _LONGEST_SIDE)), size)
    return ax


def draw_instances(image: ImageLike | None, instances: Instances, ax: Axes | None = None,
                   alpha: float = 0.5, contour: bool = True, labels: bool = True, boxes: bool = False,
                   colors: npt.NDArray[np.uint8] | None = None) -> Axes:
    """Draws masks, names, scores and keypoints of instances.

    Args:
        image: (H, W, 3) uint8 RGB, or None.
        instances: :class:`chainer_seg.instances.Instances` of that image.
        ax: A matplotlib axis; default: a new one.
        alpha: Opacity of the masks.
        contour: Draw an opaque edge around each mask.
        labels: Write the class names, and the scores unless all are 1.
        boxes: Draw the bounding boxes.
        colors: (R, 3) uint8 RGB; default: a colour for each instance.

    Returns:
        The axis.

    Raises:
        ValueError: The image and the masks differ in size.
    """
    size = instances.image_size
    if image is not None:
        image = as_image(image)
        if image.shape[:2] != tuple(size):
            raise ValueError(f'the image has {image.shape[0]}x{image.shape[1]} pixels, but the instances '
                             f'are of an image of {size[0]}x{size[1]}')
    ax = draw_image(image, new_axes(size) if ax is None else ax)
    colors = instance_colors(len(instances)) if colors is None else np.asarray(colors)
    rows, columns = _shown_pixels(size)
    width = max(1, round(max(len(rows), len(columns)) / 400)) if contour else 0
    _show(ax, instances_layer(instances.runs.sampled(rows, columns), colors, alpha, width), size)
    if boxes:
        _draw_boxes(ax, instances, colors)
    if instances.keypoints is not None:
        _draw_keypoints(ax, instances.keypoints, colors)
    if labels:
        _write_labels(ax, instances, colors)
    return ax


def draw_labels(image: ImageLike | None, labels: npt.NDArray[np.integer],
                class_names: Sequence[str] = (), ax: Axes | None = None, alpha: float = 0.65,
                legend: bool = True) -> Axes:
    """Draws the classes of pixels in VOC's colours.

    Args:
        image: (H, W, 3) uint8 RGB, or None for the labels alone on a black background.
        labels: (H, W) int, 0 for the background and -1 for void.
        class_names: Names of the classes, the background first; default: numbers.
        ax: A matplotlib axis; default: a new one.
        alpha: Opacity of the classes on an image.
        legend: Draw a legend of the classes present beside the image.

    Returns:
        The axis.

    Raises:
        ValueError: The image and the labels differ in size.
    """
    labels = np.asarray(labels)
    if image is not None:
        image = as_image(image)
        if image.shape[:2] != labels.shape:
            raise ValueError(f'the image has {image.shape[0]}x{image.shape[1]} pixels, but the labels '
                             f'have {labels.shape[0]}x{labels.shape[1]}')
    alone = image is None and (ax is None or not ax.images)
    ax = draw_image(image, new_axes(labels.shape) if ax is None else ax)
    layer = labels_layer(labels[np.ix_(*_shown_pixels((len(labels), labels.shape[1])))], alpha)
    if alone:
        layer[:, :, 3] = 255
    _show(ax, layer, labels.shape)
    if legend:
        ax.legend(handles=legend_handles(labels, class_names), loc='upper left', frameon=False,
                  bbox_to_anchor=(1.01, 1), borderaxespad=0, fontsize=8)
    return ax


def legend_handles(labels: npt.NDArray[np.integer], class_names: Sequence[str] = ()) -> list[Patch]:
    """Matplotlib patches with the colours and names of the classes present, for a legend."""
    return [Patch(facecolor=_unit(color), edgecolor='grey', label=name)
            for name, color in legend_of(labels, class_names)]


def draw_clicks(image: ImageLike | None, clicks: 'Iterable[Click]', ax: Axes | None = None) -> Axes:
    """Draws clicks: a plus on green if positive, a minus on red if negative.

    Args:
        image: (H, W, 3) uint8 RGB, or None.
        clicks: Objects with ``y``, ``x`` and ``positive``.
        ax: A matplotlib axis; default: a new one.

    Returns:
        The axis.
    """
    ax = draw_image(image, ax)
    clicks = list(clicks)
    for positive, color, sign in ((True, POSITIVE, '+'), (False, NEGATIVE, '_')):
        points = np.array([(click.x, click.y) for click in clicks if click.positive == positive])
        if len(points):
            ax.scatter(points[:, 0], points[:, 1], s=_CLICK_AREA, color=_unit(color),
                       edgecolors='white', linewidths=1.2, zorder=5)
            ax.scatter(points[:, 0], points[:, 1], s=_CLICK_AREA * 0.4, color='white', marker=sign,
                       linewidths=1.5, zorder=6)
    return ax


def draw_probability(image: ImageLike | None, probability: npt.NDArray[np.floating],
                     ax: Axes | None = None, threshold: float | None = 0.5, alpha: float = 0.65,
                     cmap: str = 'viridis') -> Axes:
    """Draws a probability map as colours, with a contour at ``threshold``.

    Args:
        image: (H, W, 3) uint8 RGB, or None for the map alone.
        probability: (H, W) float in [0, 1].
        ax: A matplotlib axis; default: a new one.
        threshold: Probability of the contour; None for no contour.
        alpha: Opacity where the probability is 1; opacity is proportional to the probability. Without
            an image below it the map is opaque.
        cmap: Name of a matplotlib colormap.

    Returns:
        The axis.
    """
    probability = np.clip(np.asarray(probability, np.float32), 0, 1)
    alone = image is None and (ax is None or not ax.images)
    size = probability.shape
    ax = draw_image(image, new_axes(size) if ax is None else ax)
    small = resize(probability, fit_within(size, _LONGEST_SIDE))
    layer = matplotlib.colormaps[cmap](small, bytes=True)
    if not alone:
        layer[:, :, 3] = np.round(small * (255 * alpha))
    _show(ax, layer, size)
    if threshold is not None and small.min() <= threshold < small.max() and min(small.shape) > 1:
        columns, rows = (_centres(big, few) for big, few in zip(size[::-1], small.shape[::-1]))
        ax.contour(columns, rows, small, levels=[threshold], colors='black', linewidths=2.5)
        ax.contour(columns, rows, small, levels=[threshold], colors='white', linewidths=1.2)
    return ax


def _show(ax: Axes, pixels: np.ndarray, size: tuple[int, int]) -> None:
    """Draws pixels, possibly downsampled, in the coordinates of an image of ``size``."""
    height, width = size
    if 0 in pixels.shape:
        return
    ax.imshow(pixels, extent=(-0.5, width - 0.5, height - 0.5, -0.5))
    ax.set_axis_off()


def _shown_pixels(size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The rows and columns of an image of ``size`` that are drawn, at most :data:`_LONGEST_SIDE` each."""
    rows, columns = (np.round(_centres(big, few)).astype(int)
                     for big, few in zip(size, fit_within(size, _LONGEST_SIDE) if all(size) else size))
    return rows, columns


def _centres(big: int, few: int) -> np.ndarray:
    """The centres of ``few`` equal parts of ``big`` pixels."""
    return (np.arange(few) + 0.5) * (big / few) - 0.5


def _draw_boxes(ax: Axes, instances: Instances, colors: np.ndarray) -> None:
    y_min, x_min, y_max, x_max = instances.bboxes.T - 0.5
    corners = np.stack([np.stack([x_min, x_max, x_max, x_min], 1),
                        np.stack([y_min, y_min, y_max, y_max], 1)], axis=2)
    ax.add_collection(PolyCollection(
        list(corners), facecolors='none', edgecolors=colors / 255.0, linewidths=1.5), autolim=False)


def _draw_keypoints(ax: Axes, keypoints: np.ndarray, colors: np.ndarray) -> None:
    lines, owner = skeleton_lines(keypoints)
    if len(lines):
        ax.add_collection(LineCollection(
            list(lines[:, :, ::-1]), colors=colors[owner] / 255.0, linewidths=1.5, zorder=3), autolim=False)
    seen = keypoints[:, :, 2] > 0
    owner = np.nonzero(seen)[0]
    points = keypoints[seen]
    ax.scatter(points[:, 1], points[:, 0], s=18, color=colors[owner] / 255.0,
               edgecolors='white', linewidths=0.8, zorder=4)


def _write_labels(ax: Axes, instances: Instances, colors: np.ndarray) -> None:
    with_scores = bool((instances.scores != 1).any())
    room = 0.08 * instances.image_size[0]
    for number, (y_min, x_min, _, _) in enumerate(instances.bboxes):
        text = instances.name(number)
        if with_scores:
            text = f'{text} {instances.scores[number]:.2f}'
        if instances.crowds[number]:
            text = f'{text} (crowd)'
        color = colors[number]
        # Above the object if there is room, so that small objects stay visible.
        ax.text(max(x_min, 0), max(y_min, 0), text, fontsize=8, clip_on=True,
                va='bottom' if y_min > room else 'top',
                color='black' if is_light(color) else 'white', zorder=7,
                bbox={'facecolor': _unit(color), 'edgecolor': 'none', 'pad': 1.5, 'alpha': 0.9})


def _unit(color: npt.ArrayLike) -> tuple[float, float, float]:
    red, green, blue = (np.asarray(color) / 255.0).tolist()
    return to_rgb((red, green, blue))
