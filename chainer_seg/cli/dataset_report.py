"""The problems and the statistics of a data set as lines of text."""

import itertools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chainer_seg.datasets.coco_json import Problem
    from chainer_seg.datasets.statistics import Anchors


def print_problems(problems: Iterable['Problem'], shown: int | None) -> None:
    """Print the problems grouped by their kind, at most ``shown`` of each; None for all."""
    ordered = sorted(problems, key=lambda problem: problem.kind)
    for kind, problems_of_kind in itertools.groupby(ordered, key=lambda problem: problem.kind):
        group = list(problems_of_kind)
        print(f'{kind} ({len(group)})')
        for problem in group[:shown]:
            print(f'  {problem}')
        if shown is not None and len(group) > shown:
            print(f'  ... and {len(group) - shown} more; -v lists them')


def print_figures(figures: Mapping[str, Any], shown: int | None) -> None:
    """Print the figures of a data set, and those of its ``shown`` most frequent classes; None for all.

    Args:
        figures: What :meth:`chainer_seg.datasets.DatasetStatistics.to_dict` gives.
    """
    for name, value in figures.items():
        if name != 'per class':
            print(f'{name}: {_in_words(value)}')
    rows = sorted(figures['per class'].items(), key=lambda row: -row[1]['objects'])
    width = max((len(name) for name, _ in rows), default=0)
    print(f'{"class":{width}} objects images')
    for name, counts in rows[:shown]:
        print(f'{name:{width}} {counts["objects"]:7} {counts["images"]:6}')
    if shown is not None and len(rows) > shown:
        print(f'... and {len(rows) - shown} more; -v lists them')


def print_anchors(title: str, anchors: 'Anchors') -> None:
    """Print the scales and ratios of :class:`chainer_seg.datasets.Anchors`, and how well they fit."""
    scales, ratios = (' '.join(f'{value:g}' for value in values)
                      for values in (anchors.scales, anchors.ratios))
    print(f'{title}: scales {scales}, ratios {ratios}: mean IoU {anchors.mean_iou:.3f}, '
          f'{100 * anchors.matched:.1f} % of the objects matched')


def _in_words(value: Any) -> Any:
    if isinstance(value, dict):
        return ', '.join(f'{name} {figure:g}' for name, figure in value.items())
    return 'none' if value is None else value
