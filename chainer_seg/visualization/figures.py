"""Figures that belong to nobody's global state: they live as long as someone holds them."""

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from chainer_seg.visualization.fonts import drawable, families

_DPI = 80
_WIDTH = 9.0  # inches of a full row, as wide as a notebook's column


class NotebookFigure(Figure):
    """A matplotlib figure that shows itself in a notebook and is unknown to pyplot."""

    def __init__(self, *args, **options):
        options.setdefault('dpi', _DPI)
        options.setdefault('layout', 'constrained')
        super().__init__(*args, **options)
        FigureCanvasAgg(self)

    def draw(self, renderer):
        """Draws, with fonts for names in any script."""
        for ax in self.axes:  # Only now do ticks get their texts, and each time anew.
            ax.get_xticklabels()
            ax.get_yticklabels()
        for text in self.findobj(Text):
            name = text.get_text()
            if not name.isascii():
                text.set_fontfamily(list(dict.fromkeys([*text.get_fontfamily(), *families(name)])))
                text.set_text(drawable(name))
        super().draw(renderer)

    def _repr_png_(self):
        buffer = io.BytesIO()
        self.savefig(buffer, format='png')
        return buffer.getvalue()


def new_axes(size=None):
    """An axis in a new :class:`NotebookFigure` that fits an image of ``size`` = (height, width)."""
    ratio = 0.75 if size is None else min(max(size[0] / max(size[1], 1), 0.2), 2.5)
    width = min(6.0, 6.0 / ratio)
    return NotebookFigure(figsize=(width, width * ratio)).add_subplot()


def axes_grid(count, columns=4, ratio=1.0, titles=()):
    """Empty axes in rows, for pictures side by side.

    Args:
        count: Number of axes.
        columns: Axes in a full row, which sets their size, too.
        ratio: Height of an axis over its width.
        titles: A line of text over each; may be shorter.

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
