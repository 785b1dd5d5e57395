"""Matplotlib figures without global state: they are freed when the last reference is."""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from chainer_seg.visualization.fonts import drawable, families

_DPI = 80
_WIDTH = 9.0  # inches of a full row, as wide as a notebook's column


class NotebookFigure(Figure):
    """A matplotlib figure that displays itself in a notebook and is not managed by pyplot."""

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault('dpi', _DPI)
        options.setdefault('layout', 'constrained')
        super().__init__(*args, **options)
        FigureCanvasAgg(self)

    def draw(self, renderer: Any) -> None:
        """Draws the figure, with fonts for text in any script."""
        for ax in self.axes:  # Makes matplotlib create the tick labels, which it does at every drawing.
            ax.get_xticklabels()
            ax.get_yticklabels()
        for text in self.findobj(Text):
            name = text.get_text()
            if not name.isascii():
                text.set_fontfamily(list(dict.fromkeys([*text.get_fontfamily(), *families(name)])))
                text.set_text(drawable(name))
        super().draw(renderer)

    def _repr_png_(self) -> bytes:
        return figure_png(self)


def figure_png(drawn: Figure | Axes) -> bytes:
    """A figure, or that of an axis, as a PNG file."""
    buffer = io.BytesIO()
    figure = drawn if isinstance(drawn, Figure) else drawn.get_figure(root=True)
    assert figure is not None  # An axis that was drawn on has one.
    figure.savefig(buffer, format='png')
    return buffer.getvalue()


def new_axes(size: tuple[int, int] | None = None) -> Axes:
    """An axis in a new :class:`NotebookFigure`, shaped for an image of ``size`` = (height, width)."""
    ratio = 0.75 if size is None else min(max(size[0] / max(size[1], 1), 0.2), 2.5)
    width = min(6.0, 6.0 / ratio)
    return NotebookFigure(figsize=(width, width * ratio)).add_subplot()


def axes_grid(count: int, columns: int = 4, ratio: float = 1.0, titles: Sequence[str] = ()
              ) -> npt.NDArray[np.object_]:
    """Empty axes in rows, for images side by side.

    Args:
        count: Number of axes.
        columns: Number of axes in a full row, which also determines their size.
        ratio: Height of an axis divided by its width.
        titles: Titles of the axes; may be fewer than the axes.

    Returns:
        (count,) array of matplotlib axes, all in one new :class:`NotebookFigure`.
    """
    side = _WIDTH / max(columns, 2)
    columns = max(1, min(columns, count))
    rows = -(-count // columns)
    above = 0.3 if len(titles) else 0.05
    figure = NotebookFigure(figsize=(side * columns, max(rows, 1) * (side * ratio + above)))
    axes = np.empty(count, object)
    for number in range(count):
        axes[number] = figure.add_subplot(rows, columns, number + 1)
        axes[number].set_axis_off()
    for ax, title in zip(axes, titles):
        ax.set_title(title, fontsize=10)
    return axes
