"""The figures of click models as tables, as JSON, and as curves."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from chainer_seg.files import atomic_write, write_json


def table(results: Mapping[str, Any], thresholds: Sequence[float], clicks: Sequence[int], cap: int) -> str:
    """The figures as text: a row for each method.

    Args:
        results: ``{title: ClickFigures}``.
        thresholds: IoUs until which clicks are counted.
        clicks: Numbers of clicks after which the IoU is reported.
        cap: Maximum number of clicks per object.
    """
    heads = ['method', *(f'NoC@{100 * goal:g}' for goal in thresholds),
             *(f'failed@{100 * goal:g}' for goal in thresholds),
             *(f'IoU@{count}' for count in clicks), 'ms/click']
    rows = [[title, *(f'{figures.noc(goal):.2f}' for goal in thresholds),
             *(f'{figures.failures(goal)}' for goal in thresholds),
             *(f'{figures.mean_ious[count - 1]:.3f}' for count in clicks),
             f'{1000 * figures.seconds_per_click:.0f}'] for title, figures in results.items()]
    count = len(next(iter(results.values())).ious)
    return f'{count} objects, up to {cap} clicks on each\n' + _lines(heads, rows)


def class_table(results: Mapping[str, Any], thresholds: Sequence[float]) -> str:
    """The clicks of each category: a row for each of them."""
    several = len(results) > 1
    by_class = {title: figures.by_class() for title, figures in results.items()}
    heads = ['category', 'objects', *(f'NoC@{100 * goal:g}' + (f', {title}' if several else '')
                                      for title in results for goal in thresholds)]
    rows = [[name, str(len(figures.ious)),
             *(f'{by_class[title][name].noc(goal):.2f}' for title in results for goal in thresholds)]
            for name, figures in next(iter(by_class.values())).items()]
    return _lines(heads, rows)


def write(path: str, results: Mapping[str, Any], thresholds: Sequence[float], clicks: Sequence[int],
          settings: Mapping[str, Any]) -> pathlib.Path:
    """Writes the settings and the figures as JSON and their curves as an image, whose path it returns."""
    from chainer_seg.visualization import draw_click_comparison
    methods = {title: {**figures.summary(thresholds, clicks), 'seconds_per_click': figures.seconds_per_click,
                       'ious': figures.ious.round(4).tolist()} for title, figures in results.items()}
    first = next(iter(results.values()))
    names = first.class_names
    write_json(path, {
        **settings, 'methods': methods,
        'objects': [names[label] if names else str(label) for label in first.labels],
        'classes': {title: {name: each.summary(thresholds, clicks)
                            for name, each in figures.by_class().items()}
                    for title, figures in results.items()}}, indent=2)
    plot = pathlib.Path(path).with_suffix('.png')
    axes = draw_click_comparison({title: figures.ious for title, figures in results.items()}, thresholds)
    with atomic_write(plot) as temporary:
        axes[0].figure.savefig(temporary, dpi=120)
    return plot


def _lines(heads: list[str], rows: list[list[str]]) -> str:
    """A table whose first column is flush left, and all others flush right."""
    rows = [heads, ['-' * len(head) for head in heads], *rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return '\n'.join(
        '| ' + ' | '.join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) + ' |'
        for row in rows)
